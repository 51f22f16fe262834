//! Where a run stands by its journal alone.

use reports::digest::Digest;
use reports::record::{
    Effect, GoBurnt, GoRefused, HarnessBroke, JournalLost, LabUnavailable, LockTaken, Outcome,
    Permit, Record, RecoveryStarted, ResidueItem, ScenarioFinished, StopTripped, UndoPlanned,
};

use super::super::*;
use super::stage::{self, ManifestEdit, Scene, Stage, make_outcome};

fn finished(scenario: &str, status: ScenarioStatus) -> Kind {
    let (scenario, calls) = (scenario.to_owned(), reports::record::Calls::default());
    Kind::ScenarioFinished(ScenarioFinished { scenario, status, reason: None, calls })
}

fn tripped(stop: u8) -> Kind {
    Kind::StopTripped(StopTripped {
        stop,
        detector: String::new(),
        scenario: "gate".to_owned(),
        reason: String::new(),
        resource: String::new(),
    })
}

fn intent(id: &str, permit: Permit, effect: &Effect) -> Kind {
    stage::make_intent(id, permit, effect.clone())
}

/// The dead man's switch of one instance.
fn armed() -> Vec<Kind> {
    let text = |text: &str| text.to_owned();
    let effect = Effect::ArmSwitch {
        node: text("cloud-client"),
        instance_id: text("i-1"),
        unit: text("unit"),
        path: text("/path"),
        deadline_seconds: 720,
    };
    vec![intent("arm", Permit::Cost, &effect), make_outcome("arm", Outcome::Done)]
}

/// A look at what runs.
fn found(costing: &[&str]) -> Kind {
    let costing = costing.iter().map(|&id| id.to_owned()).collect();
    Kind::InstancesFound(reports::record::InstancesFound {
        costing,
        types: std::collections::BTreeMap::new(),
    })
}

/// The run's first record.
fn declared() -> Kind {
    let scenarios = SEQUENCE.iter().map(|it| ScenarioDeclared {
        name: it.name.to_owned(),
        section: it.section.to_owned(),
        class: it.class,
        needs: Vec::new(),
        part: Part::Judged,
        duty: it.duty,
        chapter: Some(it.chapter()),
        question: Some(it.question.to_owned()),
    });
    let (kind, name) = (LabKind::Mock, "mock".to_owned());
    Kind::RunStarted(RunStarted {
        schema_version: SCHEMA_VERSION,
        run_id: "run-1".to_owned(),
        tool: Program { name: "lab-smoke".to_owned(), version: None, path: None, digest: None },
        lab: LabDeclared { kind, name, manifest: String::new(), target: None },
        seed: None,
        faults: Vec::new(),
        filter: None,
        scenarios: scenarios.collect(),
        stops: Vec::new(),
    })
}

/// A run that asked for its go.
fn asked() -> Vec<Kind> {
    let passed = ScenarioStatus::Passed;
    let plan = UndoPlanned { steps: Vec::new(), digest: Digest::of("plan") };
    vec![finished("preflight", passed), Kind::UndoPlanned(plan), finished("undo-plan", passed)]
}

fn stands(kinds: &[Kind]) -> Standing {
    let record = |(seq, kind): (usize, &Kind)| Record {
        seq: seq as u64,
        prev: Digest::zero(),
        at: chrono::DateTime::UNIX_EPOCH,
        kind: kind.clone(),
    };
    let begun = (!kinds.is_empty()).then(declared);
    let kinds: Vec<Kind> = begun.into_iter().chain(kinds.iter().cloned()).collect();
    read_standing(&kinds.iter().enumerate().map(record).collect::<Vec<_>>())
}

#[test]
fn a_run_awaits_its_go_once_it_has_asked_for_it() {
    assert_eq!(stands(&[]), Standing::Empty);
    assert_eq!(stands(&asked()), Standing::AwaitingGo);
    for left_out in 0..3 {
        let mut kinds = asked();
        kinds.remove(left_out);
        assert_eq!(stands(&kinds), Standing::Dead, "without {left_out}");
    }
    for failed in [0, 2] {
        let mut kinds = asked();
        let Kind::ScenarioFinished(it) = &mut kinds[failed] else { panic!("a scenario") };
        it.status = ScenarioStatus::Failed;
        assert_eq!(stands(&kinds), Standing::Dead, "{failed} failed");
    }
}

