//! Who gets a permit, for what, and until when.

use chrono::TimeDelta;
use reports::go::{
    AllowedSigners, Expectation, GO_VERSION, GoDocument, SELF_PRINCIPAL, self_grant, verify_go,
};
use reports::record::{
    GoBurnt, GoVerified, Intent, LabKind, LockReleased, OutcomeRecorded, RunFinished, UndoPlanned,
    UndoStep, Verdict,
};
use serde_json::{Value, json};

use super::*;
use crate::ec2::Tags;

/// The go's window.
const FROM: &str = "2026-10-01T12:00:00Z";
const UNTIL: &str = "2026-10-01T13:00:00Z";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// A verified go of this run; another one for each number.
fn go(number: u8) -> Verified {
    go_for(number, &plan())
}

/// The same, which grants that plan.
fn go_for(number: u8, plan: &UndoPlanned) -> Verified {
    let digest = |what: &str| Digest::of(what.as_bytes());
    let document = GoDocument {
        version: GO_VERSION,
        run_id: format!("run-{number}"),
        facts_digest: digest("facts"),
        change_set: json!({}),
        undo_plan_digest: plan.digest.clone(),
        lab_fingerprint: digest("lab"),
        lab_kind: LabKind::Mock,
        principal: SELF_PRINCIPAL.to_owned(),
        not_before: time(FROM),
        not_after: time(UNTIL),
    };
    let grant = self_grant(&[7; 32], &document).expect("a mock lab grants itself");
    let expected = Expectation {
        run_id: document.run_id.clone(),
        facts_digest: document.facts_digest.clone(),
        change_set: document.change_set.clone(),
        undo_plan_digest: document.undo_plan_digest.clone(),
        lab_fingerprint: document.lab_fingerprint.clone(),
        lab_kind: LabKind::Mock,
    };
    let signers = AllowedSigners::parse(&grant.allowed_signers).expect("one signer");
    verify_go(&grant.document, &grant.signature, &signers, &expected, time(FROM)).expect("good")
}

fn is_verified(go: &Verified) -> Kind {
    Kind::GoVerified(GoVerified {
        go_digest: go.digest().clone(),
        principal: go.principal().to_owned(),
        key_fingerprint: go.key_fingerprint().to_owned(),
        not_before: go.not_before(),
        not_after: go.not_after(),
        undo_plan_digest: go.undo_plan_digest().clone(),
        self_granted: true,
    })
}

fn is_burnt(go: &Verified) -> Kind {
    Kind::GoBurnt(GoBurnt { go_digest: go.digest().clone(), path: "/burnt".to_owned() })
}

fn ended() -> Kind {
    let (verdict, reasons) = (Verdict::Pass, Vec::new());
    Kind::RunFinished(RunFinished { verdict, exit_code: 0, reasons })
}

fn unassign() -> Operation {
    Operation::UnassignAddress {
        network_interface_id: "eni-1".to_owned(),
        address: "10.88.60.9".parse().expect("an address"),
        region: "eu-central-1".to_owned(),
    }
}

