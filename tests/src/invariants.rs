//! What must hold after every run, whatever befell it: one list, used by the crash matrix and by
//! exploration.

use std::net::Ipv4Addr;
use std::path::Path;

use lab::mock::running_instances;
use lab::mock::world::World;
use lab::node::Node;
use reports::journal::{JOURNAL_FILE, read_chain};
use reports::record::{Kind, Permit, Record, Verdict};

use crate::crash::{Aftermath, End, Prior};

const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);

type Invariant = fn(&Aftermath, &[Record], &World, Prior) -> Result<(), String>;

/// Each with its name.
pub const INVARIANTS: &[(&str, Invariant)] = &[
    ("the captured address is nobody's", address_is_free),
    ("the check is as before the run", check_is_restored),
    ("nothing costs money, or the verdict says so", nothing_costs),
    ("no go, no mutation", nothing_without_a_go),
    ("a run that was hit where it matters does not pass", no_false_pass),
    ("the lab is free for the next run", lock_is_gone),
    ("a run that only died is recovered whole", recovered_whole),
];

/// Every invariant that does not hold, with its name.
pub fn broken(dir: &Path, aftermath: &Aftermath, prior: Prior) -> Vec<String> {
    let bytes = std::fs::read(dir.join(JOURNAL_FILE)).unwrap_or_default();
    let chain = match read_chain(&bytes) {
        Ok(chain) => chain,
        Err(error) => return vec![format!("the journal's chain verifies: {error}")],
    };
    let world = aftermath.world.lock();
    let broken = INVARIANTS.iter().filter_map(|(name, holds)| {
        let why = holds(aftermath, &chain.records, &world, prior).err()?;
        Some(format!("{name}: {why}"))
    });
    broken.collect()
}

/// Whether what came out says that something is not as it should be.
fn says_so(aftermath: &Aftermath) -> bool {
    let judgement = match (&aftermath.recovered, &aftermath.end) {
        (Some(judgement), _) | (None, End::Judged(judgement)) => judgement,
        (None, End::Killed) => return false,
    };
    matches!(judgement.exit_code, 5 | 6 | 70)
}

fn address_is_free(
    aftermath: &Aftermath,
    _records: &[Record],
    world: &World,
    _prior: Prior,
) -> Result<(), String> {
    match world.cloud.owner_of(CAPTURED) {
        Some(eni) if !says_so(aftermath) => Err(format!("{} has it", eni.id)),
        _ => Ok(()),
    }
}

fn check_is_restored(
    aftermath: &Aftermath,
    _records: &[Record],
    world: &World,
    prior: Prior,
) -> Result<(), String> {
    let Some(eni) = world.cloud.owner_of(ROUTER) else { return Ok(()) };
    let wanted = prior == Prior::On;
    if eni.source_dest_check == wanted || says_so(aftermath) {
        Ok(())
    } else {
        Err(format!("it is {}, and was {wanted}", eni.source_dest_check))
    }
}

fn nothing_costs(
    aftermath: &Aftermath,
    records: &[Record],
    world: &World,
    _prior: Prior,
) -> Result<(), String> {
    // A run that died before its first record is none: there is nothing to recover.
    if records.is_empty() {
        return Ok(());
    }
    let running = running_instances(world, world.now);
    let stopped =
        matches!(&aftermath.end, End::Judged(it) if !touched(records) && it.exit_code != 0);
    if running.is_empty() || says_so(aftermath) || stopped {
        Ok(())
    } else {
        Err(format!("{} run", running.join(", ")))
    }
}

fn touched(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(record.kind, Kind::GoBurnt(_)))
}

fn nothing_without_a_go(
    _aftermath: &Aftermath,
    records: &[Record],
    _world: &World,
    _prior: Prior,
) -> Result<(), String> {
    let mut verified = false;
    for record in records {
        match &record.kind {
            Kind::GoVerified(_) => verified = true,
            Kind::Intent(intent) if !verified && intent.permit != Permit::Cost => {
                return Err(format!("{} on {}", intent.what, intent.resource));
            }
            _ => {}
        }
    }
    Ok(())
}

fn no_false_pass(
    aftermath: &Aftermath,
    records: &[Record],
    _world: &World,
    _prior: Prior,
) -> Result<(), String> {
    let recovered = records.iter().any(|it| matches!(it.kind, Kind::RecoveryStarted(_)));
    let judgement = aftermath.recovered.as_ref();
    match judgement {
        Some(judgement) if recovered && judgement.verdict == Verdict::Pass => {
            Err("a recovered run passes".to_owned())
        }
        _ => Ok(()),
    }
}

/// Nothing is wrong with a lab whose harness died: recovery has no reason to leave anything.
fn recovered_whole(
    aftermath: &Aftermath,
    _records: &[Record],
    _world: &World,
    _prior: Prior,
) -> Result<(), String> {
    match &aftermath.recovered {
        Some(judgement) if judgement.recover_exit_code() != 0 => {
            Err(format!("it answers {}: {}", judgement.exit_code, judgement.reasons.join("; ")))
        }
        _ => Ok(()),
    }
}

fn lock_is_gone(
    aftermath: &Aftermath,
    _records: &[Record],
    world: &World,
    _prior: Prior,
) -> Result<(), String> {
    let router = world.machines.get(Node::RouterdCloud);
    let gone = world.cloud.owner_of(ROUTER).is_none();
    let held = router.files.contents(lab::act::LOCK_PATH).is_some();
    if !held || gone || says_so(aftermath) {
        Ok(())
    } else {
        Err("its file is still on routerd-cloud".to_owned())
    }
}
