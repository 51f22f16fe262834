//! Who gets a permit, for what, and until when.

use chrono::TimeDelta;
use reports::go::{
    AllowedSigners, Document, Expectation, GO_VERSION, SELF_PRINCIPAL, self_grant, verify,
};
use reports::record::{GoBurnt, GoVerified, LabKind, RunFinished, UndoPlanned, UndoStep, Verdict};
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
    let digest = |what: &str| Digest::of(what.as_bytes());
    let document = Document {
        version: GO_VERSION,
        run_id: format!("run-{number}"),
        facts_digest: digest("facts"),
        change_set: json!({}),
        undo_plan_digest: digest("plan"),
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
        burnt: None,
    };
    let signers = AllowedSigners::parse(&grant.allowed_signers).expect("one signer");
    verify(&grant.document, &grant.signature, &signers, &expected, time(FROM)).expect("good")
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

/// The undo plan with this digest has the one step `undo.address`.
fn planned(digest: &str) -> Kind {
    let step = UndoStep {
        id: "undo.address".to_owned(),
        section: "§6.1".to_owned(),
        what: "unassign".to_owned(),
        resource: "eni-1".to_owned(),
        restores: Value::Null,
        owner_command: "aws ec2 unassign-private-ip-addresses".to_owned(),
    };
    Kind::UndoPlanned(UndoPlanned { steps: vec![step], digest: Digest::of(digest.as_bytes()) })
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
    let burnt = || Refused::OtherGoBurnt(other.digest().clone());
    let table = [
        ("verified", vec![is_verified(&own)], None),
        ("burnt by this run", vec![is_verified(&own), is_burnt(&own)], None),
        ("not verified", vec![], Some(Refused::NotOfThisRun)),
        ("another was verified", vec![is_verified(&other)], Some(Refused::NotOfThisRun)),
        ("another was burnt", vec![is_verified(&own), is_burnt(&other)], Some(burnt())),
        ("the run has ended", vec![is_verified(&own), ended()], Some(Refused::RunEnded)),
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
        (time(FROM) - second, Err(Refused::NotYet(time(FROM)))),
        (time(FROM), Ok(())),
        (time(UNTIL), Ok(())),
        (time(UNTIL) + second, Err(Refused::Expired(time(UNTIL)))),
    ];
    for (now, expected) in table {
        assert_eq!(forward.check(now), expected, "{now}");
        assert_eq!(Permit::check(&forward, now), expected, "as every permit is asked: {now}");
    }
    brake.pull();
    assert_eq!(forward.check(time(FROM)), Err(Refused::ToldToStop));
}

#[test]
fn undo_is_for_a_step_of_the_plan_that_the_burnt_go_granted() {
    let (own, other) = (go(1), go(2));
    let begun = |plan| vec![planned(plan), is_verified(&own), is_burnt(&own)];
    let swapped = || vec![planned("plan"), is_verified(&own), is_burnt(&other)];
    let burnt = || Refused::OtherGoBurnt(other.digest().clone());
    let unknown = || Refused::NotInPlan("undo.nothing".to_owned());
    let table = [
        ("begun", begun("plan"), "undo.address", None),
        ("no such step", begun("plan"), "undo.nothing", Some(unknown())),
        ("another plan", begun("later"), "undo.address", Some(Refused::OtherPlan)),
        ("another go", swapped(), "undo.address", Some(burnt())),
        ("nothing burnt", vec![is_verified(&own)], "undo.address", Some(Refused::NothingBegun)),
    ];
    for (what, kinds, step, refused) in table {
        let (_folder, journal) = journal(kinds);
        let undo = Undo::for_step(&journal, step);
        assert_eq!(undo.as_ref().err(), refused.as_ref(), "{what}");
        if let Ok(undo) = undo {
            assert_eq!(undo.step(), step);
            assert_eq!(
                Permit::check(&undo, time(UNTIL) + TimeDelta::days(365)),
                Ok(()),
                "it does not expire"
            );
        }
    }
}

#[test]
fn cost_is_for_a_tagged_instance_where_the_manifest_consents() {
    let consents = Manifest::parse("example.toml", crate::manifest::example()).expect("example");
    let mut refuses = consents.clone();
    let mut consents = consents;
    consents.consent.stop_instances = true;
    refuses.consent.stop_instances = false;
    let (key, value) = (&consents.lab.tag_key, &consents.lab.tag_value);
    let not_tagged = || Some(Refused::NotTagged("i-1".to_owned()));
    let table = [
        ("tagged", &consents, vec![(key.as_str(), value.as_str())], None),
        ("no consent", &refuses, vec![(key, value)], Some(Refused::NoConsent)),
        ("of another lab", &consents, vec![(key, "another")], not_tagged()),
        ("no tag", &consents, vec![], not_tagged()),
    ];
    for (what, manifest, tags, refused) in table {
        let instance = Instance {
            instance_id: "i-1".to_owned(),
            state: "running".to_owned(),
            instance_type: "t3.micro".to_owned(),
            vpc_id: None,
            subnet_id: None,
            network_interface_ids: Vec::new(),
            instance_profile: None,
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Tags>(),
        };
        let cost = Cost::for_instance(manifest, &instance);
        assert_eq!(cost.as_ref().err(), refused.as_ref(), "{what}");
        if let Ok(cost) = cost {
            assert_eq!(cost.instance_id(), "i-1");
        }
    }
}

/// I2: only what ends something goes on where its record cannot be written.
#[test]
fn all_but_undo_need_their_record() {
    let own = go(1);
    let kinds = vec![planned("plan"), is_verified(&own), is_burnt(&own)];
    let (_folder, journal) = journal(kinds);
    let forward = Forward::grant(&own, &journal, Brake::default()).expect("granted");
    let undo = Undo::for_step(&journal, "undo.address").expect("granted");
    let cost = Cost { instance_id: "i-1".to_owned() };
    let table: [(&dyn Permit, PermitKind, bool); 3] = [
        (&forward, PermitKind::Forward, true),
        (&undo, PermitKind::Undo, false),
        (&cost, PermitKind::Cost, true),
    ];
    for (permit, kind, needs_record) in table {
        assert_eq!((permit.kind(), permit.needs_record()), (kind, needs_record));
    }
}
