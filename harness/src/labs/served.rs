//! The mock's cloud, served to other programs.

use std::io;
use std::time::Duration;

use lab::clock::Clock;
use lab_mock::serve::{ServeOptions, Serving, serve_with};
use lab_mock::world::Shared;

use super::MockOptions;

/// A served mock.
pub struct Served {
    serving: Serving,
    /// To be exported in a shell, in this order.
    pub exports: Vec<(String, String)>,
}

/// How long open connections are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Served {
    pub async fn stop(self) -> io::Result<()> {
        self.serving.stop(Clock::System.sleep(PATIENCE)).await
    }
}

/// Serves the mock of this seed on loopback, in real time. Must be called inside an unpaused
/// runtime.
pub async fn serve_mock(options: &MockOptions, serve: ServeOptions) -> Result<Served, ServeError> {
    let clock = Clock::System;
    let mut world = lab_mock::world_of(options.seed, clock.now());
    for fault in &options.faults {
        lab_mock::faults::inject_fault(&mut world, fault)?;
    }
    let cloud = world.cloud.clone();
    let serving = serve_with(Shared::new(world), clock, serve).await?;
    let exports = serving.exports(&cloud);
    Ok(Served { serving, exports })
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the mock cannot be served: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Fault(#[from] lab_mock::faults::BadFault),
}