fn terminate() -> Operation {
    Operation::TerminateInstance {
        instance_id: "i-1".to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

fn plan_of(steps: &[(&str, Operation)]) -> UndoPlanned {
    let step = |(id, operation): &(&str, Operation)| UndoStep {
        id: (*id).to_owned(),
        section: "§6.1".to_owned(),
        operation: operation.clone(),
        restores: Value::Null,
    };
    let steps: Vec<_> = steps.iter().map(step).collect();
    UndoPlanned { digest: Digest::of_json(&json!(steps)), steps }
}

/// The undo plan that is granted.
fn plan() -> UndoPlanned {
    plan_of(&[("undo.address", unassign())])
}

/// A journal that holds these.
fn journal(kinds: Vec<Kind>) -> (tempfile::TempDir, Writer) {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = Writer::create(folder.path()).expect("a journal");
    for kind in kinds {
        journal.append(time(FROM), kind).expect("appended");
    }
    (folder, journal)
}

#[test]
fn forward_is_for_the_go_that_this_run_verified_and_no_other() {
    let (own, other) = (go(1), go(2));
    let burnt = || PermitRefused::OtherGoBurnt(other.digest().clone());
    let table = [
        ("verified", vec![is_verified(&own)], None),
        ("burnt by this run", vec![is_verified(&own), is_burnt(&own)], None),
        ("not verified", vec![], Some(PermitRefused::NotOfThisRun)),
        ("another was verified", vec![is_verified(&other)], Some(PermitRefused::NotOfThisRun)),
        ("another was burnt", vec![is_verified(&own), is_burnt(&other)], Some(burnt())),
        ("the run has ended", vec![is_verified(&own), ended()], Some(PermitRefused::RunEnded)),
    ];
    for (what, kinds, refused) in table {
        let (_folder, journal) = journal(kinds);
        let granted = Forward::grant(&own, &journal, Brake::default());
        assert_eq!(granted.as_ref().err(), refused.as_ref(), "{what}");
        if let Ok(forward) = granted {
            assert_eq!(forward.go_digest(), own.digest());
        }
    }
}

/// Both ends of the go's window are within it.
#[test]
fn forward_holds_within_its_window_until_the_brake_is_pulled() {
    let own = go(1);
    let (_folder, journal) = journal(vec![is_verified(&own)]);
    let brake = Brake::default();
    let forward = Forward::grant(&own, &journal, brake.clone()).expect("granted");
    let second = TimeDelta::seconds(1);
    let table = [
        (time(FROM) - second, Err(PermitRefused::NotYet(time(FROM)))),
        (time(FROM), Ok(())),
        (time(UNTIL), Ok(())),
        (time(UNTIL) + second, Err(PermitRefused::Expired(time(UNTIL)))),
    ];
    for (now, expected) in table {
        assert_eq!(forward.check(now), expected, "{now}");
        assert_eq!(Permit::check(&forward, now), expected, "as every permit is asked: {now}");
    }
    brake.pull();
    assert_eq!(forward.check(time(FROM)), Err(PermitRefused::ToldToStop));
}

#[test]
fn undo_is_for_a_step_of_the_plan_that_the_burnt_go_granted() {
    let (own, other) = (go(1), go(2));
    let begun = |plan| vec![Kind::UndoPlanned(plan), is_verified(&own), is_burnt(&own)];
    let unknown = || PermitRefused::NotInPlan("undo.nothing".to_owned());
    let (nothing, step) = (PermitRefused::NothingBegun, "undo.address");
    let not_burnt = || vec![Kind::UndoPlanned(plan()), is_verified(&own)];
    let later =
        vec![Kind::UndoPlanned(plan()), is_verified(&own), is_burnt(&own), is_verified(&other)];
    let another_burnt = PermitRefused::OtherGoBurnt(own.digest().clone());
    let table = [
        ("begun", begun(plan()), step, None),
        ("no such step", begun(plan()), "undo.nothing", Some(unknown())),
        ("another go verified later", later, step, Some(another_burnt)),
        ("nothing burnt", not_burnt(), step, Some(nothing)),
    ];
    for (what, kinds, step, refused) in table {
        let (_folder, journal) = journal(kinds);
        let undo = Undo::for_step(&journal, step, None);
        assert_eq!(undo.as_ref().err(), refused.as_ref(), "{what}");
        if let Ok(undo) = undo {
            assert_eq!((undo.step(), undo.operation()), (step, &unassign()));
            assert_eq!(
                Permit::check(&undo, time(UNTIL) + TimeDelta::days(365)),
                Ok(()),
                "it does not expire"
            );
        }
    }
}

/// Each way to make a permit of a journal for something that no go granted.
#[test]
fn undo_is_for_what_the_signed_digest_covers_and_nothing_else() {
    let (own, other) = (go(1), go(2));
    let another = || plan_of(&[("undo.address", terminate())]);
    let under_its_digest = UndoPlanned { digest: plan().digest, ..another() };
    let swapped = vec![Kind::UndoPlanned(plan()), is_verified(&own), is_burnt(&other)];
    let table = [
        ("another operation", "undo-planned", vec![Kind::UndoPlanned(under_its_digest)]),
        ("another plan", "go-verified", vec![Kind::UndoPlanned(another())]),
        ("no plan", "go-verified", vec![]),
    ];
    let begun = |kinds: Vec<Kind>| [kinds, vec![is_verified(&own), is_burnt(&own)]].concat();
    let table = table.map(|(what, kind, kinds)| (what, kind, begun(kinds)));
    for (what, kind, kinds) in table.into_iter().chain([("another go", "go-burnt", swapped)]) {
        let (_folder, journal) = journal(kinds);
        let refused = Undo::for_step(&journal, "undo.address", None).expect_err(what);
        let PermitRefused::Differs(differs) = &refused else { panic!("{what}: {refused}") };
        assert_eq!(differs.kind, kind, "{what}");
    }
}

#[test]
fn cost_is_for_a_tagged_instance_where_the_manifest_consents() {
    let consents =
        Manifest::parse("example.toml", crate::manifest::example_manifest()).expect("example");
    let mut refuses = consents.clone();
    let mut consents = consents;
    consents.consent.stop_instances = true;
    refuses.consent.stop_instances = false;
    let (key, value) = (&consents.lab.tag_key, &consents.lab.tag_value);
    let not_tagged = || Some(PermitRefused::NotTagged("i-1".to_owned()));
    let table = [
        ("tagged", &consents, vec![(key.as_str(), value.as_str())], None),
        ("no consent", &refuses, vec![(key, value)], Some(PermitRefused::NoConsent)),
        ("of another lab", &consents, vec![(key, "another")], not_tagged()),
        ("no tag", &consents, vec![], not_tagged()),
    ];
    for (what, manifest, tags, refused) in table {
        let instance = Instance {
            instance_id: "i-1".to_owned(),
            state: crate::ec2::InstanceState::Running,
            block_devices: Vec::new(),
            instance_type: "t3.micro".to_owned(),
            vpc_id: None,
            subnet_id: None,
            network_interface_ids: Vec::new(),
            instance_profile: None,
            lifecycle: None,
            root_device_type: Some("ebs".to_owned()),
            launched_at: None,
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Tags>(),
        };
        let both = [
            (PowerChange::Stop, PowerChange::Start, Cost::to_stop(manifest, &instance)),
            (PowerChange::Start, PowerChange::Switch, Cost::to_start(manifest, &instance)),
            (PowerChange::Switch, PowerChange::Stop, Cost::to_switch(manifest, &instance)),
        ];
        for (power, other, cost) in both {
            assert_eq!(cost.as_ref().err(), refused.as_ref(), "{what}");
            let Ok(cost) = cost else { continue };
            assert_eq!((cost.instance_id(), cost.is_to(power)), ("i-1", Ok(())));
            let refused = cost.is_to(other).expect_err("it is for the other");
            assert!(matches!(refused, PermitRefused::OtherOperation { .. }), "{refused}");
        }
        // What the run found stopped needs a consent of its own.
        let found = Cost::to_start_found(manifest, &instance);
        assert_eq!(found.err(), Some(PermitRefused::NoConsentToStart), "{what}");
        let mut starts = manifest.clone();
        starts.consent.start_instances = true;
        let found = Cost::to_start_found(&starts, &instance);
        assert_eq!(found.err(), refused, "{what}");
    }
}

/// I2: only what ends something goes on where its record cannot be written.
#[test]
fn all_but_undo_need_their_record() {
    let own = go(1);
    let kinds = vec![Kind::UndoPlanned(plan()), is_verified(&own), is_burnt(&own)];
    let (_folder, journal) = journal(kinds);
    let forward = Forward::grant(&own, &journal, Brake::default()).expect("granted");
    let undo = Undo::for_step(&journal, "undo.address", None).expect("granted");
    let cost = Cost { instance_id: "i-1".to_owned(), power: PowerChange::Stop };
    let table: [(&dyn Permit, PermitKind, bool); 3] = [
        (&forward, PermitKind::Forward, true),
        (&undo, PermitKind::Undo, false),
        (&cost, PermitKind::Cost, true),
    ];
    for (permit, kind, needs_record) in table {
        assert_eq!((permit.kind(), permit.needs_record()), (kind, needs_record));
    }
}

/// One of each operation, by a name of its own.
fn operations() -> Vec<(&'static str, Operation)> {
    let region = || "eu-central-1".to_owned();
    let forwarding = Operation::RestoreSourceDestCheck {
        network_interface_id: "eni-1".to_owned(),
        source_dest_check: true,
        region: region(),
    };
    let stop = Operation::StopInstance { instance_id: "i-1".to_owned(), region: region() };
    let release =
        Operation::ReleaseAddress { allocation_id: "eipalloc-1".to_owned(), region: region() };
    let delete = Operation::DeleteVolume { volume_id: "vol-1".to_owned(), region: region() };
    vec![
        ("forwarding", forwarding),
        ("address", unassign()),
        ("change-set", Operation::RemoveChangeSet { path: "/p".to_owned() }),
        ("lock", Operation::ReleaseLock { path: "/p".to_owned() }),
        ("terminate", terminate()),
        ("stop", stop),
        ("release", release),
        ("delete", delete),
    ]
}

/// I1: what is done stands in the permit, and no act takes one for something else.
#[tokio::test(start_paused = true)]
async fn no_act_takes_a_permit_for_another_operation() {
    let lab = crate::deaf::open_deaf_lab();
    let refused_by = |came: Result<(), crate::act::NotTried>| match came {
        Err(crate::act::NotTried::Refused(PermitRefused::OtherOperation { .. })) => true,
        Ok(()) | Err(_) => false,
    };
    let row = crate::act::RowCall { row_id: 1, plugin_timeout: std::time::Duration::ZERO };
    let program = crate::act::ExecutorProgram {
        executable: "/none".to_owned(),
        env: std::collections::BTreeMap::new(),
    };
    for (name, operation) in operations() {
        let (_folder, journal) = journal(vec![]);
        let undo = Undo { step: "a step".to_owned(), operation };
        let lock = crate::act::LockPermit::Begun(&undo);
        let given = [
            ("rollback", &["forwarding", "address"][..], {
                refused_by(lab.rollback(&undo, &journal, row).await.map(drop))
            }),
            ("undo_by_executor", &["forwarding", "address"], {
                refused_by(lab.undo_by_executor(&undo, &journal, &program, row).await.map(drop))
            }),
            ("remove_change_set", &["change-set"], {
                refused_by(lab.remove_change_set(&undo, &journal).await.map(drop))
            }),
            ("release_lock", &["lock"], {
                refused_by(lab.release_lock(lock, &journal, "run-1").await.map(drop))
            }),
            ("terminate_instance", &["terminate"], {
                refused_by(lab.terminate_instance(&undo, &journal).await.map(drop))
            }),
            ("stop_instance_for_good", &["stop"], {
                refused_by(lab.stop_instance_for_good(&undo, &journal).await.map(drop))
            }),
            ("release_address", &["release"], {
                refused_by(lab.release_address(&undo, &journal).await.map(drop))
            }),
            ("delete_volume", &["delete"], {
                refused_by(lab.delete_volume(&undo, &journal).await.map(drop))
            }),
            ("tear_down", &["terminate", "stop", "release", "delete"], {
                refused_by(lab.tear_down(&undo, &journal).await.map(drop))
            }),
        ];
        for (act, takes, refused) in given {
            assert_eq!(refused, !takes.contains(&name), "{act} of a permit for {name}");
        }
        // Nothing of these names is in this lab, and what is another's is not touched.
        assert!(journal.with_records(<[Record]>::is_empty), "something was begun for {name}");
    }
}

/// A journal may be written by anybody: what it grants without the proof ends nothing.
#[test]
fn what_ends_something_needs_the_proof_of_the_very_go_that_grants_it() {
    let (_, stop) = operations().remove(5);
    for operation in [terminate(), stop] {
        let plan = plan_of(&[("teardown", operation.clone())]);
        let (own, other) = (go_for(1, &plan), go(1));
        let kinds = vec![Kind::UndoPlanned(plan), is_verified(&own), is_burnt(&own)];
        let (_folder, journal) = journal(kinds);
        let proofs = [
            ("none", None, Some(PermitRefused::NotProved)),
            ("of another go", Some(Proof::of(&other)), Some(PermitRefused::NotProved)),
            ("of this go", Some(Proof::of(&own)), None),
        ];
        for (what, proof, refused) in proofs {
            let undo = Undo::for_step(&journal, "teardown", proof.as_ref());
            assert_eq!(undo.as_ref().err(), refused.as_ref(), "{what}: {operation:?}");
        }
    }
}

/// Who never took the lock, or gave it back, has none to keep or to give.
#[test]
fn release_is_for_the_run_that_holds_the_lock() {
    let path = || "/lock".to_owned();
    let taking = || {
        Kind::Intent(Intent {
            id: "1-gate".to_owned(),
            scenario: "gate".to_owned(),
            permit: PermitKind::Forward,
            effect: Effect::TakeLock { path: path(), contents: "{}".to_owned() },
            undo: None,
        })
    };
    let renewing = || {
        Kind::Intent(Intent {
            id: "2-gate".to_owned(),
            scenario: "gate".to_owned(),
            permit: PermitKind::Undo,
            effect: Effect::RenewLock { path: path(), contents: "{}".to_owned() },
            undo: None,
        })
    };
    let came = |outcome| {
        let (intent, detail) = ("1-gate".to_owned(), String::new());
        let (request_id, samples) = (None, Vec::new());
        Kind::Outcome(OutcomeRecorded { intent, outcome, detail, request_id, samples })
    };
    let back = || Kind::LockReleased(LockReleased { path: path() });
    let table = [
        ("nothing", vec![], false),
        ("asked for", vec![taking()], false),
        ("not taken", vec![taking(), came(Outcome::NotDone)], false),
        ("unknown", vec![taking(), came(Outcome::Unknown)], false),
        ("taken", vec![taking(), came(Outcome::Done)], true),
        ("given back", vec![taking(), came(Outcome::Done), back()], false),
        ("taken, and more is under way", vec![taking(), came(Outcome::Done), renewing()], true),
    ];
    for (what, kinds, granted) in table {
        let (_folder, journal) = journal(kinds);
        assert_eq!(Release::of_run(&journal).is_some(), granted, "{what}");
    }
}
