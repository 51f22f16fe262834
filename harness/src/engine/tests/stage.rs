//! An engine on the mock, in virtual time, with a lab as a test wants it: for what is decided between
//! the scenarios.

use lab::WakeLimits;
use lab::act::{Holder, LOCK_PATH};
use lab::manifest::{Ceiling, Manifest, NoCeiling};
use lab::node::Node;
use lab_mock::cloud::InstanceState;
use lab_mock::faults::{CommandEffect, CommandFault};
use lab_mock::world::{Shared, World};
use reports::record::{
    Effect, Intent, Outcome, OutcomeRecorded, Permit, Record, ResidueItem, StopTripped,
};

use super::super::*;
use crate::grant::OwnersFiles;
use crate::labs::{MockOptions, create_journal, open_mock};

pub(super) struct Stage<'a> {
    pub engine: Engine<'a>,
    pub world: Shared,
    /// Nobody's go lies in it yet.
    pub files: OwnersFiles,
}

pub(super) type ManifestEdit = fn(&mut Manifest);

/// The settings that a test wants otherwise.
pub(super) struct Scene {
    pub manifest: ManifestEdit,
    /// Finds nothing.
    pub detector_off: Option<&'static str>,
    /// The scenarios that are judged; whatever is not named is left out.
    pub wanted: fn(&str) -> bool,
    pub limits: WakeLimits,
}

impl Default for Scene {
    fn default() -> Self {
        let limits = WakeLimits::default();
        Self { manifest: |_| {}, detector_off: None, wanted: |_| true, limits }
    }
}

/// Calls `act` with an engine of which nothing has run.
pub(super) fn play<T>(act: impl AsyncFnOnce(&Stage<'_>) -> T) -> T {
    Scene::default().play(act)
}

impl Scene {
    pub fn play<T>(self, act: impl AsyncFnOnce(&Stage<'_>) -> T) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let options = MockOptions { seed: 1, faults: Vec::new(), world_file: None };
            let opened = open_mock(&options).expect("a mock lab");
            let lab = opened.lab.clone().without_detector(self.detector_off);
            let mut lab = lab.with_wake_limits(self.limits);
            (self.manifest)(Rc::make_mut(&mut lab.manifest));
            let folder = tempfile::tempdir().expect("a folder");
            let journal = create_journal(folder.path(), &opened.world).expect("an empty journal");
            let files = OwnersFiles {
                document: folder.path().join("go.json"),
                allowed_signers: String::new(),
                hidden_for: std::time::Duration::ZERO,
            };
            let wanted = SEQUENCE.iter().filter(|scenario| (self.wanted)(scenario.name));
            let parts = wanted.map(|scenario| (scenario.name, Part::Judged)).collect();
            let selection = Selection { filter: None, parts };
            let pending = Pending { files, wait: None, meanwhile: Meanwhile::Park };
            let change_set = change_set(&lab, &opened.run_id);
            let parts = pending::Parts {
                steps: capture_steps(&change_set),
                change_set,
                state: RunState::default(),
                selection: &selection,
                brake: Brake::default(),
            };
            let announce = &mut |_| {};
            let engine = Engine::awaiting(&lab, &pending, &journal, parts, announce);
            act(&Stage { engine, world: opened.world.clone(), files: pending.files }).await
        })
    }
}

/// The clock of costs never ends a wait.
pub(super) fn no_ceiling(manifest: &mut Manifest) {
    manifest.limits.max_instance_seconds = Ceiling::Word(NoCeiling::None);
}

/// An effect that is begun.
pub(super) fn make_intent(id: &str, permit: Permit, effect: Effect) -> Kind {
    Kind::Intent(Intent {
        id: id.to_owned(),
        scenario: "gate".to_owned(),
        permit,
        effect,
        undo: None,
    })
}

/// The record of what came of an intent.
pub(super) fn make_outcome(intent: &str, outcome: Outcome) -> Kind {
    Kind::Outcome(OutcomeRecorded::of(intent, outcome))
}

impl Stage<'_> {
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock());
    }

    pub fn record(&self, kind: Kind) {
        self.engine.record(kind);
    }

    /// An effect as the journal has it.
    pub fn acted(&self, id: &str, permit: Permit, effect: Effect, outcome: Outcome) {
        self.record(make_intent(id, permit, effect));
        self.record(self::make_outcome(id, outcome));
    }

    pub fn tripped(&self, stop: u8, detector: &str) {
        self.record(Kind::StopTripped(StopTripped {
            stop,
            detector: detector.to_owned(),
            scenario: "preflight".to_owned(),
            reason: String::new(),
            resource: String::new(),
        }));
    }

    /// Sets what has ended, as if it had run.
    pub fn ended(&self, ended: &[(&'static str, ScenarioStatus)]) {
        *self.engine.ended.borrow_mut() = ended.to_vec();
    }

    pub fn records(&self) -> Vec<Record> {
        self.engine.journal.with_records(<[Record]>::to_vec)
    }

    /// The effects that were begun, by what they do.
    pub fn begun(&self) -> Vec<String> {
        let all = self.records().into_iter().filter_map(|record| match record.kind {
            Kind::Intent(intent) => Some(intent.effect.what()),
            _ => None,
        });
        all.collect()
    }

    /// The list that was made last.
    pub fn residue(&self) -> Option<Vec<ResidueItem>> {
        self.records().into_iter().rev().find_map(|record| match record.kind {
            Kind::ResidueListed(listed) => Some(listed.items),
            _ => None,
        })
    }

    pub fn running(&self) -> Vec<String> {
        lab_mock::running_instances(&self.world.lock(), self.engine.lab.clock.now())
    }

    /// All of the lab's instances were stopped long ago.
    pub fn asleep(&self) {
        self.change(|world| {
            for instance in world.cloud.instances.values_mut() {
                instance.state = InstanceState::Stopped;
                instance.transition = None;
            }
        });
    }

    /// The lab's lock is this run's, by its lease of so many seconds from now on.
    pub fn lock_of(&self, run_id: &str, seconds: i64) {
        let now = self.engine.lab.clock.now();
        let holder = Holder {
            run_id: run_id.to_owned(),
            taken_at: now,
            lease_until: now + chrono::TimeDelta::seconds(seconds),
        };
        let text = serde_json::to_string(&holder).expect("JSON");
        self.change(|world| {
            world.machines.get_mut(Node::RouterdCloud).files.put(LOCK_PATH, text, 0o644);
        });
    }

    /// The run has taken the lock, as its journal knows.
    pub fn has_taken_the_lock(&self) {
        let effect = Effect::TakeLock { path: LOCK_PATH.to_owned(), contents: String::new() };
        self.acted("lock", Permit::Forward, effect, Outcome::Done);
        self.engine.run.state.borrow_mut().lock_taken = true;
        self.lock_of(&self.engine.run.id, 15 * 60);
    }

    pub fn lock_lies_there(&self) -> bool {
        let mut world = self.world.lock();
        world.machines.get_mut(Node::RouterdCloud).files.get(LOCK_PATH).is_some()
    }

    /// So many of a node's commands get this answer, whatever they would do.
    pub fn answers(&self, node: Node, pattern: &str, times: u32, code: i32, stderr: &str) {
        let (stdout, stderr) = (String::new(), stderr.to_owned());
        let effect = CommandEffect::Answer { code, stdout, stderr };
        self.change(|world| {
            let pattern = pattern.to_owned();
            let (node, skip, seen, fired) = (Some(node), 0, 0, 0);
            let rule = CommandFault { node, pattern, skip, times, effect, seen, fired };
            world.faults.commands.push(rule);
        });
    }
}
