//! The blow that befalls the n-th effect of a run, whatever that effect is, so that a test can go
//! through all of them; and the effects themselves, as they were asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::world::{Shared, World};
use lab::clock::Clock;
use lab::node::Node;

/// A blow that can befall an effect: an EC2 call, or a command sent to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Befall {
    /// The harness dies before it is asked for.
    KilledBefore,
    /// It is carried out, and the harness dies before it knows.
    KilledAfter,
    /// The harness dies, and the node carries it out some time later.
    KilledMeanwhile,
    /// It is carried out, and the answer never comes.
    ReplyLost,
    /// It is not carried out, and no answer comes.
    RequestLost,
    /// AWS says: slow down.
    Throttled,
    /// A describe answers from before the last change.
    Stale,
    /// Carried out, and answered with something that is no answer.
    Garbage,
    /// Not carried out, and nothing is ever said.
    Hang,
}

impl Befall {
    pub const ALL: [Self; 9] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::KilledMeanwhile,
        Self::ReplyLost,
        Self::RequestLost,
        Self::Throttled,
        Self::Stale,
        Self::Garbage,
        Self::Hang,
    ];

    /// Whether the harness ends by it.
    pub fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter | Self::KilledMeanwhile)
    }
}

/// The kind of an effect, as far as it says what can befall it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectKind {
    /// The harness asks EC2, STS or IAM.
    ApiRead,
    /// The harness changes something in EC2.
    ApiChange,
    /// The executor on the node asks EC2.
    ExecutorRead,
    /// The executor on the node changes the ENI.
    ExecutorChange,
    /// A command that looks.
    NodeRead,
    /// A command that changes the node: its files, routerd's database.
    NodeChange,
    /// A command that lets routerd or its executor change the ENI.
    NodeAction,
}

impl EffectKind {
    pub const ALL: [Self; 7] = [
        Self::ApiRead,
        Self::ApiChange,
        Self::ExecutorRead,
        Self::ExecutorChange,
        Self::NodeRead,
        Self::NodeChange,
        Self::NodeAction,
    ];

    /// The table of what can befall what. A change is never answered from before itself, a command
    /// is not throttled, and who kills the harness does not kill the executor on the node. A read
    /// that was lost on the way there is the same as one that was lost on the way back.
    pub fn befalls(self) -> &'static [Befall] {
        use Befall as B;
        match self {
            Self::ApiRead => &[
                B::KilledBefore,
                B::KilledAfter,
                B::ReplyLost,
                B::Throttled,
                B::Stale,
                B::Garbage,
                B::Hang,
            ],
            Self::ApiChange => &[
                B::KilledBefore,
                B::KilledAfter,
                B::ReplyLost,
                B::RequestLost,
                B::Throttled,
                B::Garbage,
                B::Hang,
            ],
            Self::ExecutorRead => &[B::ReplyLost, B::Throttled, B::Stale, B::Garbage, B::Hang],
            Self::ExecutorChange => {
                &[B::ReplyLost, B::RequestLost, B::Throttled, B::Garbage, B::Hang]
            }
            Self::NodeRead => &[B::KilledBefore, B::KilledAfter, B::ReplyLost, B::Garbage, B::Hang],
            Self::NodeChange => &[
                B::KilledBefore,
                B::KilledAfter,
                B::ReplyLost,
                B::RequestLost,
                B::Garbage,
                B::Hang,
            ],
            Self::NodeAction => &[
                B::KilledBefore,
                B::KilledAfter,
                B::KilledMeanwhile,
                B::ReplyLost,
                B::RequestLost,
                B::Garbage,
                B::Hang,
            ],
        }
    }

    /// The kind of a command, by its words without `sudo -n` and by what it reads.
    pub fn of_command(line: &str, stdin: &[u8]) -> Self {
        let has = |part: &str| line.contains(part);
        if has(" sts get-caller-identity") || has(" --dry-run ") || is_dry_run(stdin) {
            Self::NodeRead
        } else if has("--approved") || line.starts_with("env -i PATH=") {
            Self::NodeAction
        } else if has(" action import")
            || has(" action approve ")
            || has(" plugin run ")
            || has("cat > \"$1")
            || line.starts_with("rm ")
            || [" arm-switch ", " renew-switch ", " disarm-switch "].into_iter().any(has)
        {
            Self::NodeChange
        } else {
            Self::NodeRead
        }
    }

    /// Whether it changes something.
    pub fn changes(self) -> bool {
        !matches!(self, Self::ApiRead | Self::ExecutorRead | Self::NodeRead)
    }
}

