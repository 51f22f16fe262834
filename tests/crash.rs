//! The crash matrix: for every EC2 call, node command and journal append of a run and of its
//! recovery, each thing that can befall it; then recovery; then every invariant.
//!
//! All of it is taken, on as many workers as the machine has. `LAB_SMOKE_CRASH=N` takes every N-th
//! cell, for somebody who waits for it.

use std::collections::BTreeMap;

use lab::mock::faults::{Befall, EffectKind, Seen};
use lab_smoke_tests::crash::{Blow, Plan, Prior, quiet, strike};
use lab_smoke_tests::disk::AtAppend;
use lab_smoke_tests::invariants::{broken, in_words};
use lab_smoke_tests::{parallel, smoke};

/// Where runs die whose recovery is then killed everywhere, and the check before the run: with the
/// lock alone, before and in the first mutation (which lands late), with all in place, in teardown.
const RECOVERED_FROM: &[(Prior, &str, Befall)] = &[
    (Prior::On, "lock.json", Befall::KilledAfter),
    (Prior::Off, "action execute assign-secondary-ip --dry-run", Befall::KilledAfter),
    (Prior::Off, "action execute assign-secondary-ip --approved", Befall::KilledMeanwhile),
    (Prior::On, "action rollback assign-secondary-ip --approved", Befall::KilledBefore),
    (Prior::On, "action rollback ensure-forwarding-enabled --approved", Befall::KilledBefore),
    (Prior::Off, "TerminateInstances", Befall::KilledAfter),
];

fn after(plan: &Plan) -> lab_smoke_tests::crash::Aftermath {
    let folder = smoke::folder();
    let aftermath = strike(folder.path(), plan);
    let wrong = broken(folder.path(), plan, &aftermath);
    assert!(wrong.is_empty(), "{plan:?}: {wrong:?}");
    aftermath
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a run has not that many effects")
}

/// Everything that can befall one process, by what it asked for and wrote.
fn blows(effects: &[Seen], appends: u32) -> Vec<Blow> {
    let effects = effects.iter().enumerate();
    let at_effects = effects
        .flat_map(|(at, seen)| seen.befalls().map(move |what| Blow::Effect(number(at), what)));
    let at_appends = (0..appends).flat_map(|at| AtAppend::ALL.map(|how| Blow::Append(at, how)));
    at_effects.chain(at_appends).collect()
}

fn cells_of_a_run(prior: Prior) -> Vec<Plan> {
    let whole = after(&Plan::quiet(prior)).run;
    assert!(whole.effects.len() > 100 && whole.appends > 200, "{} effects", whole.effects.len());
    let blows = blows(&whole.effects, whole.appends);
    blows.into_iter().map(|blow| Plan { run: vec![blow], ..Plan::quiet(prior) }).collect()
}

/// Recoveries that die in their turn, or whose disk is full.
fn cells_of_recoveries() -> Vec<Plan> {
    let mut cells = Vec::new();
    for (prior, name, what) in RECOVERED_FROM {
        let whole = after(&Plan::quiet(*prior)).run;
        let changes = |seen: &Seen| seen.kind != EffectKind::NodeRead || name.contains("dry-run");
        let found = whole.effects.iter().position(|it| it.name.contains(name) && changes(it));
        let at = number(found.unwrap_or_else(|| panic!("no effect is {name}")));
        let plan = Plan { run: vec![Blow::Effect(at, *what)], ..Plan::quiet(*prior) };
        let aftermath = after(&plan);
        let [recovery] = &aftermath.recoveries[..] else { panic!("{name}: one recovery") };
        let blows = blows(&recovery.effects, recovery.appends);
        let of = |blow| Plan { recoveries: vec![vec![blow]], ..plan.clone() };
        cells.extend(blows.into_iter().filter(|blow| matters(*blow, &recovery.effects)).map(of));
    }
    cells
}

/// To die before a look is to die after what was before it.
fn matters(blow: Blow, effects: &[Seen]) -> bool {
    match blow {
        Blow::Effect(at, Befall::KilledBefore) => effects[at as usize].kind.changes(),
        Blow::Effect(_, what) => what.kills(),
        Blow::Append(_, how) => how != AtAppend::Before,
    }
}

fn stride() -> usize {
    let said = std::env::var("LAB_SMOKE_CRASH").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// What is wrong after one cell.
fn judge(plan: &Plan) -> Vec<String> {
    let folder = smoke::folder();
    let aftermath = strike(folder.path(), plan);
    let mut wrong: Vec<String> = broken(folder.path(), plan, &aftermath)
        .into_iter()
        .map(|(name, why)| format!("{name}: {}", why.get(..600).unwrap_or(&why)))
        .collect();
    for blow in plan.blows() {
        if !aftermath.fell().any(|(fell, _)| *fell == blow) {
            wrong.push(format!("{blow:?} did not fall"));
        }
    }
    let cell = |why| {
        let (prior, run, back) = (plan.prior, &plan.run, &plan.recoveries);
        format!("{prior:?} {run:?} {back:?} {}: {why}", in_words(&aftermath))
    };
    wrong.into_iter().map(cell).collect()
}

/// How many of what.
fn figures(cells: &[Plan]) -> String {
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    for blow in cells.iter().filter_map(|plan| plan.blows().last()) {
        let column = match blow {
            Blow::Effect(_, what) => format!("{what:?}"),
            Blow::Append(_, how) => format!("append {how:?}"),
        };
        *columns.entry(column).or_default() += 1;
    }
    format!("{} cells: {columns:?}", cells.len())
}

#[test]
#[expect(clippy::print_stdout, reason = "who runs it reads how much was tried")]
fn whatever_befalls_a_run_it_can_be_finished() {
    quiet();
    let both = [Prior::On, Prior::Off];
    let cells: Vec<Plan> = both
        .into_iter()
        .flat_map(cells_of_a_run)
        .chain(cells_of_recoveries())
        .step_by(stride())
        .collect();
    println!("{}", figures(&cells));
    let wrong: Vec<String> = parallel::map(&cells, judge).into_iter().flatten().collect();
    let shown = wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} complaints about {} cells:\n{shown}", wrong.len(), cells.len());
}

/// The table of what can befall what names each blow for something, and something for each effect.
#[test]
fn the_table_leaves_out_no_blow_and_no_effect() {
    for what in Befall::ALL {
        assert!(EffectKind::ALL.iter().any(|kind| kind.befalls().contains(&what)), "{what:?}");
    }
    let whole = after(&Plan::quiet(Prior::On)).run;
    for kind in EffectKind::ALL {
        assert!(whole.effects.iter().any(|seen| seen.kind == kind), "no effect is a {kind:?}");
    }
}

#[test]
fn the_table_stands_in_the_documentation() {
    let path = [env!("CARGO_MANIFEST_DIR"), "..", "docs", "CRASH-MATRIX.md"];
    let path: std::path::PathBuf = path.iter().collect();
    let rendered = lab_smoke_tests::crash_table::render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &rendered).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, rendered, "UPDATE_DOCS=1 cargo test -p lab-smoke --test crash");
}
