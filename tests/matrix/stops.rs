//! The hard stops: where each detector looks, and what is done once one trips, clause by clause.

use std::collections::{BTreeMap, BTreeSet};

use lab_smoke_tests::sensitivity::{cases, given};
use lab_smoke_tests::smoke::{self, Prior, Ran, run, run_without};
use lab_smoke_tests::{extent, parallel};
use reports::record::{Kind, Outcome, Permit, Record};
use scenarios::stops::DETECTORS;

use super::asked::CASES;

/// The table of `docs/HARD-STOPS.md`, against the records of a run with each fault.
#[test]
fn every_detector_looks_where_the_table_says() {
    let looked = parallel::map(&CASES, |asked| asked.shown().looks.clone());
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (detector, scenario) in looked.into_iter().flatten() {
        seen.entry(detector).or_default().insert(scenario);
    }
    for detector in DETECTORS {
        let told: BTreeSet<String> = detector.checked.iter().map(|&it| it.to_owned()).collect();
        let seen = seen.remove(detector.name).unwrap_or_default();
        // A sample need not come to all of them.
        assert!(seen.is_subset(&told), "{}: {seen:?}, not {told:?}", detector.name);
        assert!(seen == told || !extent::is_exhaustive(), "{}: {seen:?}", detector.name);
    }
    assert!(seen.is_empty(), "detectors without a line in the table: {seen:?}");
}

