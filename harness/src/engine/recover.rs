//! Brings a dead, pending or parked run to its end, from its journal alone: what was begun is taken
//! back, what costs is stopped, and whatever is left is named.

use std::time::Duration;

use lab::permit::Cost;
use lab::sabotage::Sabotage;
use reports::record::{Kind, Outcome, RecoveryStarted, ResidueItem, ResidueListed};
use scenarios::stops::OTHER_ACCOUNT;
use scenarios::{RESERVE_BYTES, resume};

use super::{
    Announcement, Brake, Engine, GoSource, Judgement, Lab, Part, PlanSource, Rc, RefCell, Run,
    SEQUENCE, Selection, Writer, change_set, judge_ending, sabotage,
};

/// Where nobody can be asked any more how long an executor may be at work.
pub(super) const PLUGIN_TIMEOUT: Duration = Duration::from_mins(2);

/// Nobody asks for a go any more.
struct NoGo;

impl GoSource for NoGo {
    fn go<'a>(
        &'a self,
        _request: &'a scenarios::run::GoRequest,
    ) -> futures::future::LocalBoxFuture<'a, Option<scenarios::run::Go>> {
        Box::pin(std::future::ready(None))
    }
}

/// Recovers the run of this journal on its lab, and appends everything, run-finished included.
pub async fn recover(
    lab: &Lab,
    journal: &Writer,
    run_id: &str,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    journal.reserve_for_the_end(RESERVE_BYTES);
    let why = "the run did not come to its end".to_owned();
    if let Err(error) =
        journal.append_synced(lab.clock.now(), Kind::RecoveryStarted(RecoveryStarted { why }))
    {
        tracing::error!(%error, "recovery goes on without its record");
    }
    let executor = resume::executor(lab).await;
    let timeout = executor.as_ref().map_or(PLUGIN_TIMEOUT, |it| it.timeout);
    lab.reconcile(journal, timeout).await;
    let change_set = change_set(lab, run_id);
    let mut state = journal.with_records(|records| resume::state(records, &change_set));
    state.executor = executor;
    if state.burnt && state.rows.is_none() {
        state.rows = resume::rows(lab, &change_set).await;
    }
    let brake = Brake::default();
    brake.pull();
    let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
    let selection = Selection { filter: None, parts };
    let engine = Engine {
        lab,
        journal,
        run: Run {
            id: run_id.to_owned(),
            change_set,
            plan_source: PlanSource::Planner,
            brake,
            detector_off: lab.detector_off(),
            go: Rc::new(NoGo),
            state: RefCell::new(state),
        },
        selection: &selection,
        announce: RefCell::new(announce),
        ended: RefCell::default(),
        renewing: futures::lock::Mutex::default(),
    };
    match engine.while_renewing(Box::pin(engine.end_what_was_begun())).await {
        Ok(()) => engine.finish(),
        // The run is not closed: whoever holds the lab may give it back.
        Err(held) => engine.unusable(held),
    }
}

impl Engine<'_> {
    /// Fails where another run holds the lab and nothing of this run is in it: nothing is touched.
    async fn end_what_was_begun(&self) -> Result<(), String> {
        if !self.run.state.borrow().burnt {
            self.release_lock().await;
            return self.stop_what_costs().await;
        }
        sabotage::before_the_undo(self).await;
        // A run that was seen restored may have been torn down since: its nodes may be gone.
        let restored = self.journal.with_records(|records| resume::passed(records, "restored"));
        for scenario in SEQUENCE.iter().filter(|it| it.leg == scenarios::Leg::Back) {
            match scenario.name {
                "undo" | "restored" if restored => {}
                "teardown" => {
                    self.release_lock().await;
                    self.run_one(scenario).await;
                }
                _ => {
                    self.run_one(scenario).await;
                }
            }
        }
        Ok(())
    }

    /// Of a run that never burnt its go: the lab is as it was, and its instances need not run. The
    /// lock is read before each is stopped: another run may hold the lab by now.
    async fn stop_what_costs(&self) -> Result<(), String> {
        if self.lab.is_sabotaged(Sabotage::LeavesItRunning) {
            return Ok(());
        }
        let items = if self.something_runs().await { self.stop_all().await? } else { Vec::new() };
        self.record(Kind::ResidueListed(ResidueListed { items, kept: Vec::new() }));
        Ok(())
    }

    /// Nothing is touched with the identity of another account (hard stop 8).
    fn of_another_account(&self) -> bool {
        self.journal.with_records(|records| {
            records.iter().any(|record| {
                matches!(&record.kind, Kind::StopTripped(stop)
                    if stop.detector == OTHER_ACCOUNT.name)
            })
        })
    }

    pub(super) async fn stop_one(&self, instance: &lab::ec2::Instance) -> Result<(), String> {
        if self.of_another_account() {
            return Err("the operator's identity is of another account".to_owned());
        }
        let permit =
            Cost::to_stop(&self.lab.manifest, instance).map_err(|refused| refused.to_string())?;
        match self.lab.stop_instance(&permit, self.journal, "preflight").await {
            Ok(acted) if acted.outcome == Outcome::Done => Ok(()),
            Ok(acted) => Err(acted.detail),
            Err(error) => Err(error.to_string()),
        }
    }
}

pub(super) fn left(manifest: &lab::manifest::Manifest, id: &str, why: String) -> ResidueItem {
    let region = &manifest.aws.region;
    ResidueItem {
        resource: "instance".to_owned(),
        id: id.to_owned(),
        why,
        costs_money: true,
        owner_commands: vec![format!(
            "aws ec2 stop-instances --instance-ids {id} --region {region}"
        )],
    }
}

/// What a recovery that came to its end answers again, touching nothing.
pub fn answered(journal: &Writer) -> Option<Judgement> {
    journal.with_records(|records| {
        let ended = records.iter().any(|it| matches!(it.kind, Kind::RunFinished(_)));
        ended.then(|| judge_ending(records))
    })
}
