//! Closes a run whose lab is gone: nobody is left to ask, and whatever the run began went with the lab.

use lab::clock::Clock;
use reports::journal::{JournalError, Writer};
use reports::record::{Kind, LabGone, RecoveryStarted, ResidueListed, RunFinished};
use reports::verdict::{Judgement, judge_ending};

/// Says in the journal why nothing is left, and ends the run; `proof` says how that is known.
///
/// # Errors
/// Where the journal cannot be written: the run is not closed then.
pub fn close_gone_run(
    journal: &Writer,
    clock: Clock,
    proof: String,
) -> Result<Judgement, JournalError> {
    let why = "its lab is gone".to_owned();
    let (items, kept) = (Vec::new(), Vec::new());
    for kind in [
        Kind::RecoveryStarted(RecoveryStarted { why }),
        Kind::LabGone(LabGone { proof }),
        Kind::ResidueListed(ResidueListed { items, kept }),
    ] {
        journal.append_synced(clock.now(), kind)?;
    }
    let judgement = journal.with_records(judge_ending);
    let Judgement { verdict, exit_code, reasons } = judgement.clone();
    let finished = RunFinished { verdict, exit_code, reasons };
    journal.append_synced(clock.now(), Kind::RunFinished(finished))?;
    Ok(judgement)
}
