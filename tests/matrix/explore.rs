//! Seeds of random schedules: each holds, and each is the same run whenever it is played.

use lab_smoke_tests::crash::quiet;
use lab_smoke_tests::explore::{explore, plan};
use lab_smoke_tests::{extent, parallel};

/// The seeds that CI explores, and those of a short run; `cargo run -p lab-smoke-tests --bin explore`
/// explores more.
const SEEDS: usize = 200;
const FEW: usize = 50;
/// How many of them are played twice.
const TWICE: u64 = 20;

#[test]
fn whatever_is_done_to_a_lab_at_random_the_invariants_hold() {
    quiet();
    let count = extent::number("LAB_SMOKE_SEEDS", FEW, SEEDS);
    extent::say_left_out("seeds", count, SEEDS);
    let seeds: Vec<u64> = (0..).take(count).collect();
    let wrong: Vec<String> = parallel::map(&seeds, |seed| {
        let complaints = explore(plan(*seed)).complaints;
        complaints
            .into_iter()
            .map(|(name, why)| format!("seed {seed}: {name}: {why}"))
            .collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_seed_is_the_same_run_byte_for_byte() {
    quiet();
    let seeds: Vec<u64> = (0..TWICE).flat_map(|seed| [seed, seed]).collect();
    let played = parallel::map(&seeds, |seed| {
        let explored = explore(plan(*seed));
        (explored.journal, format!("{:?}", explored.aftermath.run))
    });
    for (seed, pair) in played.chunks(2).enumerate() {
        assert_eq!(pair[0], pair[1], "seed {seed}");
    }
    assert_ne!(played[0].0, played[2].0, "another seed is another run");
}
