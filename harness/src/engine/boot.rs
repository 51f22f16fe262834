//! A lab that was just woken is not yet what it was: its overlay and routerd come up after its sshd. The
//! read-only preflight is tried, beside the run's journal, until it finds what it has to find; then the
//! run makes it once.

use lab::permit::Brake;
use reports::digest::Digest;
use reports::journal::Writer;
use reports::record::{
    FactsDiffer, FactsRecorded, Kind, LabUnavailable, ScenarioStatus, WakeStage,
};
use scenarios::run::{Run, RunState};
use scenarios::{Context, find_scenario};
use serde_json::json;
use std::cell::RefCell;

use super::waking::{Resting, Woke};
use super::{Engine, find_last_facts};

/// The longest pause between two tries is so many times the first; each is twice as long as the one before.
const LONGEST_PAUSE: u32 = 8;

impl Engine<'_> {
    /// Wakes what a run finds at rest, where the manifest consents, and waits until preflight holds.
    /// Answers whether the lab can be used.
    pub(super) async fn wake_what_is_found(&self) -> bool {
        if !self.lab.manifest.consent.start_instances {
            return true;
        }
        match Box::pin(self.wake(Resting::Found)).await {
            Ok(Woke::Nothing) => true,
            Ok(Woke::Something) => {
                Box::pin(self.wait_for_the_facts(None)).await;
                true
            }
            Err(reason) => {
                // What was started for nothing is stopped again.
                Box::pin(self.park_at_the_end()).await;
                self.record(Kind::LabUnavailable(LabUnavailable { reason, held_by: None }));
                false
            }
        }
    }

    /// Waits until preflight finds these facts, or any where none are wanted, for as long as a boot may
    /// take.
    pub(super) async fn wait_for_the_facts(&self, wanted: Option<&Digest>) {
        let since = self.lab.clock.stopwatch();
        let limits = self.lab.wake_limits();
        let mut pause = limits.look;
        let why_not = loop {
            let tried = self.try_preflight().await;
            let why = match (tried, wanted) {
                (Ok(found), Some(wanted)) if found != *wanted => {
                    format!("the facts are {found}, and the owner was shown {wanted}")
                }
                (Ok(_), _) => break None,
                (Err(why), _) => why,
            };
            if since.elapsed() >= limits.boot {
                break Some(why);
            }
            self.lab.clock.sleep(pause).await;
            pause = (pause * 2).min(limits.look * LONGEST_PAUSE);
        };
        self.note_stage(None, WakeStage::Ready, since.elapsed(), why_not);
    }

    /// Runs preflight, which changes nothing, with a journal that nobody keeps: a lab that is not up yet
    /// is no finding of the run's. Answers the digest of the facts, or why there are none.
    async fn try_preflight(&self) -> Result<Digest, String> {
        let scenario = find_scenario("preflight").ok_or("there is no preflight")?;
        let folder = tempfile::tempdir_in(self.journal.dir()).map_err(|error| error.to_string())?;
        let journal = Writer::create(folder.path()).map_err(|error| error.to_string())?;
        let run = Run {
            id: self.run.id.clone(),
            change_set: self.run.change_set.clone(),
            steps: self.run.steps.clone(),
            plan_source: self.run.plan_source,
            brake: Brake::default(),
            #[cfg(feature = "sabotage")]
            detector_off: self.run.detector_off,
            go: self.run.go.clone(),
            state: RefCell::new(RunState::default()),
        };
        let mut context = Context::begin(scenario, self.lab.clock, &journal, &run);
        Box::pin((scenario.run)(self.lab, &mut context)).await;
        let finished = context.finish();
        let found = run.state.borrow().facts_digest.clone();
        match found {
            Some(found) if finished.status == ScenarioStatus::Passed => Ok(found),
            _ => Err(finished.reason.unwrap_or_else(|| "preflight did not pass".to_owned())),
        }
    }

    /// The facts that the owner was shown.
    pub(super) fn shown_facts(&self) -> Option<FactsRecorded> {
        self.journal.with_records(|records| find_last_facts(records).cloned())
    }

    /// Records what of the facts is not as the owner was shown it, field by field.
    pub(super) fn tell_differing_facts(&self, shown: &FactsRecorded) {
        let Some(now) = self.shown_facts() else { return };
        if now.facts_digest == shown.facts_digest {
            return;
        }
        let (before, after) = (json!(shown.facts), json!(now.facts));
        let differ =
            FactsDiffer::between((&shown.facts_digest, &before), (&now.facts_digest, &after));
        self.record(Kind::FactsDiffer(differ));
    }
}