/// The table of faults notices each detector that is taken out: without it the run with its fault is
/// another one, by this very detector.
#[test]
fn the_table_notices_every_detector_that_is_switched_off() {
    let unnoticed = parallel::map(DETECTORS, |detector| {
        let name = detector.name;
        let case = cases().into_iter().find(|case| case.fault.primary.stop() == Some(name));
        let case = case.unwrap_or_else(|| panic!("{name} is no fault's primary answer"));
        let ran = run_without(name, 1, &[case.fault.name], case.prior);
        let (given, expected) = (given(&ran), case.expected());
        let mut without = expected.tripped.clone();
        without.remove(name);
        let noticed = given != expected && !given.tripped.contains(name);
        // It takes no other with it, but what comes later may trip in its stead.
        (!noticed || !without.is_subset(&given.tripped)).then(|| format!("{name}: {given:?}"))
    });
    let unnoticed: Vec<_> = unnoticed.into_iter().flatten().collect();
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

/// Stops during a run: after which records nothing forward may follow.
const TRIPPED_MEANWHILE: &[&str] = &[
    "new-instance",
    "policy-later",
    "secret-in-row",
    "assign-reply-lost",
    "untagged-meanwhile",
    "lock-removed",
];

fn tripped_at(ran: &Ran) -> usize {
    let tripped = |record: &Record| matches!(record.kind, Kind::StopTripped(_));
    ran.records.iter().position(tripped).expect("a stop tripped")
}

/// The mutations that were begun from a record on, as permit and name.
fn begun(records: &[Record]) -> Vec<(Permit, String)> {
    let intents = records.iter().filter_map(|record| match &record.kind {
        Kind::Intent(intent) => Some((intent.permit, intent.effect.what())),
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
        // Nor is it tried: the permit would refuse it.
        let tried = |record: &&Record| {
            matches!(&record.kind, Kind::AssertionMade(it)
                if it.message.as_deref().is_some_and(|it| it.starts_with("not tried")))
        };
        let tried: Vec<_> = ran.records.iter().filter(tried).collect();
        assert!(tried.is_empty(), "{fault}: {tried:?}");
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

/// Only what was executed of the two actions is taken back; where nothing was, neither is.
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
        let running = lab_mock::running_instances(&ran.world, ran.world.now);
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

/// The things that cost money after the run: all that runs, and of the rest what the run's teardown should
/// have ended, or what nobody is to end.
fn costs_after(ran: &Ran) -> BTreeSet<String> {
    let (before, after) = (&ran.before.cloud, &ran.world.cloud);
    let mut costs: BTreeSet<String> =
        lab_mock::running_instances(&ran.world, ran.world.now).into_iter().collect();
    let begun = ran.burnt();
    let counts = |was_there: bool| begun || !was_there;
    let addresses = after.addresses.keys().filter(|id| counts(before.addresses.contains_key(*id)));
    costs.extend(addresses.cloned());
    let free = after.volumes.values().filter(|it| it.attachments.is_empty());
    costs.extend(free.map(|it| it.id.clone()).filter(|id| counts(before.volumes.contains_key(id))));
    costs
}

/// Where a stop tripped, what costs money after the run and no command of the owner's names.
pub fn costs_unnamed(ran: &Ran) -> Vec<String> {
    if smoke::tripped(&ran.evidence).is_empty() {
        return Vec::new();
    }
    let items = ran.evidence.residue.iter().flatten();
    let named = |id: &String| {
        items.clone().any(|item| {
            item.id == *id && item.owner_commands.iter().any(|command| command.contains(id))
        })
    };
    costs_after(ran).into_iter().filter(|id| !named(id)).collect()
}

/// Whatever stopped a run: what costs money is stopped, or it is residue with the command that ends
/// it.
#[test]
fn after_every_stop_what_costs_money_is_stopped_or_listed_with_its_command() {
    let complaints = parallel::map(&CASES, |asked| {
        let silent = &asked.shown().costs_unnamed;
        (!silent.is_empty()).then(|| format!("{}: {silent:?}", asked.case.name()))
    });
    let complaints: Vec<_> = complaints.into_iter().flatten().collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The things that preflight finds and nobody is to end are listed, each with its own command.
#[test]
fn what_nobody_is_to_end_is_listed_with_its_command() {
    for (fault, command) in [
        ("forgotten-address", "aws ec2 release-address --allocation-id eipalloc-"),
        ("forgotten-instance", "aws ec2 terminate-instances --instance-ids i-"),
        ("forgotten-nat-gateway", "aws ec2 delete-nat-gateway --nat-gateway-id nat-"),
        ("forgotten-endpoint", "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-"),
    ] {
        let ran = run(1, &[fault], Prior::CheckOn);
        let items = ran.evidence.residue.unwrap_or_default();
        let mut commands = items.iter().flat_map(|item| &item.owner_commands);
        assert!(commands.any(|it| it.starts_with(command)), "{fault}: {items:?}");
    }
}

/// An ENI that `restored` finds changed, and that is still there: with the commands that settle it.
#[test]
fn a_changed_interface_is_residue_with_the_owners_commands() {
    let protected = "terminate-refused";
    let ran = run(1, &["unassign-refused", protected], Prior::CheckOn);
    let items = ran.evidence.residue.clone().unwrap_or_default();
    let eni = items.iter().find(|item| item.resource == "network interface");
    let eni = eni.unwrap_or_else(|| panic!("no ENI in {items:?}"));
    let command = format!(
        "aws ec2 unassign-private-ip-addresses --network-interface-id {} \
         --private-ip-addresses 10.88.60.9 --region ap-northeast-1",
        eni.id
    );
    assert_eq!(eni.owner_commands, [command]);
    assert!(!eni.costs_money && ran.judgement.exit_code == 6, "{:?}", ran.judgement);
}

/// A change that `restored` finds on a node that is still there is listed: each with its own
/// command. What was on an instance goes with it.
#[test]
fn what_was_changed_on_a_node_is_residue_with_the_owners_commands() {
    let table = [
        ("guest-address-after-undo", "onprem-router", "sudo ip addr del 10.88.60.50/32 dev wan0"),
        ("rules-after-undo", "onprem-client", "sudo nft delete table inet somebody"),
        ("late-route-onprem-router", "onprem-router", "sudo ip route replace default via "),
        ("late-route-routerd-cloud", "routerd-cloud", "sudo ip route replace default via "),
        ("rollback-wedged", "", "SET status='rolledBack'"),
        ("row-after-undo", "", "action show "),
        ("executed-again", "eni-", "aws ec2 unassign-private-ip-addresses "),
        ("file-after-undo", "/var/lib/lab-smoke/somebodys.json", "sudo rm -f /var/lib/lab-smoke/"),
        ("policy-after-undo", "/usr/local/etc/routerd/router.yaml", "sudo sha256sum /usr/local/"),
    ];
    for (fault, id, command) in table {
        let left = |faults: &[&str]| {
            let items = run(1, faults, Prior::CheckOn).evidence.residue.unwrap_or_default();
            let is = |item: &reports::record::ResidueItem| {
                item.id.starts_with(id) && item.owner_commands.iter().any(|it| it.contains(command))
            };
            (items.iter().any(is), items)
        };
        let (listed, items) = left(&[fault, "terminate-refused"]);
        assert!(listed, "{fault}: {items:?}");
        let (listed, items) = left(&[fault]);
        assert_eq!(listed, id.starts_with("onprem"), "{fault}: {items:?}");
    }
}

/// Without an AWS CLI the metadata service says whose credentials the executor gets.
#[test]
fn the_executors_identity_is_asked_of_the_metadata_service_where_there_is_no_cli() {
    let metadata = "latest/meta-data/iam/security-credentials";
    for (fault, expected, asked) in [
        ("check-off", false, metadata),
        ("other-profile-role", true, metadata),
        // An SDK takes what lies in its user's files before it asks.
        ("roots-credentials", true, "/.aws/credentials"),
    ] {
        let ran = run(1, &["no-aws-cli", fault], Prior::CheckOn);
        let tripped = smoke::tripped(&ran.evidence).contains("executor-identity");
        assert_eq!(tripped, expected, "{fault}: {:?}", ran.judgement.reasons);
        let identity = assertion(&ran, "preflight.executor-identity");
        assert!(identity.how.contains(asked), "{identity:?}");
    }
}

fn assertion(ran: &Ran, id: &str) -> reports::record::Assertion {
    let made = ran.records.iter().find_map(|record| match &record.kind {
        Kind::AssertionMade(it) if it.id == id => Some(it.clone()),
        _ => None,
    });
    made.unwrap_or_else(|| panic!("{id} was not judged"))
}

/// A look that saw nothing is told; the detector did not look then, and the second in a row trips.
#[test]
fn a_watchdog_that_sees_nothing_says_so() {
    for (fault, detector, looks, trips) in [
        ("watchdog-blinded", "new-cost", &[1][..], false),
        ("watchdog-blind", "new-cost", &[1, 2], true),
        ("yaml-unreadable", "policy-changed", &[1, 2], true),
    ] {
        let ran = run(1, &[fault], Prior::CheckOn);
        let call = format!("the watchdog's look for {detector}");
        let told = ran.evidence.retries.iter().filter(|it| it.call == call);
        let told: Vec<_> = told.map(|it| it.attempts).collect();
        assert_eq!(told, looks, "{fault}");
        assert_eq!(smoke::tripped(&ran.evidence).contains(detector), trips, "{fault}");
        let checked = |in_scenario: &str| {
            ran.records.iter().any(|record| {
                matches!(&record.kind, Kind::StopChecked(it)
                    if it.detector == detector && it.scenario == in_scenario)
            })
        };
        assert!(!checked("gate"), "{fault}: it saw nothing in gate");
    }
}

/// While nobody decides, the ceiling is looked at, trips, and what runs is stopped.
#[test]
fn the_ceiling_is_watched_while_the_owner_is_awaited() {
    let ran = run(1, &["owner-dear"], Prior::CheckOn);
    let about = |record: &Record| match &record.kind {
        Kind::StopChecked(it) if it.detector == "ceiling" => Some("checked"),
        Kind::StopTripped(it) if it.detector == "ceiling" => Some("tripped"),
        _ => None,
    };
    let said: Vec<_> = ran.records.iter().filter_map(about).collect();
    assert_eq!(said, ["checked", "checked", "tripped"]);
    assert_eq!(ran.judgement.exit_code, 4, "{:?}", ran.judgement.reasons);
    let tripped_at = ran.records[tripped_at(&ran)].at;
    let waited = (tripped_at - ran.records[0].at).num_seconds();
    assert!((140..600).contains(&waited), "two instances, 300 instance-seconds: {waited}");
    let running = lab_mock::running_instances(&ran.world, ran.world.now);
    assert!(running.is_empty(), "{running:?} go on costing");
}

/// The node's clock counts, and it alone: the lease ends a quarter of an hour later by it.
#[test]
fn a_lease_counts_by_the_nodes_clock() {
    let ran = run(1, &["clock-skew=600ms"], Prior::CheckOn);
    let taken = ran.records.iter().find_map(|record| match &record.kind {
        Kind::LockTaken(lock) => Some((lock.lease_until, record.at)),
        _ => None,
    });
    let (until, at) = taken.expect("a lock");
    assert_eq!((until - at).num_milliseconds(), 15 * 60 * 1000 + 600);
    // A harness whose own clock is off by hours takes no lock at all.
    let ran = run(1, &["harness-clock=300m"], Prior::CheckOn);
    assert!(
        ran.evidence.gate.lock.is_none()
            && begun(&ran.records).iter().all(|(permit, _)| { *permit == Permit::Cost })
    );
}

/// Another run's lock bars everything: what was begun is named, and nobody's hands are on it.
#[test]
fn nothing_is_touched_once_another_run_holds_the_lock() {
    for fault in ["lock-taken-over", "lock-taken-between"] {
        let ran = run(1, &[fault], Prior::CheckOn);
        let after = begun(&ran.records[tripped_at(&ran)..]);
        assert!(after.is_empty(), "{fault}: {after:?}");
    }
    // Nobody's lock bars nobody: what was begun is taken back.
    let ran = run(1, &["lock-removed"], Prior::CheckOn);
    let after = begun(&ran.records[tripped_at(&ran)..]);
    assert!(after.iter().all(|(permit, _)| *permit == Permit::Undo) && !after.is_empty());
}

/// The number of instance-seconds stands in the evidence of a run that never got a go too.
#[test]
fn the_evidence_says_how_long_the_instances_ran() {
    for fault in ["peering", "owner-silent", "ping-fails"] {
        let ran = run(1, &[fault], Prior::CheckOn);
        let cost = &ran.evidence.cost;
        assert!(cost.instance_seconds.is_some_and(|it| it > 0), "{fault}");
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
