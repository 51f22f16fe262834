//! Goes on with a run whose go was awaited: what can be judged offline first, so that nothing is
//! started for a go that is not good; then the lab as preflight finds it now.

use reports::record::{Kind, StopArmed, Verdict};
use reports::verdict::ExitCode;
use scenarios::resume::rebuild_state;
use scenarios::stops::WAITED_TOO_LONG;

use super::pending::{Came, Meanwhile, Parts, Pending, before_the_gate};
use super::recover::PLUGIN_TIMEOUT;
use super::standing::{Standing, find_run_started, read_standing};
use super::waking::{Resting, Woke};
use super::{
    Announcement, Brake, Engine, Judgement, Lab, Selection, Waiting, Writer, capture_steps,
    change_set,
};

/// Which run it is.
#[derive(Clone, Debug)]
pub struct Resumed {
    pub run_id: String,
    pub selection: Selection,
}

pub async fn resume_sequence(
    lab: &Lab,
    pending: &Pending,
    journal: &Writer,
    brake: Brake,
    resumed: &Resumed,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    let change_set = change_set(lab, &resumed.run_id);
    let steps = capture_steps(&change_set);
    let state = journal.with_records(|records| rebuild_state(records, &steps));
    let parts = Parts { change_set, steps, state, selection: &resumed.selection, brake };
    Engine::awaiting(lab, pending, journal, parts, announce).resume(pending).await
}

impl Engine<'_> {
    async fn resume(&self, pending: &Pending) -> Judgement {
        self.hear_from_below();
        self.arm(pending.meanwhile);
        if let Err(why) = Box::pin(self.guard_the_wait(pending)).await {
            return self.stay_unguarded(pending, why).await;
        }
        if pending.wait.is_some() {
            match self.wait_for_go(pending).await {
                Came::Go => {}
                Came::TooDear => return self.end_too_dear().await,
                Came::Nothing | Came::Refused => return self.stay_pending(pending).await,
            }
        }
        match self.judge_offline(pending) {
            Came::Go => {}
            Came::Refused => return self.stay_pending(pending).await,
            Came::Nothing | Came::TooDear => return self.without_go(pending).await,
        }
        self.lab.reconcile(self.journal, PLUGIN_TIMEOUT).await;
        let shown = self.shown_facts();
        match Box::pin(self.wake(Resting::Parked)).await {
            Ok(Woke::Something) => {
                let wanted = shown.as_ref().map(|facts| &facts.facts_digest);
                Box::pin(self.wait_for_the_facts(wanted)).await;
            }
            Ok(Woke::Nothing) => {}
            Err(why) => {
                // What was started for nothing is stopped again, unless the lab is another run's.
                let judgement = self.stay_pending(pending).await;
                let said = judgement.verdict == Verdict::Unavailable;
                return if said { judgement } else { self.unusable(why) };
            }
        }
        self.forward(before_the_gate()).await;
        if let Some(shown) = &shown {
            self.tell_differing_facts(shown);
        }
        if self.run.brake.pulled() && self.journal.with_records(read_standing).pending() {
            return self.stay_pending(pending).await;
        }
        if !self.asks() {
            return self.end_unasked(pending).await;
        }
        self.pass_the_gate(pending).await
    }

    /// Says where stop 7 is another way than the run was begun with, or resumed with before; and where
    /// an earlier command could not use the lab, that this one tries again.
    pub(super) fn arm(&self, meanwhile: Meanwhile) {
        let stop = WAITED_TOO_LONG.stop;
        let reason = Waiting::Owner(meanwhile).disarmed().map(str::to_owned);
        let armed = StopArmed { stop, armed: reason.is_none(), reason };
        let is = self.journal.with_records(|records| {
            let later = records.iter().rev().find_map(|record| match &record.kind {
                Kind::StopArmed(it) if it.stop == stop => Some(it.armed),
                _ => None,
            });
            let declared = || find_run_started(records)?.stops.iter().find(|it| it.number == stop);
            later.or_else(|| declared().map(|it| it.armed))
        });
        let tries_again = self.journal.with_records(|records| {
            records.iter().any(|record| matches!(record.kind, Kind::LabUnavailable(_)))
        });
        if tries_again || is != Some(armed.armed) {
            self.record(Kind::StopArmed(armed));
        }
    }

    /// An earlier go that was refused is no answer to who gives none now.
    pub(super) async fn without_go(&self, pending: &Pending) -> Judgement {
        let judgement = self.stay_pending(pending).await;
        if judgement.exit_code != ExitCode::Stopped.number() {
            return judgement;
        }
        let parked = self.journal.with_records(read_standing) == Standing::Parked;
        Judgement {
            verdict: if parked { Verdict::Parked } else { Verdict::AwaitingGo },
            exit_code: ExitCode::Pending.number(),
            reasons: [vec!["the owner's go is awaited".to_owned()], judgement.reasons].concat(),
        }
    }
}

/// The selection as the run was begun with.
pub fn read_selection(records: &[reports::record::Record]) -> Option<Selection> {
    let Kind::RunStarted(started) = &records.first()?.kind else { return None };
    let part = |scenario: &scenarios::Scenario| {
        let declared = started.scenarios.iter().find(|it| it.name == scenario.name);
        declared.map(|it| (scenario.name, it.part))
    };
    let parts: Option<Vec<_>> = super::SEQUENCE.iter().map(part).collect();
    Some(Selection { filter: started.filter.clone(), parts: parts? })
}
