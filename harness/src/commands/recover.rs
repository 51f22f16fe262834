//! `lab-smoke recover RUN`: brings a dead run to its end. It may itself be killed and repeated.

use std::path::Path;

use reports::folder::RunFolder;
use reports::journal::Writer;
use reports::record::{Kind, RunStarted};
use reports::shown::read_shown;
use reports::verdict::{ExitCode, Judgement};

use super::alive::{self, Held};
use super::outside;
use super::refusal::CommandRefusal;
use super::resume::gather_existing_run;
use super::to_its_end::to_its_end;
use super::told::{EndedRun, tell_programs};
use super::{Console, refuse};
use crate::cli::{IdentityArgs, ReportArgs};
use crate::engine::{self, Announcement};
use crate::labs::{Leaving, Opener, Purpose};
use crate::perform::write_evidence;
use crate::signals;
use crate::words::{self, Ending};

pub fn recover_run(
    run: &Path,
    lab: Option<&Path>,
    identity: &IdentityArgs,
    reports: &ReportArgs,
    console: Console<'_>,
) -> u8 {
    let ended = in_its_folder(run, (lab, identity), console);
    tell_programs(reports, &ended, console.terminal);
    match ended {
        Ok(ended) => ended.judgement.recover_exit_code(),
        Err(refusal) => refuse(refusal.code(), &refusal, console.terminal),
    }
}

/// The words of the command line: the manifest outside, and who asks.
type Words<'a> = (Option<&'a Path>, &'a IdentityArgs);

fn in_its_folder(
    run: &Path,
    words: Words<'_>,
    console: Console<'_>,
) -> Result<EndedRun, CommandRefusal> {
    let terminal = console.terminal;
    let folder = RunFolder::resolve(Path::new(""), run)?;
    let _lock = alive::lock_folder(&folder, &format!("recover, pid {}", std::process::id()))?;
    let journal = Writer::reopen(folder.path())?;
    journal.with_records(|records| read_shown(records).map(drop))?;
    let started = journal.with_records(|records| engine::find_run_started(records).cloned());
    let started = started.ok_or(CommandRefusal::Empty)?;
    let opener = console.labs.of(started.lab.kind)?;
    let judgement = match engine::repeat_judgement(&journal) {
        Some(judgement) if was_recovered(&journal) => {
            leave_as_recovered(&journal, &started, &judgement, opener, words.1, console)?;
            judgement
        }
        Some(_) => return Err(CommandRefusal::NothingToRecover),
        None => on_its_lab(&folder, &journal, &started, words, opener, console)?,
    };
    // The lab is as it is now: that its evidence cannot be written changes nothing of that.
    let written = journal.with_records(|records| write_evidence(&folder, records, &journal.head()));
    if let Err(error) = written {
        let path = engine::in_a_command(folder.path());
        terminal.err(&format!("{error}; `lab-smoke report {path}` makes it again\n"));
    }
    terminal.out(&words::describe_verdict(&judgement));
    terminal.out(&format!("{}\n", folder.path().display()));
    Ok(EndedRun::of(judgement, &folder))
}

fn was_recovered(journal: &Writer) -> bool {
    journal.with_records(|records| {
        records.iter().any(|record| matches!(record.kind, Kind::RecoveryStarted(_)))
    })
}

/// The recovery may have been killed before it left its lab.
fn leave_as_recovered(
    journal: &Writer,
    started: &RunStarted,
    judgement: &Judgement,
    opener: &dyn Opener,
    identity: &IdentityArgs,
    console: Console<'_>,
) -> Result<(), CommandRefusal> {
    let manifest = outside::of_the_journal(started)?;
    let run = gather_existing_run(journal, started.clone(), manifest, Purpose::Recover, identity);
    // A lab that has gone has been left.
    let Ok(site) = opener.return_to(run) else { return Ok(()) };
    opener.runtime()?.block_on(site.leave(leaving(judgement), &console.say()));
    Ok(())
}

fn leaving(judgement: &Judgement) -> Leaving {
    if judgement.recover_exit_code() == ExitCode::Pass.number() {
        Leaving::Recovered
    } else {
        Leaving::NotRecovered
    }
}

fn on_its_lab(
    folder: &RunFolder,
    journal: &Writer,
    started: &RunStarted,
    (lab, identity): Words<'_>,
    opener: &dyn Opener,
    console: Console<'_>,
) -> Result<Judgement, CommandRefusal> {
    if let Some(proof) = opener.prove_gone(folder, &started.run_id)? {
        return Ok(engine::close_gone_run(journal, lab::clock::Clock::System, proof)?);
    }
    let manifest = outside::read_outside_manifest(lab, folder, started, opener)?.merged();
    let site = opener.return_to(gather_existing_run(
        journal,
        started.clone(),
        manifest,
        Purpose::Recover,
        identity,
    ))?;
    let mut announce = |announcement: Announcement| show(&announcement, console);
    opener.runtime()?.block_on(async {
        let mut signals = signals::listen()?;
        let opened = site.open(folder).await?;
        prove_dead(folder, opener, &opened.lab, started).await?;
        let running =
            engine::recover_from_journal(&opened.lab, journal, &started.run_id, &mut announce);
        let judgement = to_its_end(running, &mut signals, folder.path(), console.terminal).await;
        site.leave(leaving(&judgement), &console.say()).await;
        Ok(judgement)
    })
}

fn show(announcement: &Announcement, console: Console<'_>) {
    let Some((name, ending)) = words::describe_ending(announcement) else { return };
    console.terminal.out(&match ending {
        Ending::Ok => format!("{name}: ok\n"),
        Ending::Failed(why) => format!("{name}: FAILED\n{why}\n"),
        Ending::Ignored(why) => format!("{name}: {why}\n"),
    });
}

/// Fails where somebody goes on with the run elsewhere.
async fn prove_dead(
    folder: &RunFolder,
    opener: &dyn Opener,
    lab: &lab::Lab,
    started: &RunStarted,
) -> Result<(), CommandRefusal> {
    let held = alive::find_run_holder(folder, opener.place())?;
    if let Held::By(by) = held {
        return Err(CommandRefusal::Live { folder: folder.path().to_owned(), by });
    }
    match alive::find_lease_holder(&held, lab, &started.run_id).await {
        None => Ok(()),
        Some(holder) => {
            Err(CommandRefusal::Leased { run: holder.run_id, until: holder.lease_until })
        }
    }
}