/// Whether it is a request to the executor that only asks what it would do.
fn is_dry_run(stdin: &[u8]) -> bool {
    let request: Option<serde_json::Value> = serde_json::from_slice(stdin).ok();
    request.is_some_and(|request| request["spec"]["mode"] == "dry-run")
}

/// An effect that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenEffect {
    /// The call, or the node and the command's words.
    pub name: String,
    pub kind: EffectKind,
    /// Whether anything was changed in EC2 before: else there is nothing stale to be read.
    pub after_a_change: bool,
    pub ends: Ends,
}

/// When a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    ByItself,
    /// Once nobody follows it any more: nothing comes after it.
    WithWhoFollows,
}

impl SeenEffect {
    pub fn befalls(&self) -> impl Iterator<Item = Befall> {
        let (stale, ends) = (self.after_a_change, self.ends == Ends::ByItself);
        let all = self.kind.befalls().iter().copied();
        all.filter(move |it| match it {
            Befall::Stale => stale,
            Befall::KilledAfter => ends,
            _ => true,
        })
    }
}

/// A blow that is to befall one effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nth {
    /// From 0.
    pub at: u32,
    pub what: Befall,
    pub fired: u32,
    /// Which effect it was.
    pub named: String,
}

impl Nth {
    pub fn new(at: u32, what: Befall) -> Self {
        Self { at, what, fired: 0, named: String::new() }
    }
}

/// All that is to befall effects by their number, and all that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Blows {
    pub planned: Vec<Nth>,
    #[serde(skip)]
    pub seen: Vec<SeenEffect>,
    #[serde(skip)]
    pub witness: Option<Witness>,
}

/// Is shown the world wherever an effect could kill the harness, so that a test need not kill one
/// process after another to know what each leaves. The world's time is now.
#[derive(Clone)]
pub struct Witness(pub Arc<dyn Fn(Death<'_>, World) + Send + Sync>);

/// Where the harness could die.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a> {
    pub at: u32,
    pub what: Befall,
    pub effect: &'a SeenEffect,
    /// How many effects were asked for until now.
    pub asked_for: usize,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

impl PartialEq for Witness {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Shows the witness, if there is one, what is left where the harness dies here.
pub(crate) fn could_die(shared: &Shared, clock: Clock, at: u32, what: Befall) {
    let world = shared.lock();
    let blows = &world.faults.blows;
    let Some(Witness(witness)) = &blows.witness else { return };
    let Some(effect) = blows.seen.get(at as usize) else { return };
    if effect.befalls().any(|it| it == what) {
        let asked_for = blows.seen.len();
        witness(Death { at, what, effect, asked_for }, left_now(&world, clock));
    }
}

/// The world as a dead process leaves it, nothing being planned for the next one: what it had open
/// on the nodes ends with its connections.
pub fn left_now(world: &World, clock: Clock) -> World {
    let mut left = world.clone();
    for node in Node::ALL {
        left.machines.get_mut(node).sockets.clear();
    }
    left.faults.blows = Blows::default();
    left.now = clock.now();
    left
}

/// An effect's number, and what befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NthEffect {
    pub at: u32,
    pub befalls: Option<Befall>,
}

impl Blows {
    /// The effect's number, and the blow that befalls it. A blow that the table does not name for
    /// it does not fall.
    pub(super) fn next(&mut self, seen: SeenEffect) -> NthEffect {
        let number = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
        let hit = self
            .planned
            .iter_mut()
            .find(|blow| blow.at == number && seen.befalls().any(|it| it == blow.what));
        let what = hit.map(|blow| {
            blow.fired += 1;
            blow.named.clone_from(&seen.name);
            blow.what
        });
        self.seen.push(seen);
        NthEffect { at: number, befalls: what }
    }
}

/// With which the harness's own process ends in a test: nothing after it runs.
#[derive(Clone, Copy, Debug)]
pub struct Killed;

/// # Panics
/// Always: this is how a process that is killed in the middle looks to what it held.
pub fn kill_process() -> ! {
    std::panic::panic_any(Killed)
}
