//! Each invariant catches a harness that is broken on purpose, and is silent about one that is not.

use lab::sabotage::Sabotage;
use lab_mock::faults::Befall;
use lab_smoke_tests::crash::{Blow, Plan, Prior, quiet, strike};
use lab_smoke_tests::invariants as inv;
use lab_smoke_tests::smoke;

/// The blow that befalls the run, by the name of an effect; none where it runs to its end.
type Befalls = Option<(&'static str, Befall)>;

/// Which invariants complain about which broken build, in a run that this befalls. A broken build
/// may break more than one.
const TABLE: &[(Sabotage, Befalls, &[&str])] = &[
    (Sabotage::ForksTheJournal, None, &[inv::CHAIN]),
    // routerd's own rollback would hide it: what it remembers is the truth here.
    (
        Sabotage::TakesTheBaselineLate,
        Some(("action rollback ensure-forwarding-enabled --approved", Befall::RequestLost)),
        &[inv::RESTORED],
    ),
    (Sabotage::SkipsTeardown, None, &[inv::TORN_DOWN, inv::COST, inv::SAYS_WHY]),
    (Sabotage::LeavesItRunning, Some(("action list", Befall::KilledAfter)), &[inv::COST]),
    (Sabotage::WakesWhatItStopped, Some(("action list", Befall::Garbage)), &[inv::COST]),
    (Sabotage::ActsBeforeTheGo, None, &[inv::GO]),
    (Sabotage::RecordsNoIntent, None, &[inv::RECORD]),
    (
        Sabotage::AlwaysPasses,
        Some(("action execute assign-secondary-ip --approved", Befall::RequestLost)),
        &[inv::FALSE_PASS],
    ),
    (Sabotage::KeepsTheLock, None, &[inv::RESTORED, inv::LOCK]),
    (Sabotage::RecoversHalf, Some(("action import", Befall::KilledAfter)), &[inv::WHOLE]),
    (
        Sabotage::NamesNothing,
        Some(("action execute assign-secondary-ip --approved", Befall::RequestLost)),
        &[inv::SAYS_WHY],
    ),
];

fn complaints(sabotage: Option<Sabotage>, befalls: Befalls) -> Vec<&'static str> {
    let play = |plan: &Plan| {
        let folder = smoke::folder();
        let aftermath = strike(folder.path(), plan);
        let broken = inv::broken(folder.path(), plan, &aftermath);
        (aftermath, broken.into_iter().map(|(name, _)| name).collect())
    };
    let broken = Plan { sabotage, ..Plan::quiet(Prior::CheckOn) };
    let Some((name, what)) = befalls else {
        return play(&broken).1;
    };
    // A broken build may ask for other effects than a whole one.
    let effects = play(&broken).0.run.effects;
    let at = effects.iter().position(|it| it.name.contains(name)).expect("an effect of that name");
    let run = vec![Blow::Effect(u32::try_from(at).expect("few"), what)];
    play(&Plan { run, ..broken }).1
}

#[test]
fn each_invariant_catches_a_broken_build() {
    quiet();
    let mut wrong = Vec::new();
    for (sabotage, befalls, expected) in TABLE {
        for (by, expected) in [(Some(*sabotage), *expected), (None, &[][..])] {
            let found = complaints(by, *befalls);
            if found != expected {
                wrong.push(format!("{sabotage:?} as {by:?}: {found:?}, and not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, _) in inv::INVARIANTS {
        let caught = TABLE.iter().any(|(_, _, expected)| expected.contains(name));
        assert!(caught, "nothing shows that `{name}` can complain");
    }
}

/// The switch is for tests: no source of the programs or of the scenarios throws it.
#[test]
fn no_program_can_be_sabotaged() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut looked_at = 0;
    for folder in ["harness/src", "scenarios/src", "lab/src", "reports/src"] {
        for file in sources(&root.join(folder)) {
            let text = std::fs::read_to_string(&file).expect("a source");
            let calls = text.matches(".sabotaged(").count();
            assert_eq!(calls, 0, "{} sabotages a lab", file.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "only {looked_at} sources were looked at");
}

/// Nor does any manifest build a program with it, but the tests' own.
#[test]
fn the_tests_alone_turn_the_switches_on() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let turns_on = |folder: &&str| {
        let manifest = std::fs::read_to_string(root.join(folder).join("Cargo.toml"));
        manifest.expect("a manifest").contains("features = [\"sabotage\"]")
    };
    let all = ["", "reports", "lab", "lab/programs", "lab/mock", "lab/netns", "scenarios"];
    let turned_on: Vec<_> = all.into_iter().chain(["harness", "tests"]).collect();
    let turned_on: Vec<_> = turned_on.iter().filter(|it| turns_on(it)).collect();
    assert_eq!(turned_on, [&"tests"]);
}

fn sources(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    rust.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}
