//! How long a wake waits for each of its stages: parameters, seconds in a test.

use std::time::Duration;

use crate::Lab;

/// The limits of a wake's stages, and how often they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeLimits {
    /// How long started nodes may take until they answer, and the lab until it is what it was.
    pub boot: Duration,
    /// How long an instance may take to stop, or to run: as long as EC2's own waiters give it.
    pub settles: Duration,
    /// How long EC2 may take to show a running instance's address.
    pub address: Duration,
    /// Between two looks.
    pub look: Duration,
    /// A wake that took longer leaves the first node's switch too little time for what comes then.
    pub long: Duration,
}

impl Default for WakeLimits {
    fn default() -> Self {
        Self {
            boot: Duration::from_mins(5),
            settles: Duration::from_mins(10),
            address: Duration::from_mins(1),
            look: Duration::from_secs(5),
            long: Duration::from_mins(2),
        }
    }
}

impl Lab {
    /// The limits of a wake.
    pub fn wake_limits(&self) -> WakeLimits {
        self.wake_limits
    }

    /// The same lab, with other limits of a wake.
    #[must_use]
    pub fn with_wake_limits(mut self, wake_limits: WakeLimits) -> Self {
        self.wake_limits = wake_limits;
        self
    }
}
