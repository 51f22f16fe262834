//! The deeds of a deliberately broken engine, for the tests of the invariants: see
//! [`lab::sabotage::Sabotage`]. Each of these does nothing where it was not asked for, and none is in a
//! program that is built for users.

use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use lab::permit::Cost;
use lab::sabotage::Sabotage;
use reports::journal::JOURNAL_FILE;
use reports::record::{Kind, Record, RecoveryStarted, Verdict};
use reports::verdict::Judgement;
use scenarios::{Leg, Scenario};

use super::Engine;

/// Before the first scenario.
pub(super) async fn at_the_start(engine: &Engine<'_>) {
    if engine.lab.is_sabotaged(Sabotage::ForksTheJournal) {
        // Whatever becomes of it: a broken journal is what is wanted.
        let _ = fork(engine);
    }
    engine.lab.act_before_the_go(engine.journal).await;
}

/// The baseline as it is once the address is captured, for as long as the undo plan is made from it:
/// what preflight saw is put back before the gate looks again.
pub(super) async fn run_with_late_baseline<T>(
    engine: &Engine<'_>,
    scenario: &Scenario,
    work: impl Future<Output = T>,
) -> T {
    if scenario.name != "undo-plan" || !engine.lab.is_sabotaged(Sabotage::TakesTheBaselineLate) {
        return work.await;
    }
    let check = |on: Option<bool>| {
        let mut state = engine.run.state.borrow_mut();
        let baseline = state.baseline.as_mut()?;
        let before = baseline.interface.source_dest_check;
        Rc::make_mut(baseline).interface.source_dest_check = on?;
        Some(before)
    };
    let before = check(Some(false));
    let done = work.await;
    check(before);
    done
}

/// Writes as a writer would that knows nothing of the other: its line follows the same one.
fn fork(engine: &Engine<'_>) -> std::io::Result<()> {
    let records = engine.journal.with_records(<[Record]>::to_vec);
    let last = records.last().cloned().ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let line = serde_json::to_string(&last)? + "\n";
    let path = engine.journal.dir().join(JOURNAL_FILE);
    let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
    file.write_all(line.as_bytes())
}

/// Before what was begun is ended.
pub(super) async fn before_the_undo(engine: &Engine<'_>) {
    if !engine.lab.is_sabotaged(Sabotage::TakesTheBaselineLate) {
        return;
    }
    let id = &engine.lab.manifest.capture.network_interface_id;
    let now = engine.lab.reader.network_interface(id).await.ok().and_then(|it| it.value);
    let mut state = engine.run.state.borrow_mut();
    if let (Some(now), Some(baseline)) = (now, &mut state.baseline) {
        Rc::make_mut(baseline).interface.source_dest_check = now.source_dest_check;
    }
}

pub(super) fn keeps_the_lock(engine: &Engine<'_>) -> bool {
    engine.lab.is_sabotaged(Sabotage::KeepsTheLock)
}

pub(super) fn leaves_it_running(engine: &Engine<'_>) -> bool {
    engine.lab.is_sabotaged(Sabotage::LeavesItRunning)
}

pub(super) fn skips_scenario(engine: &Engine<'_>, scenario: &Scenario) -> bool {
    engine.lab.is_sabotaged(Sabotage::SkipsTeardown)
        && scenario.leg == Leg::Back
        && matches!(scenario.name, "teardown" | "residue")
}

/// After what costs was stopped.
pub(super) async fn after_the_rest(engine: &Engine<'_>) {
    let lab = engine.lab;
    if !lab.is_sabotaged(Sabotage::WakesWhatItStopped) {
        return;
    }
    lab.clock.sleep(STOPPED_BY_THEN).await;
    let Ok(answer) = lab.reader.instances(&engine.instance_ids()).await else { return };
    for instance in &answer.value {
        if let Ok(permit) = Cost::to_start(&lab.manifest, instance) {
            // Whatever becomes of it: nobody looks.
            let _ = lab.start_instance(&permit, engine.journal, "preflight").await;
        }
    }
}

const STOPPED_BY_THEN: Duration = Duration::from_mins(5);

/// Builds that say of what they leave behind that it is as it was.
const HIDDEN: &[Sabotage] = &[Sabotage::TakesTheBaselineLate, Sabotage::KeepsTheLock];

/// The judgement that is said in place of the truth.
pub(super) fn falsify_judgement(engine: &Engine<'_>, truth: Judgement) -> Judgement {
    let lab = engine.lab;
    let recovers = engine.journal.with_records(|records| {
        records.iter().any(|it| matches!(&it.kind, Kind::RecoveryStarted(RecoveryStarted { .. })))
    });
    let says = |verdict, exit_code| Judgement { verdict, exit_code, reasons: Vec::new() };
    if lab.is_sabotaged(Sabotage::AlwaysPasses) {
        says(Verdict::Pass, 0)
    } else if lab.is_sabotaged(Sabotage::SkipsTeardown) {
        says(Verdict::Fail, 1)
    } else if HIDDEN.iter().any(|by| lab.is_sabotaged(*by)) {
        Judgement { reasons: truth.reasons, ..says(Verdict::Fail, 1) }
    } else if lab.is_sabotaged(Sabotage::RecoversHalf) && recovers {
        Judgement { reasons: vec!["nobody looked".to_owned()], ..says(Verdict::Unknown, 5) }
    } else if lab.is_sabotaged(Sabotage::NamesNothing) {
        Judgement { reasons: Vec::new(), ..truth }
    } else {
        truth
    }
}
