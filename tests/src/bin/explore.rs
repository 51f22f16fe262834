//! `cargo run -p lab-smoke-tests --bin explore -- --seeds 10000`: random schedules, and the
//! invariants after each. A seed that does not hold is printed; `--seed N` plays it again.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
use lab::clock::Clock;
use lab_smoke_tests::crash::quiet;
use lab_smoke_tests::explore::{Explored, explore, explore_in, plan};
use lab_smoke_tests::invariants::in_words;
use lab_smoke_tests::parallel;

#[derive(Debug, Parser)]
#[command(about = "Random schedules of faults, delays, crashes and other people's hands")]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This one alone; its folder is kept.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    quiet();
    let failed = match args.seed {
        Some(seed) => usize::from(!one(seed)),
        None => all(args.from..args.from + args.seeds),
    };
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all(seeds: std::ops::Range<u64>) -> usize {
    let began = Clock::System.now();
    let seeds: Vec<u64> = seeds.collect();
    let failed = Mutex::new(0);
    parallel::map(&seeds, |seed| {
        let explored = explore(plan(*seed));
        if !explored.complaints.is_empty() {
            say(&report(*seed, &explored));
            *failed.lock().expect("no worker panicked") += 1;
        }
    });
    let seconds = (Clock::System.now() - began).as_seconds_f64();
    let runs = seeds.len();
    let failed = failed.into_inner().expect("no worker panicked");
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = runs as f64 / seconds;
    say(&format!("{runs} seeds, {failed} do not hold; {seconds:.1} s, {rate:.1} runs/s\n"));
    failed
}

/// Plays one seed again; whether everything holds.
fn one(seed: u64) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let explored = explore_in(&folder, plan(seed));
    say(&report(seed, &explored));
    say(&format!("journal {}\n{}\n", explored.journal, folder.display()));
    explored.complaints.is_empty()
}

fn report(seed: u64, explored: &Explored) -> String {
    let plan = &explored.plan;
    let mut text = format!("seed {seed}\n  plan {plan:?}\n  {}\n", in_words(&explored.aftermath));
    for (name, why) in &explored.complaints {
        text.push_str("  NOT: ");
        text.push_str(name);
        text.push_str(": ");
        text.push_str(why.get(..1500).unwrap_or(why));
        text.push('\n');
    }
    text
}

/// Nobody may be reading any more.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
