//! Every check can fail (I8): each fault turns exactly what is listed for it, every check is the
//! first to answer one of them, and no two together get a run to pass.

use std::sync::atomic::{AtomicBool, Ordering};

use lab::manifest::Instances;
use lab_smoke_tests::coverage::gaps;
use lab_smoke_tests::mixes::{self, Mix};
use lab_smoke_tests::sensitivity::{Case, cases_of_other_teardowns, contradictions};
use lab_smoke_tests::smoke::Prior;
use lab_smoke_tests::sources::{NAT_ROWS, NatRow};
use lab_smoke_tests::{documents, extent, parallel, smoke, sources, table};
use scenarios::answers::FaultClass;

use super::asked::{Asked, CASES};

#[test]
fn every_check_is_the_first_to_answer_a_fault() {
    let gaps = gaps();
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}

#[test]
fn what_was_found_elsewhere_is_a_fault_here_or_it_is_said_why_not() {
    let gaps = sources::gaps();
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}

/// The kernel lab's table, row by row: what it measured is what turns here.
#[test]
fn each_observation_of_a_translation_sees_what_it_saw_in_the_kernel() {
    let rows = sources::all().filter(|source| source.name.starts_with("netns-lab §4: "));
    let rows: Vec<_> = rows.map(|source| source.name).collect();
    let table: Vec<_> = NAT_ROWS.iter().map(|row| row.source).collect();
    assert_eq!(table, rows);
    let wrong: Vec<_> = NAT_ROWS.iter().flat_map(NatRow::contradictions).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_fault_turns_exactly_what_is_listed_for_it() {
    turn_what_is_listed(&CASES);
}

#[test]
fn each_fault_turns_the_same_where_instances_are_stopped_or_kept_or_it_is_listed() {
    let what = "cases of other teardowns";
    let drawn = extent::sample(what, cases_of_other_teardowns(), |case| case.fault.name);
    turn_what_is_listed(&drawn.into_iter().map(Asked::of).collect::<Vec<_>>());
}

fn turn_what_is_listed(cases: &[Asked]) {
    none_complains(cases, |asked| {
        let (case, shown) = (&asked.case, asked.shown());
        let (expected, given, reasons) = (case.expected(), &shown.given, &shown.reasons);
        (*given != expected)
            .then(|| format!("expected {expected:?}\n  given    {given:?}\n  {reasons:?}"))
            .or_else(|| tolerated_without_a_trace(case, &shown.traces))
    });
}

#[test]
fn no_evidence_contradicts_itself() {
    none_complains(&CASES, |asked| {
        let contradictions = &asked.shown().contradictions;
        (!contradictions.is_empty()).then(|| contradictions.join("\n  "))
    });
    for prior in Prior::BOTH {
        let whole = smoke::run(1, &[], prior);
        assert_eq!((whole.judgement.exit_code, contradictions(&whole)), (0, vec![]), "{prior:?}");
    }
}

/// Slowness is seen in the times, and one packet in twenty need not be an echo request; anything
/// else that was borne is told.
fn tolerated_without_a_trace(case: &Case, traces: &[String]) -> Option<String> {
    let quiet = [
        "latency",
        "lagging-reads",
        "slow-read",
        "check-off",
        "earlier-run",
        "underlay-loss",
        "role-by-tags",
        "slow-boot",
        "small-pages",
        "teardown",
        "volume-attached-later",
        "known-capture",
    ];
    // Where nothing is terminated, less is read back.
    let terminates = case.teardown == Instances::Terminate;
    let owes = case.fault.class == FaultClass::Tolerated
        && !quiet.contains(&case.fault.name)
        && terminates;
    (owes && traces.is_empty()).then(|| "the evidence does not say what was borne".to_owned())
}

/// How many of all the pairs, which are a matter of hours, and of all the triples are drawn.
const PAIRS: usize = 150;
const TRIPLES: usize = 100;

/// Draws so many of all pairs, others with another seed.
#[test]
fn no_pair_of_faults_gets_a_run_to_pass_or_hides_what_it_left() {
    // The world is another one as well.
    let (seed, few) = (extent::number("LAB_SMOKE_PAIRS_SEED", 1, 1), PAIRS / 10);
    let count = extent::number("LAB_SMOKE_PAIRS", few, PAIRS);
    extent::say_left_out("pairs of faults that are drawn", count, PAIRS);
    none_hides(seed, &mixes::sample_pairs(seed, count));
}

/// The same of three, over all that a manifest may have become of the instances.
#[test]
fn no_three_faults_get_a_run_to_pass_or_hide_what_they_left() {
    let (seed, few) = (extent::number("LAB_SMOKE_TRIPLES_SEED", 1, 1), TRIPLES / 10);
    let count = extent::number("LAB_SMOKE_TRIPLES", few, TRIPLES);
    extent::say_left_out("triples of faults that are drawn", count, TRIPLES);
    none_hides(seed, &mixes::sample_triples(seed, count));
}

fn none_hides(seed: u64, drawn: &[Mix]) {
    none_complains(drawn, |mix| {
        let ran = smoke::run(seed, &mix.injected(), mix.prior);
        let complaints = mixes::complaints(mix, &ran);
        let (verdict, reasons) = (ran.judgement.verdict, &ran.judgement.reasons);
        (!complaints.is_empty())
            .then(|| format!("{}\n  {verdict:?}: {reasons:?}", complaints.join("; ")))
    });
}

/// Each with reads that may lag behind by ten seconds, from so many seeds.
const LAGGING: usize = 100;

/// What is so is not taken for wrong because EC2 shows an earlier state, and what is wrong is not taken
/// for right.
#[test]
fn reads_that_lag_behind_turn_nothing_and_hide_nothing() {
    // Each of these is a fault of EC2's state alone, and one look could miss it.
    let hidden = [
        "address-taken-off",
        "check-on-later",
        "stray-volume",
        "address-hangs-later",
        "stray-address",
    ];
    let count = extent::number("LAB_SMOKE_LAGGING", LAGGING / 10, LAGGING);
    extent::say_left_out("seeds with reads that lag behind", count, LAGGING);
    let wrong: Vec<String> = (1_u64..)
        .zip((0..hidden.len()).cycle())
        .take(count)
        .flat_map(|(seed, at)| [(seed, None), (seed, Some(hidden[at]))])
        .filter_map(|(seed, fault)| {
            let faults: Vec<&str> = std::iter::once("lagging-reads").chain(fault).collect();
            let ran = smoke::run(seed, &faults, Prior::CheckOn);
            let passed = ran.judgement.exit_code == 0;
            (passed != fault.is_none())
                .then(|| format!("seed {seed}, {fault:?}: {:?}", ran.judgement.reasons))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_document_is_the_table() {
    documents::assert_current("docs/SENSITIVITY.md", &table::render());
}

trait Named: Sync {
    fn name(&self) -> String;
}

impl Named for Asked {
    fn name(&self) -> String {
        self.case.name()
    }
}

impl Named for Mix {
    fn name(&self) -> String {
        format!("{} ({:?})", self.injected().join(" and "), self.prior)
    }
}

/// Runs them side by side and shows every complaint at once; the first one ends it where only
/// whether there is one is asked, as of a mutant.
fn none_complains<T: Named>(items: &[T], complaint: impl Fn(&T) -> Option<String> + Sync) {
    let first_ends_it = std::env::var_os("LAB_SMOKE_FIRST").is_some();
    let ended = AtomicBool::new(false);
    let complaints: Vec<String> = parallel::map(items, |item| {
        if ended.load(Ordering::Relaxed) {
            return None;
        }
        let complaint = complaint(item)?;
        ended.store(first_ends_it, Ordering::Relaxed);
        Some(format!("{}\n  {complaint}", item.name()))
    })
    .into_iter()
    .flatten()
    .collect();
    let (bad, all) = (complaints.len(), items.len());
    assert!(complaints.is_empty(), "{bad} of {all}:\n{}", complaints.join("\n"));
}
