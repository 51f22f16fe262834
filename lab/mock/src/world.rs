//! The world: everything the mock lab's three faces show, in one value that can be saved and
//! loaded (`world.json`). Nothing here waits or reads a clock: time is handed in.

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::cloud::Cloud;
use super::faults::Faults;
use super::machines::Machines;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct World {
    pub seed: u64,
    /// The world's time when it was last saved, so that it goes on from there.
    pub now: DateTime<Utc>,
    /// The model of everything that EC2, STS and IAM know.
    pub cloud: Cloud,
    /// The model of the four nodes: interfaces, routes, files, rules.
    pub machines: Machines,
    pub faults: Faults,
    /// The lab just before the harness first stopped or ended something that costs: what a run owes
    /// is looked at there, since an ENI ends with its instance. For tests.
    #[serde(skip)]
    pub at_first_end: Option<Box<LabState>>,
}

/// The part of the world that a run has to leave as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct LabState {
    pub cloud: Cloud,
    pub machines: Machines,
}

impl World {
    pub(super) fn ends_something(&mut self) {
        if self.at_first_end.is_none() {
            let lab = LabState { cloud: self.cloud.clone(), machines: self.machines.clone() };
            self.at_first_end = Some(Box::new(lab));
        }
    }
}

/// The one world, shared by its faces. The lock is never held over an await.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// # Panics
    /// Where a panic happened under the lock: the world is then no longer to be trusted.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("the world was left half-changed by a panic")
    }
}
