//! The hard stops: where each detector looks, and what is done once one trips, clause by clause.

use std::collections::{BTreeMap, BTreeSet};

use lab_smoke_tests::parallel;
use lab_smoke_tests::sensitivity::cases;
use lab_smoke_tests::smoke::{Prior, Ran, run};
use reports::record::{Kind, Outcome, Permit, Record};
use scenarios::stops::DETECTORS;

/// What the table of `docs/HARD-STOPS.md` says, against the records of a run with each fault.
#[test]
fn every_detector_looks_where_the_table_says() {
    let looked: Vec<Vec<(String, String)>> = parallel::map(&cases(), |case| {
        let (_, ran) = case.run();
        let looks = ran.records.iter().filter_map(|record| match &record.kind {
            Kind::StopChecked(it) => Some((it.detector.clone(), it.scenario.clone())),
            _ => None,
        });
        looks.collect()
    });
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (detector, scenario) in looked.into_iter().flatten() {
        seen.entry(detector).or_default().insert(scenario);
    }
    for detector in DETECTORS {
        let told: BTreeSet<String> = detector.checked.iter().map(|&it| it.to_owned()).collect();
        let seen = seen.remove(detector.name).unwrap_or_default();
        assert_eq!(seen, told, "{}", detector.name);
    }
    assert!(seen.is_empty(), "detectors without a line in the table: {seen:?}");
}

/// Stops during a run: after which records nothing forward may follow.
const TRIPPED_MEANWHILE: &[&str] =
    &["new-instance", "policy-later", "secret-in-row", "assign-reply-lost", "untagged-meanwhile"];

fn tripped_at(ran: &Ran) -> usize {
    let tripped = |record: &Record| matches!(record.kind, Kind::StopTripped(_));
    ran.records.iter().position(tripped).expect("a stop tripped")
}

/// The mutations that were begun from a record on, as permit and name.
fn begun(records: &[Record]) -> Vec<(Permit, String)> {
    let intents = records.iter().filter_map(|record| match &record.kind {
        Kind::Intent(intent) => Some((intent.permit, intent.what.clone())),
        _ => None,
    });
    intents.collect()
}

#[test]
fn forward_work_ends_at_once() {
    for fault in TRIPPED_MEANWHILE {
        let ran = run(1, &[fault], Prior::CheckOn);
        let after = begun(&ran.records[tripped_at(&ran)..]);
        assert!(!after.is_empty(), "{fault}: nothing was taken back");
        let forward: Vec<_> = after.iter().filter(|(it, _)| *it == Permit::Forward).collect();
        assert!(forward.is_empty(), "{fault}: {forward:?}");
        assert!(begun(&ran.records).iter().any(|(it, _)| *it == Permit::Forward), "{fault}");
    }
}

/// The steps of the undo plan that were tried, in their order.
fn steps(ran: &Ran) -> Vec<&str> {
    let mut steps: Vec<&str> = Vec::new();
    for record in &ran.records {
        if let Kind::Intent(intent) = &record.kind
            && intent.permit == Permit::Undo
            && let Some(step) = intent.undo.as_deref()
            && !steps.contains(&step)
        {
            steps.push(step);
        }
    }
    steps
}

fn plan(ran: &Ran) -> Vec<String> {
    let plan = ran.evidence.undo_plan.as_ref().expect("an undo plan");
    plan.steps.iter().map(|step| step.id.clone()).collect()
}

/// Of the two actions only what was executed is taken back; where nothing was, neither is.
#[test]
fn what_is_provably_the_runs_is_undone_and_nothing_else() {
    let table: &[(&str, &[&str])] =
        &[("new-instance", &[]), ("policy-later", &[]), ("modify-refused", &["undo.address"])];
    for (fault, expected) in table {
        let ran = run(1, &[fault], Prior::CheckOn);
        let of_the_eni: Vec<_> = steps(&ran)
            .into_iter()
            .filter(|step| matches!(*step, "undo.forwarding" | "undo.address"))
            .collect();
        assert_eq!(of_the_eni, *expected, "{fault}");
    }
}

