//! The crash matrix: for every EC2 call, node command and journal append of a run, each thing that
//! can befall it; then recovery; then every invariant.
//!
//! All of it takes many minutes; by default a part is taken, the same each time. `LAB_SMOKE_CRASH=1`
//! takes all, `LAB_SMOKE_CRASH=N` every N-th cell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::mock::faults::{Befall, Killed};
use lab_smoke_tests::crash::{AtAppend, Blow, End, Prior, strike};
use lab_smoke_tests::invariants::broken;

const WORKERS: usize = 2;
/// Every so many-th cell is taken unless told otherwise: a prime, so that no column is left out.
const USUAL_STRIDE: usize = 17;

fn cells() -> Vec<(Prior, Blow)> {
    let mut cells = Vec::new();
    for prior in [Prior::On, Prior::Off] {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = strike(folder.path(), prior, Blow::None);
        assert!(whole.effects > 100 && whole.appends > 200, "{} {}", whole.effects, whole.appends);
        for at in 0..whole.effects {
            cells.extend(Befall::ALL.map(|what| (prior, Blow::Effect(at, what))));
        }
        for at in 0..whole.appends {
            for how in [AtAppend::Before, AtAppend::Torn, AtAppend::After] {
                cells.push((prior, Blow::Append(at, how)));
            }
        }
    }
    cells
}

fn stride() -> usize {
    let said = std::env::var("LAB_SMOKE_CRASH").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(USUAL_STRIDE)
}

/// What is wrong after one cell.
fn judge((prior, blow): (Prior, Blow)) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let aftermath = strike(folder.path(), prior, blow);
    let mut wrong = broken(folder.path(), &aftermath, prior);
    let killed = matches!(aftermath.end, End::Killed);
    let fell = match blow {
        Blow::Effect(_, Befall::KilledBefore | Befall::KilledAfter) => {
            killed && aftermath.hit.is_some()
        }
        Blow::Effect(..) => aftermath.hit.is_some(),
        Blow::Append(..) => killed,
        Blow::None => true,
    };
    if !fell {
        wrong.push("the blow did not fall".to_owned());
    }
    let hit = aftermath.hit.unwrap_or_default();
    let codes = match (&aftermath.end, &aftermath.recovered) {
        (End::Judged(it), _) => format!("ended {}", it.exit_code),
        (End::Killed, Some(it)) => format!("recovered {}: {:?}", it.exit_code, it.reasons),
        (End::Killed, None) => "nothing to recover".to_owned(),
    };
    wrong.into_iter().map(|why| format!("{prior:?} {blow:?} [{hit}] ({codes}): {why}")).collect()
}

#[test]
fn whatever_befalls_a_run_it_can_be_finished() {
    quiet();
    let cells: Vec<_> = cells().into_iter().step_by(stride()).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let found = judge(*cell);
                    wrong.lock().expect("no worker panicked").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no worker panicked");
    let many = wrong.len();
    let shown: Vec<_> = wrong.into_iter().take(40).collect();
    assert!(shown.is_empty(), "{many} of {} cells:\n{}", cells.len(), shown.join("\n"));
}

/// A death that is meant is not reported.
fn quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Killed>() {
            usual(info);
        }
    }));
}
