//! Random schedules: from a seed to a plan of blows, faults, delays and other people's hands, and
//! from a plan to what does not hold after it.

use std::path::Path;
use std::sync::LazyLock;

use fastrand::Rng;
use harness::faults::list_faults;
use lab::manifest::Manifest;
use lab::node::Node;
use lab::routerd::Routerctl;
use lab_mock::faults::{self, Befall, Event, Happening, InterfaceChange, NodeCommand, When};
use reports::digest::Digest;
use reports::journal::JOURNAL_FILE;

use crate::crash::{Aftermath, Blow, Plan, Prior, strike};
use crate::disk::AtAppend;
use crate::invariants::broken;
use crate::smoke;

/// A little more than a run and its recovery have: a number beyond them never falls.
const EFFECTS: u32 = 230;
const APPENDS: u32 = 420;
const RECOVERY_EFFECTS: u32 = 70;
const RECOVERY_APPENDS: u32 = 90;

const ROUTER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 88, 60, 4);
const NEIGHBOUR: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 88, 60, 7);
const CAPTURED: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 88, 60, 9);

/// Commands of the run after which somebody else may act, as rules name them.
const MOMENTS: &[&str] = &[
    "*routerctl plugin run",
    "*action import",
    "*action approve assign-secondary-ip ",
    "*action approve ensure-forwarding-enabled ",
    "*action execute assign-secondary-ip --dry-run",
    "*action execute assign-secondary-ip --approved",
    "*action execute ensure-forwarding-enabled --approved",
    "*action rollback ensure-forwarding-enabled --dry-run",
    "*action rollback ensure-forwarding-enabled --approved",
    "*action rollback assign-secondary-ip --approved",
];

/// Every mock's routerctl is at the same place.
static MANIFEST: LazyLock<Manifest> =
    LazyLock::new(|| harness::labs::mock_manifest(1).expect("the mock's manifest"));

/// The result that a seed came to.
pub struct Explored {
    pub plan: Plan,
    pub aftermath: Aftermath,
    /// The digest of the journal's bytes.
    pub journal: Digest,
    /// The invariants that do not hold, and why.
    pub complaints: Vec<(&'static str, String)>,
}

/// The plan of a seed. The same seed is the same plan for ever, or a seed in a test means nothing.
pub fn plan(seed: u64) -> Plan {
    let mut rng = Rng::with_seed(seed);
    let prior = if rng.bool() { Prior::CheckOn } else { Prior::CheckOff };
    let latency_ms = if rng.bool() { 0 } else { rng.u64(1..400) };
    let faults = named_faults(&mut rng, prior);
    let routerctl = Routerctl::new(&MANIFEST.routerd);
    let others = (0..few(&mut rng)).map(|_| other(&mut rng, routerctl)).collect();
    let run = blows(&mut rng, EFFECTS, APPENDS);
    let recoveries =
        (0..few(&mut rng)).map(|_| blows(&mut rng, RECOVERY_EFFECTS, RECOVERY_APPENDS)).collect();
    Plan {
        seed: rng.u64(0..1 << 32),
        prior,
        faults,
        latency_ms,
        others,
        run,
        recoveries,
        sabotage: None,
    }
}

/// Mostly none or one, sometimes as many as three.
fn few(rng: &mut Rng) -> usize {
    [0, 0, 0, 1, 1, 1, 2, 3][rng.usize(0..8)]
}

fn named_faults(rng: &mut Rng, prior: Prior) -> Vec<String> {
    let epoch = lab_mock::start_time(1);
    let mut world = lab_mock::world_of(1, epoch);
    if prior == Prior::CheckOff && faults::inject_fault(&mut world, "check-off").is_err() {
        return Vec::new();
    }
    let all: Vec<_> = list_faults()
        .filter(|fault| fault.name != "go-after" && fault.name != "check-off")
        .filter(|fault| fault.answer_with(prior == Prior::CheckOn).is_some())
        .collect();
    let wanted = [0, 0, 0, 0, 0, 1, 1, 2][rng.usize(0..8)];
    let mut chosen = Vec::new();
    for _ in 0..wanted {
        let name = all[rng.usize(0..all.len())].name;
        // Two faults of the same row or line cannot be put into one world.
        if faults::inject_fault(&mut world, name).is_ok() {
            chosen.push(name.to_owned());
        }
    }
    chosen
}

/// An event that somebody else causes, and when.
fn other(rng: &mut Rng, routerctl: Routerctl<'_>) -> Event {
    let when = if rng.bool() {
        let pattern = MOMENTS[rng.usize(0..MOMENTS.len())].to_owned();
        When::AfterCommand { node: Node::RouterdCloud, pattern }
    } else {
        When::Due
    };
    let typed = |argv: Vec<String>| {
        Happening::Command(NodeCommand { node: Node::RouterdCloud, argv, stdin: Vec::new() })
    };
    let interface = |primary, change| Happening::Interface { primary, change };
    let row = u64::from(rng.bool()) + 1;
    let what = match rng.u32(0..7) {
        // The routerd daemon imports by itself.
        0 | 1 => typed(routerctl.import().argv),
        // An operator approves by hand, or goes on by hand.
        2 => typed(routerctl.approve(row, "somebody").argv),
        3 => typed(routerctl.execute(row).argv),
        4 => typed(routerctl.rollback(row).argv),
        // A neighbour takes the address.
        5 => interface(NEIGHBOUR, InterfaceChange::Takes(CAPTURED)),
        _ => interface(ROUTER, InterfaceChange::Without(CAPTURED)),
    };
    let delay_ms = [0, 0, rng.u64(0..2_000), rng.u64(0..60_000)][rng.usize(0..4)];
    Event { when, skip: 0, delay_ms, what, seen: 0, due: None, fired: 0 }
}

fn blows(rng: &mut Rng, effects: u32, appends: u32) -> Vec<Blow> {
    (0..few(rng))
        .map(|_| {
            if rng.u32(0..3) == 0 {
                Blow::Append(rng.u32(0..appends), AtAppend::ALL[rng.usize(0..AtAppend::ALL.len())])
            } else {
                Blow::Effect(rng.u32(0..effects), Befall::ALL[rng.usize(0..Befall::ALL.len())])
            }
        })
        .collect()
}

/// Carries a plan out in a folder of its own.
pub fn explore(plan: Plan) -> Explored {
    let folder = smoke::folder();
    explore_in(folder.path(), plan)
}

/// Does the same as [`explore`], where the folder is to be looked at afterwards.
pub fn explore_in(dir: &Path, plan: Plan) -> Explored {
    let aftermath = strike(dir, &plan);
    let complaints = broken(dir, &plan, &aftermath);
    let journal = Digest::of(std::fs::read(dir.join(JOURNAL_FILE)).unwrap_or_default());
    Explored { plan, aftermath, journal, complaints }
}