#[test]
fn it_is_undone_in_the_order_of_the_undo_plan() {
    // Both were executed; the stop is the last look's.
    for fault in ["check-on-later", "row-after-undo", "masquerade"] {
        let ran = run(1, &[fault], Prior::CheckOn);
        let (planned, tried) = (plan(&ran), steps(&ran));
        let on_the_eni = |id: &&String| id.as_str() != "undo.change-set";
        let order: Vec<_> = planned.iter().filter(on_the_eni).collect();
        let places: Vec<_> = tried
            .iter()
            .filter_map(|step| order.iter().position(|id| id.as_str() == *step))
            .collect();
        let undo = &places[..places.len().min(2)];
        assert!(undo.is_sorted() && undo.len() == 2, "{fault}: {tried:?} of {planned:?}");
    }
}

#[test]
fn what_costs_money_is_stopped() {
    let ended = ["new-address", "policy-later", "secret-in-row", "modify-refused"];
    for fault in ["peering", "open-row", "pre-assigned"].into_iter().chain(ended) {
        let ran = run(1, &[fault], Prior::CheckOn);
        let running = lab::mock::running_instances(&ran.world, ran.world.now);
        assert!(running.is_empty(), "{fault}: {running:?} go on costing");
        let done = ran
            .evidence
            .mutations
            .iter()
            .filter(|it| it.what.starts_with("ec2 ") && it.outcome == Outcome::Done);
        let expected = if ended.contains(&fault) { Permit::Undo } else { Permit::Cost };
        let permits: BTreeSet<String> = done.map(|it| format!("{:?}", it.permit)).collect();
        assert_eq!(permits, [format!("{expected:?}")].into(), "{fault}");
    }
}

/// Every item of residue has its id and a command that names it.
#[test]
fn the_rest_is_listed_with_ids_and_the_owners_commands() {
    let table = [
        ("new-instance", "i-00000000000000001", "aws ec2 terminate-instances"),
        ("new-address", "eipalloc-00000000000000001", "aws ec2 release-address"),
        ("new-volume", "vol-00000000000000001", "aws ec2 delete-volume"),
        ("new-nat-gateway", "nat-", "aws ec2 delete-nat-gateway"),
        ("new-endpoint", "vpce-", "aws ec2 delete-vpc-endpoints"),
        ("untagged-instance", "i-", "aws ec2 stop-instances"),
    ];
    for (fault, id, command) in table {
        let ran = run(1, &[fault], Prior::CheckOn);
        let items = ran.evidence.residue.clone().unwrap_or_default();
        let item = items.iter().find(|item| item.id.starts_with(id));
        let item = item.unwrap_or_else(|| panic!("{fault}: {id} is not in {items:?}"));
        let named =
            item.owner_commands.iter().any(|it| it.starts_with(command) && it.contains(&item.id));
        assert!(named && item.costs_money, "{fault}: {item:?}");
    }
}

/// The number of instance-seconds stands in the evidence of a run that never got a go too.
#[test]
fn the_evidence_says_how_long_the_instances_ran() {
    for fault in ["peering", "owner-silent", "ping-fails"] {
        let ran = run(1, &[fault], Prior::CheckOn);
        let cost = ran.evidence.cost.as_ref().unwrap_or_else(|| panic!("{fault}: no cost"));
        assert!(cost.instance_seconds > 0, "{fault}");
    }
}

/// Nine seconds for every call: such a run outlasts the first renewal of its lease.
#[test]
fn the_lease_is_renewed_while_the_run_is_on() {
    let ran = run(1, &["latency=9s"], Prior::CheckOn);
    let leases = ran.records.iter().filter_map(|record| match &record.kind {
        Kind::LockTaken(lock) => Some(("taken", record.at, lock.lease_until)),
        Kind::LockRenewed(lock) => Some(("renewed", record.at, lock.lease_until)),
        _ => None,
    });
    let leases: Vec<_> = leases.collect();
    let words: Vec<_> = leases.iter().map(|(word, _, _)| *word).collect();
    assert!(words.starts_with(&["taken", "renewed"]), "{words:?}");
    for pair in leases.windows(2) {
        assert!(pair[1].1 < pair[0].2, "renewed too late: {pair:?}");
        assert!(pair[1].2 > pair[0].2, "not for longer: {pair:?}");
    }
    let lock = ran.evidence.gate.lock.as_ref().expect("a lock");
    assert_eq!(Some(lock.lease_until), leases.last().map(|lease| lease.2));
    assert_eq!(ran.evidence.gate.lock_taken_at, leases.first().map(|lease| lease.1));
    assert_eq!(ran.judgement.exit_code, 0, "{:?}", ran.judgement.reasons);
}
