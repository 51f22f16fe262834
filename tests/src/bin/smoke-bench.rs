//! How long the whole smoke on the mock lab takes, and how much memory: printed, and an error
//! beyond three times the figure that the project promises.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::engine::{self, Selection, Settings};
use harness::labs::{self, MockOptions};
use lab::permit::Brake;
use reports::journal::Writer;
use reports::record::{Part, Verdict};
use scenarios::SEQUENCE;

/// The promised figures, in the usual (unoptimised) profile.
const WALL: Duration = Duration::from_secs(1);
const MEMORY_MB: u64 = 100;
/// A machine that is busy with something else may take longer; a regression takes much longer.
const SLACK: u32 = 3;
const RUNS: usize = 7;

fn main() -> ExitCode {
    let mut walls: Vec<Duration> = (0..RUNS).map(|seed| one_run(seed as u64)).collect();
    walls.sort_unstable();
    let (least, median, most) = (walls[0], walls[RUNS / 2], walls[RUNS - 1]);
    let memory_mb = peak_memory_kb().unwrap_or(u64::MAX) / 1024;
    println!(
        "whole mock smoke, {RUNS} runs: {least:.0?} / {median:.0?} / {most:.0?} (least / median / most), promised {WALL:?}"
    );
    println!("peak memory of this process: {memory_mb} MB, promised {MEMORY_MB} MB");
    if median > WALL * SLACK || memory_mb > MEMORY_MB * u64::from(SLACK) {
        eprintln!("more than {SLACK} times what is promised");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Everything that `lab-smoke run` does but the printing.
fn one_run(seed: u64) -> Duration {
    let began = Instant::now();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let judgement = runtime.block_on(async {
        let world_file = Some(folder.path().join("world.json"));
        let options = MockOptions { seed, faults: Vec::new(), world_file };
        let opened = labs::open_mock(&options).expect("the mock lab");
        let journal = Writer::create(folder.path()).expect("a journal");
        let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
        let settings = Settings {
            run_id: opened.run_id,
            seed: Some(seed),
            faults: Vec::new(),
            selection: Selection { filter: None, parts },
        };
        let brake = Brake::default();
        engine::run_sequence(&opened.lab, opened.go, &journal, brake, &settings, &mut |_| {}).await
    });
    assert_eq!(judgement.verdict, Verdict::Pass, "{:?}", judgement.reasons);
    began.elapsed()
}

/// `VmHWM` of this process; none where the system does not say.
fn peak_memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