#[test]
fn what_came_after_the_question_closes_it_or_does_not() {
    let (now, digest) = (chrono::DateTime::UNIX_EPOCH, Digest::of("go"));
    let words = || "words".to_owned();
    let (instance_id, before) = (words(), words());
    let put = Effect::PutChangeSet { path: words(), contents: words() };
    let remove = Effect::RemoveChangeSet { path: words() };
    let stop = &Effect::Ec2StopInstance { instance_id: words(), before: words() };
    let start = &Effect::Ec2StartInstance { instance_id, before };
    let stopped = |came| vec![intent("stop", Permit::Cost, stop), make_outcome("stop", came)];
    let table: Vec<(Vec<Kind>, Standing)> = vec![
        (vec![Kind::GoRefused(GoRefused { rule: words(), reason: words() })], Standing::AwaitingGo),
        (vec![Kind::RecoveryStarted(RecoveryStarted { why: words() })], Standing::Dead),
        (
            vec![Kind::LabUnavailable(LabUnavailable { reason: words(), held_by: None })],
            Standing::AwaitingGo,
        ),
        (vec![Kind::HarnessBroke(HarnessBroke { message: words() })], Standing::Dead),
        (vec![Kind::JournalLost(JournalLost { why: words() })], Standing::Dead),
        (vec![Kind::GoBurnt(GoBurnt { go_digest: digest, path: words() })], Standing::Dead),
        (vec![Kind::LockTaken(LockTaken { path: words(), lease_until: now })], Standing::Dead),
        (vec![tripped(7)], Standing::AwaitingGo),
        (vec![tripped(6)], Standing::Dead),
        (vec![intent("put", Permit::Forward, &put)], Standing::Dead),
        (vec![intent("remove", Permit::Undo, &remove)], Standing::Dead),
        (vec![intent("stop", Permit::Cost, stop)], Standing::AwaitingGo),
        (stopped(Outcome::NotDone), Standing::AwaitingGo),
        (stopped(Outcome::Done), Standing::Parked),
        (
            [
                stopped(Outcome::Done),
                vec![intent("start", Permit::Cost, start), make_outcome("start", Outcome::Done)],
            ]
            .concat(),
            Standing::AwaitingGo,
        ),
        // The dead man's switch: armed it is no stop, and who found nothing running since knows that it
        // has had its way.
        ([stopped(Outcome::Done), armed()].concat(), Standing::Parked),
        (armed(), Standing::AwaitingGo),
        (vec![found(&[])], Standing::AwaitingGo),
        ([armed(), vec![found(&["i-1"])]].concat(), Standing::AwaitingGo),
        ([armed(), vec![found(&[])]].concat(), Standing::Parked),
        (
            [armed(), vec![found(&[]), intent("start", Permit::Cost, start)]].concat(),
            Standing::AwaitingGo,
        ),
    ];
    for (later, expected) in table {
        let kinds = [asked(), later.clone()].concat();
        assert_eq!(stands(&kinds), expected, "{later:?}");
        assert_eq!(stands(&kinds).pending(), expected != Standing::Dead, "{later:?}");
    }
}

/// The signers of the manifest, and who is named as the one who grants the go.
#[test]
fn the_owner_is_told_what_to_type_next() {
    let table: [(ManifestEdit, &str); 4] = [
        (
            |it| it.owner.allowed_signers = "# us\n\n  me@x.org ssh-ed25519 AAAA\n".into(),
            "me@x.org",
        ),
        (|it| it.owner.allowed_signers = "*@x.org ssh-ed25519 AAAA\n".into(), "NAME"),
        (|it| it.owner.allowed_signers = "# nobody\n".into(), "NAME"),
        (|it| it.owner.allowed_signers = String::new(), "NAME"),
    ];
    for (manifest, name) in table {
        Scene { manifest, ..Scene::default() }.play(async |stage: &Stage<'_>| {
            let next = || next_steps(&stage.records(), std::path::Path::new("runs/1"));
            assert_eq!(next(), "");
            let selection = stage.engine.selection.clone();
            let run_id = "run-1".to_owned();
            let settings = Settings { run_id, seed: None, faults: Vec::new(), selection };
            stage.engine.start(&settings, Vec::new()).expect("written");
            assert_eq!(next(), "to bring the lab back: lab-smoke recover runs/1\n");
            for kind in asked() {
                stage.record(kind);
            }
            let item = ResidueItem {
                resource: "instance".to_owned(),
                id: "i-1".to_owned(),
                why: String::new(),
                costs_money: true,
                owner_commands: vec!["aws ec2 stop-instances".to_owned()],
            };
            let (items, kept) = (vec![item], Vec::new());
            stage.record(Kind::ResidueListed(ResidueListed { items, kept }));
            let words = next();
            let grants = format!("lab-smoke go runs/1 --key KEY --by {name} --expires 2h\n");
            assert!(words.contains(&grants), "{words}");
            assert!(words.contains("to stop the cost:    aws ec2 stop-instances\n"), "{words}");
            assert_eq!(undo_plan(&stage.records()).map(|it| it.steps.len()), Some(0));
        });
    }
}
