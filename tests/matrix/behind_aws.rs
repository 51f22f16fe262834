//! A fault that is one of money turns behind a manifest of kind `aws` what it turns on the mock, where its
//! table says what that is; the go is that of an owner's own key.

use lab::manifest::Instances;
use lab_smoke_tests::parallel;
use lab_smoke_tests::sensitivity::{Case, cases, cases_of_other_teardowns};
use lab_smoke_tests::smoke::{Prior, run_behind_aws};
use reports::record::{Kind, LabKind};
use scenarios::answers::FaultClass;

/// What goes on costing where nobody looks: a volume without a tag, an address that is associated, a volume
/// in use, an instance that EC2 does not list; and what only takes its time or is refused for a while.
const OF_MONEY: &[&str] = &[
    "root-volume-outlives",
    "volume-outlives-later",
    "interface-outlives-later",
    "address-hangs",
    "address-hangs-later",
    "instance-vanishes",
    "volume-attached-later",
    "slow-states",
    "volume-lingers",
    "throttled-end",
    "stray-volume",
    "stray-address",
];

/// Each where instances are terminated; where they are kept, what is in use stays so.
fn drawn() -> Vec<Case> {
    let terminates = cases().into_iter().filter(|case| case.prior == Prior::CheckOn);
    let keeps = cases_of_other_teardowns().into_iter().filter(|case| {
        case.fault.name == "volume-attached-later" && case.teardown == Instances::Keep
    });
    terminates.chain(keeps).filter(|case| OF_MONEY.contains(&case.fault.name)).collect()
}

#[test]
fn what_costs_turns_the_same_behind_a_manifest_of_kind_aws() {
    let drawn = drawn();
    assert_eq!(drawn.len(), OF_MONEY.len() + 1, "a name is none of a fault");
    let wrong = parallel::map(&drawn, |case| {
        let (given, ran) = case.run_behind_aws();
        let expected = case.expected();
        let shown = &ran.judgement.reasons;
        (given != expected)
            .then(|| format!("{}: {expected:?}\n  given {given:?}\n  {shown:?}", case.name()))
    });
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let borne = drawn.iter().filter(|case| case.fault.class == FaultClass::Tolerated).count();
    assert!(borne > 0 && borne < drawn.len(), "some pass, and some do not");
}

#[test]
fn a_run_behind_it_passes_by_its_owners_go() {
    for prior in Prior::BOTH {
        let ran = run_behind_aws(1, &[], prior);
        let judgement = &ran.judgement;
        assert_eq!((judgement.exit_code, &judgement.reasons), (0, &vec![]), "{prior:?}");
        let of_aws = |kind: &Kind| match kind {
            Kind::GoVerified(go) => !go.self_granted,
            Kind::FactsRecorded(it) => it.facts.lab.kind == LabKind::Aws,
            _ => false,
        };
        let told = ran.records.iter().filter(|record| of_aws(&record.kind)).count();
        assert_eq!(told, 2, "{prior:?}");
    }
}
