//! The things that a run leaves, and what its evidence says of them: never the one without the
//! other.

use lab::manifest::{Instances, Manifest};
use lab_smoke_tests::in_turn::{self, rows, stands};
use lab_smoke_tests::smoke::{self, Prior, Ran};
use reports::record::{ResidueItem, Verdict};
use reports::verdict::judge_journal;

type Edit = fn(&mut Manifest);

fn stops(manifest: &mut Manifest) {
    manifest.teardown.instances = Instances::Stop;
}

fn row_items(items: &[ResidueItem]) -> Vec<&ResidueItem> {
    items.iter().filter(|item| item.resource == "row of routerd's journal").collect()
}

fn left(ran: &Ran) -> Vec<&ResidueItem> {
    row_items(ran.evidence.residue.as_deref().unwrap_or_default())
}

/// The fault, how many rows it leaves approved and how many pending.
const LEFT_ROWS: &[(&str, usize, usize)] = &[
    ("row-beside", 0, 2),
    ("approve-request-lost", 1, 1),
    ("approved-by-another", 2, 0),
    ("preview-denied", 2, 0),
    ("preview-mutates", 2, 0),
    ("row-edited-later", 2, 0),
    ("lock-removed", 2, 0),
    ("executor-unauthorized", 1, 0),
];

/// Whoever executes an approved row assigns the address without a go.
#[test]
fn an_approved_row_is_residue_with_the_command_that_settles_it_and_a_pending_one_is_none() {
    for (fault, approved, pending) in LEFT_ROWS {
        for edit in [stands as Edit, stops] {
            let ran = in_turn::run(1, edit, &[&[fault]]).remove(0);
            let reasons = &ran.judgement.reasons;
            let ids = rows(&ran.world, "approved");
            assert_eq!(ids.len(), *approved, "{fault}: {reasons:?}");
            let own_pending = rows(&ran.world, "pending").len().min(2);
            assert_eq!(own_pending, *pending, "{fault}: {reasons:?}");
            let items = left(&ran);
            for id in &ids {
                let id = id.to_string();
                let item = items.iter().find(|item| item.id == id);
                let item = item.unwrap_or_else(|| panic!("{fault}: row {id} of {reasons:?}"));
                assert!(item.owner_commands.iter().any(|it| it.contains("UPDATE")), "{item:?}");
            }
            if !ids.is_empty() {
                let given = (ran.judgement.verdict, ran.judgement.exit_code);
                assert_eq!(given, (Verdict::Residue, 6), "{fault}: {reasons:?}");
            }
            let kept = row_items(&ran.evidence.kept);
            assert_eq!(kept.len(), *pending, "{fault}: {kept:?}");
        }
    }
}

/// The disk with routerd's journal goes with its instance.
#[test]
fn what_was_approved_is_gone_with_its_node() {
    let ran = smoke::run(1, &["preview-denied"], Prior::CheckOn);
    assert_eq!((left(&ran), ran.judgement.exit_code), (vec![], 1));
}

/// A plan that the planner stored is imported for two hours: the next run need not wait for that.
#[test]
fn one_run_after_the_other_passes_on_a_lab_that_stands() {
    for prior in [&[][..], &["check-off"]] {
        let ran = in_turn::run(1, stands, &[prior, &[], &[]]);
        for (turn, ran) in ran.iter().enumerate() {
            let reasons = &ran.judgement.reasons;
            assert_eq!(ran.judgement.exit_code, 0, "run {turn}: {reasons:?}");
        }
    }
}

/// An import would make pending again what failed.
#[test]
fn the_plans_of_a_run_whose_rows_failed_keep_the_next_one_out() {
    let ran = in_turn::run(1, stands, &[&["executor-unauthorized"], &[]]);
    let turned = ran[1].turned();
    assert!(turned.contains("preflight.plan-source"), "{turned:?}");
}

/// The command, the evidence and `status` are one and the same word.
#[test]
fn what_cannot_be_stopped_under_a_lock_is_said_with_its_id_wherever_one_looks() {
    let ran = smoke::run(1, &["lock-unknown", "owner-silent"], Prior::CheckOn);
    let running = lab_mock::running_instances(&ran.world, ran.world.now);
    assert_eq!(running.len(), 2, "they cannot be stopped");
    for judgement in [&ran.judgement, &ran.evidence.verdict, &judge_journal(&ran.records)] {
        let given = (judgement.verdict, judgement.exit_code);
        assert_eq!(given, (Verdict::Unavailable, 8), "{judgement:?}");
        let named = |id: &String| judgement.reasons.iter().any(|it| it.contains(id.as_str()));
        assert!(running.iter().all(named), "{judgement:?}");
    }
}
