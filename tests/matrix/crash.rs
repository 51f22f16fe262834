//! The crash matrix: for every EC2 call, node command and journal append of a run and of its
//! recovery, each thing that can befall it; then recovery; then every invariant.
//!
//! Every 17th cell is taken, on as many workers as the machine has, and all of them under
//! `LAB_SMOKE_EXHAUSTIVE=1`; `LAB_SMOKE_CRASH=N` takes every N-th.

use std::collections::BTreeMap;

use lab_mock::faults::{Befall, EffectKind, SeenEffect};
use lab_smoke_tests::crash::{
    Aftermath, Blow, End, Left, Plan, Prior, Process, finish, quiet, recover_once, start, strike,
};
use lab_smoke_tests::deaths::{Recorder, State};
use lab_smoke_tests::disk::AtAppend;
use lab_smoke_tests::invariants::{Written, in_words};
use lab_smoke_tests::{crash_table, documents, extent, parallel, smoke};

/// Where runs die whose recovery is then killed everywhere, and the check before the run: with the
/// lock alone, before and in the first mutation (which lands late), with all in place, in teardown.
const RECOVERED_FROM: &[(Prior, &str, Befall)] = &[
    (Prior::CheckOn, "lock.json", Befall::KilledAfter),
    (Prior::CheckOff, "action execute assign-secondary-ip --dry-run", Befall::KilledAfter),
    (Prior::CheckOff, "action execute assign-secondary-ip --approved", Befall::KilledMeanwhile),
    (Prior::CheckOn, "action rollback assign-secondary-ip --approved", Befall::KilledBefore),
    (Prior::CheckOn, "action rollback ensure-forwarding-enabled --approved", Befall::KilledBefore),
    (Prior::CheckOff, "TerminateInstances", Befall::KilledAfter),
];

/// The case that is tried: a blow, or a state that is left by one death or more.
enum Cell {
    Struck(Plan, Option<Left>),
    Killed(Plan, State),
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a run has not that many effects")
}

/// The blows that befall one process and do not kill it at once, by what it asked for and wrote:
/// all others are deaths that were looked at while it ran. A journal is full or gone from the first
/// or the last append between two effects.
fn blows(process: &Process, recorder: &Recorder) -> Vec<Blow> {
    let effects = process.effects.iter().enumerate();
    let at_effects = effects.flat_map(|(at, seen)| {
        let outlived = seen.befalls().filter(|what| !DEATHS.contains(what));
        outlived.map(move |what| Blow::Effect(number(at), what))
    });
    let at_appends = recorder.appends_at_borders().into_iter();
    let at_appends =
        at_appends.flat_map(|at| [AtAppend::Full, AtAppend::Gone].map(|how| Blow::Append(at, how)));
    at_effects.chain(at_appends).collect()
}

const DEATHS: [Befall; 2] = [Befall::KilledBefore, Befall::KilledAfter];

fn cells_of_a_run(prior: Prior) -> Vec<Cell> {
    let (folder, quiet) = (smoke::folder(), Plan::quiet(prior));
    let recorder = Recorder::looking_on();
    let whole = start(folder.path(), &quiet, recorder.clone());
    let states = recorder.states(&whole);
    let [run] = &whole.processes[..] else { panic!("one process") };
    assert!(run.effects.len() > 100 && run.appends > 200, "{} effects", run.effects.len());
    let of = |blow| Plan { run: vec![blow], ..Plan::quiet(prior) };
    let struck = blows(run, &recorder).into_iter().filter(|blow| is_of_prior(run, *blow, prior));
    let struck = struck.map(|blow| Cell::Struck(of(blow), None));
    let killed = states.into_iter().map(|state| Cell::Killed(of(state.first_blow()), state));
    struck.chain(killed).collect()
}

/// A read is answered alike whatever the check was: each of its blows falls in one of the two runs.
fn is_of_prior(run: &Process, blow: Blow, prior: Prior) -> bool {
    let Blow::Effect(at, what) = blow else { return true };
    let seen = &run.effects[at as usize];
    let kind = Befall::ALL.iter().position(|it| *it == what).expect("one of all");
    seen.kind.changes() || (at as usize + kind) % 2 == usize::from(prior == Prior::CheckOn)
}

/// Recoveries that die in their turn, whose disk is full, or that are not answered.
fn cells_of_a_recovery((prior, name, what): &(Prior, &str, Befall)) -> Vec<Cell> {
    let folder = smoke::folder();
    let whole = start(folder.path(), &Plan::quiet(*prior), Recorder::none());
    let changes = |seen: &SeenEffect| seen.kind != EffectKind::NodeRead || name.contains("dry-run");
    let effects = &whole.processes[0].effects;
    let found = effects.iter().position(|it| it.name.contains(name) && changes(it));
    let at = number(found.unwrap_or_else(|| panic!("no effect is {name}")));
    let died = Plan { run: vec![Blow::Effect(at, *what)], ..Plan::quiet(*prior) };

    let (folder, recorder) = (smoke::folder(), Recorder::looking_on());
    let left = start(folder.path(), &died, Recorder::none());
    let whole = recover_once(folder.path(), &died, left.clone(), &[], recorder.clone());
    let recovery = whole.processes.last().expect("a recovery");
    let of = |blow| Plan { recoveries: vec![vec![blow]], ..died.clone() };
    let all = *name == STRUCK_EVERYWHERE;
    let struck = blows(recovery, &recorder).into_iter();
    let struck = struck.filter(|blow| matters(*blow) || (all && in_turn(recovery, *blow)));
    let struck: Vec<Cell> = struck.map(|blow| Cell::Struck(of(blow), Some(left.clone()))).collect();
    let states = recorder.states(&whole).into_iter();
    let killed = states.map(|state| Cell::Killed(of(state.first_blow()), state));
    struck.into_iter().chain(killed).collect()
}

