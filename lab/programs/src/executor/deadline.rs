//! How long one request may take. routerd kills an executor after its plugin's timeout, 30 s by
//! default, and then nobody learns what the executor knew; so everything ends before that.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use futures::FutureExt;
use futures::future::{BoxFuture, Either, Shared, select};

/// Whatever only reads has ended by then.
pub(super) const READS_END: Duration = Duration::from_secs(15);

/// Whatever was sent has been answered by then or is called unknown: routerd's 30 s less what it
/// takes to start and to write the result.
pub(super) const ALL_ENDS: Duration = Duration::from_secs(25);

/// Both ends, counted from the start of the request.
pub(super) struct Deadline {
    reads: Shared<BoxFuture<'static, ()>>,
    all: Shared<BoxFuture<'static, ()>>,
}

/// The time was up first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TimeUp;

impl Deadline {
    pub fn starting_now(sleep: &SharedAsyncSleep) -> Self {
        Self {
            reads: sleep.sleep(READS_END).boxed().shared(),
            all: sleep.sleep(ALL_ENDS).boxed().shared(),
        }
    }

    pub async fn read<T>(&self, call: BoxFuture<'_, T>) -> Result<T, TimeUp> {
        race(self.reads.clone(), call).await
    }

    /// A mutation has at least the ten seconds between the two ends: one that would have less is
    /// not to be begun.
    pub fn may_begin_mutation(&self) -> Result<(), TimeUp> {
        match self.reads.clone().now_or_never() {
            Some(()) => Err(TimeUp),
            None => Ok(()),
        }
    }

    pub async fn mutation<T>(&self, call: BoxFuture<'_, T>) -> Result<T, TimeUp> {
        race(self.all.clone(), call).await
    }
}

/// The end is looked at first, so that nothing is sent after it. Calls come boxed: the SDK's futures
/// are so deep that the compiler gives up on the layout of whatever holds one.
async fn race<T>(end: Shared<BoxFuture<'static, ()>>, call: BoxFuture<'_, T>) -> Result<T, TimeUp> {
    match select(end, call).await {
        Either::Left(_) => Err(TimeUp),
        Either::Right((output, _)) => Ok(output),
    }
}
