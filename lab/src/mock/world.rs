//! The world: everything the mock lab's three faces show, in one value that can be saved and
//! loaded (`world.json`). Nothing here waits or reads a clock: time is handed in.

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::cloud::Cloud;
use super::faults::Faults;
use super::machines::Machines;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    pub seed: u64,
    /// The world's time when it was last saved, so that it goes on from there.
    pub now: DateTime<Utc>,
    /// What EC2, STS and IAM know.
    pub cloud: Cloud,
    /// What the four nodes are: interfaces, routes, files, rules.
    pub machines: Machines,
    pub faults: Faults,
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