/// In the recovery from this death, with all in place, something befalls each effect.
const STRUCK_EVERYWHERE: &str = "action rollback ensure-forwarding-enabled --approved";

/// Whether it is the turn of this blow: of what can befall an effect one after the other, effect by
/// effect.
fn in_turn(process: &Process, blow: Blow) -> bool {
    let Blow::Effect(at, what) = blow else { return false };
    let at = at as usize;
    let can: Vec<Befall> =
        process.effects[at].befalls().filter(|what| !DEATHS.contains(what)).collect();
    can.get(at % can.len().max(1)) == Some(&what)
}

/// Whether a blow matters in every recovery. The others do not: recovery asks again what it was not
/// told.
fn matters(blow: Blow) -> bool {
    matches!(blow, Blow::Append(..) | Blow::Effect(_, Befall::KilledMeanwhile))
}

/// The complaints after one cell.
fn judge(cell: &Cell) -> Vec<String> {
    let folder = smoke::folder();
    match cell {
        Cell::Struck(plan, left) => {
            let left = match left {
                Some(left) => left.clone().put_into(folder.path()),
                None => start(folder.path(), plan, Recorder::none()),
            };
            let aftermath = finish(folder.path(), plan, left);
            complaints(plan, &Written::in_folder(folder.path()), &aftermath)
        }
        Cell::Killed(plan, state) => {
            let left = state.left.clone().put_into(folder.path());
            let nth = left.processes.len() - 1;
            let mut aftermath = finish(folder.path(), plan, left);
            let written = Written::in_folder(folder.path());
            let each = state.deaths.iter().flat_map(|death| {
                let plan = plan.with_last(death.fell[0].0);
                aftermath.replace(nth, death.clone());
                complaints(&plan, &written, &aftermath)
            });
            each.collect()
        }
    }
}

fn complaints(plan: &Plan, written: &Written, aftermath: &Aftermath) -> Vec<String> {
    let mut wrong: Vec<String> = written
        .broken(plan, aftermath)
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
        format!("{prior:?} {run:?} {back:?} {}: {why}", in_words(aftermath))
    };
    wrong.into_iter().map(cell).collect()
}

/// How many of what.
fn figures(cells: &[Cell]) -> String {
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |blow: Blow| {
        let column = match blow {
            Blow::Effect(_, what) => format!("{what:?}"),
            Blow::Append(_, how) => format!("append {how:?}"),
        };
        *columns.entry(column).or_default() += 1;
    };
    for cell in cells {
        match cell {
            Cell::Struck(plan, _) => count(plan.last_blow().expect("a blow")),
            Cell::Killed(_, state) => state.blows().for_each(&mut count),
        }
    }
    let all: usize = columns.values().sum();
    format!(
        "{all} blows, after which {} processes went on or were recovered: {columns:?}",
        cells.len()
    )
}

/// One of so many states is left by a real death too.
const DIED_TOO: usize = 29;

/// A process that is killed leaves what was recorded for its death.
#[test]
fn what_a_death_leaves_is_what_was_recorded_for_it() {
    quiet();
    let cells = cells_of_a_run(Prior::CheckOff);
    let killed = cells.iter().filter_map(|cell| match cell {
        Cell::Killed(plan, state) => Some((plan, state)),
        Cell::Struck(..) => None,
    });
    let some: Vec<_> = killed.step_by(DIED_TOO).collect();
    assert!(some.len() > 20, "only {} deaths", some.len());
    parallel::map(&some, |(plan, state)| {
        let last = state.deaths.last().expect("a death");
        let plan = plan.with_last(last.fell[0].0);
        let folder = smoke::folder();
        let left = start(folder.path(), &plan, Recorder::none());
        assert_eq!(left.processes[0].end, End::Killed, "{plan:?}");
        assert_eq!(left.processes[0].effects, last.effects, "{plan:?}");
        assert_eq!(left.processes[0].fell, last.fell, "{plan:?}");
        assert!(left.journal == state.left.journal, "{plan:?}: another journal");
        let (died, recorded) = (format!("{:#?}", left.world), format!("{:#?}", state.left.world));
        let differs = died.lines().zip(recorded.lines()).find(|(died, recorded)| died != recorded);
        assert_eq!(differs, None, "{plan:?}: another world");
    });
}

#[test]
#[expect(clippy::print_stdout, reason = "who runs it reads how much was tried")]
fn whatever_befalls_a_run_it_can_be_finished() {
    quiet();
    let of_runs = parallel::map(&[Prior::CheckOn, Prior::CheckOff], |prior| cells_of_a_run(*prior));
    let of_recoveries = parallel::map(RECOVERED_FROM, cells_of_a_recovery);
    let all: Vec<Cell> = of_runs.into_iter().chain(of_recoveries).flatten().collect();
    let (of, every) = (all.len(), extent::number("LAB_SMOKE_CRASH", 17, 1));
    let cells: Vec<Cell> = all.into_iter().step_by(every).collect();
    extent::say_left_out("cells of the crash matrix", cells.len(), of);
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
    let folder = smoke::folder();
    let whole = strike(folder.path(), &Plan::quiet(Prior::CheckOn)).run;
    for kind in EffectKind::ALL {
        assert!(whole.effects.iter().any(|seen| seen.kind == kind), "no effect is a {kind:?}");
    }
}

#[test]
fn the_table_stands_in_the_documentation() {
    documents::assert_current("docs/CRASH-MATRIX.md", &crash_table::render());
}
