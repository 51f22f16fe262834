//! One thing that befalls the n-th effect the harness asks for, whatever that effect is: so that a
//! test can go through all of them.

use serde::{Deserialize, Serialize};

/// What can befall an effect: an EC2 call of the operator, or a command sent to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Befall {
    /// The harness dies before it is asked for.
    KilledBefore,
    /// It is carried out, and the harness dies before it knows.
    KilledAfter,
    /// It is carried out, and the answer never comes.
    ReplyLost,
    /// It is not carried out, and no answer comes.
    RequestLost,
    /// AWS says: slow down. A command to a node is not throttled.
    Throttled,
    /// A describe answers from before the last change. A command to a node is not stale.
    Stale,
    /// Carried out, and answered with something that is no answer.
    Garbage,
    /// Not carried out, and nothing is ever said.
    Hang,
}

impl Befall {
    pub const ALL: [Self; 8] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::ReplyLost,
        Self::RequestLost,
        Self::Throttled,
        Self::Stale,
        Self::Garbage,
        Self::Hang,
    ];
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nth {
    /// From 0.
    pub at: u32,
    pub what: Befall,
    /// Effects so far.
    pub seen: u32,
    pub fired: u32,
    /// Which effect it was.
    pub named: String,
}

impl Nth {
    pub fn new(at: u32, what: Befall) -> Self {
        Self { at, what, seen: 0, fired: 0, named: String::new() }
    }

    /// What befalls this effect, if it is the one.
    pub(super) fn next(&mut self, name: &str) -> Option<Befall> {
        let here = self.seen == self.at;
        self.seen += 1;
        if !here {
            return None;
        }
        self.fired += 1;
        name.clone_into(&mut self.named);
        Some(self.what)
    }
}

/// With which the harness's own process ends in a test: nothing after it runs.
#[derive(Clone, Copy, Debug)]
pub struct Killed;

/// # Panics
/// Always: this is how a process that is killed in the middle looks to what it held.
pub fn kill() -> ! {
    std::panic::panic_any(Killed)
}
