//! The one place that reads a clock or sleeps (design I10). Everything else is handed a [`Clock`].

#![expect(clippy::disallowed_methods, reason = "this is the module the ban points to")]

use std::future::Future;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// The lab's time.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// `epoch` plus the tokio time that passed since: virtual where the runtime is paused.
    Virtual { epoch: DateTime<Utc>, start: Instant },
}

/// How long ago it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// The time since the start, by tokio's clock: virtual where the runtime is paused.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A wait that did not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Clock {
    /// A virtual clock that shows `epoch` now. Must be called inside the paused runtime.
    pub fn starting_at(epoch: DateTime<Utc>) -> Self {
        Self::Virtual { epoch, start: Instant::now() }
    }

    /// The time of day by this clock.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Virtual { epoch, start } => *epoch + start.elapsed(),
        }
    }

    /// For how long something is waited: unlike the time of day it never goes backwards, and nobody
    /// sets it.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Waits for so long by tokio's clock: virtual where the runtime is paused.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// # Errors
    /// [`Elapsed`] where `future` has not ended after `limit`; it is dropped.
    pub async fn timeout<F: Future>(
        &self,
        limit: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        tokio::time::timeout(limit, future).await.map_err(|_| Elapsed)
    }

    /// One tick now and one every `period` from now on; what was missed is made up for.
    pub fn ticks(&self, period: Duration) -> tokio::time::Interval {
        tokio::time::interval(period)
    }

    /// For the AWS SDK's configuration.
    pub fn sdk_sleep(&self) -> SharedAsyncSleep {
        SharedAsyncSleep::new(TokioSleep::new())
    }

    /// For the AWS SDK's configuration.
    pub fn sdk_time(&self) -> SharedTimeSource {
        SharedTimeSource::new(*self)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Self::now(self).into()
    }
}
