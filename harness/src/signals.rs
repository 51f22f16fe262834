//! The signals that a run listens to, as a stream of their names.

use std::io;
use std::time::Duration;

use futures::stream::{self, Stream};
use lab::clock::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};

struct Listening {
    interrupt: Signal,
    terminate: Signal,
    /// Listening is enough to survive it: a terminal that closes is no reason to leave a lab.
    _hang_up: Signal,
}

/// A file above the size that this process may write (`ulimit -f`) is a full disk to whoever writes
/// it, and no end of the process. Holds until the process ends; must be called where no runtime is
/// entered yet.
pub fn survive_large_files() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    // What handles it once stays, and nobody need hear it: the write says so itself.
    signal(SignalKind::from_raw(nix::libc::SIGXFSZ)).map(drop)
}

/// `SIGINT` and `SIGTERM` as they come. Must be called inside the runtime; from then on none of
/// the three ends the process by itself.
pub fn listen() -> io::Result<impl Stream<Item = &'static str> + Unpin> {
    let listening = Listening {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        _hang_up: signal(SignalKind::hangup())?,
    };
    Ok(Box::pin(stream::unfold(listening, async |mut it| {
        let name = tokio::select! {
            Some(()) = it.interrupt.recv() => "SIGINT",
            Some(()) = it.terminate.recv() => "SIGTERM",
            else => return None,
        };
        Some((name, it))
    })))
}

/// The limit of a command, as a signal that comes once and after which others may come.
pub const TIMEOUT: &str = "timeout";

/// The same signals, and [`TIMEOUT`] after so long by the lab's clock.
pub fn with_limit<'a>(
    signals: impl Stream<Item = &'static str> + Unpin + 'a,
    clock: Clock,
    limit: Option<Duration>,
) -> impl Stream<Item = &'static str> + Unpin + 'a {
    let passed = stream::unfold(limit, move |limit| async move {
        clock.sleep(limit?).await;
        Some((TIMEOUT, None))
    });
    Box::pin(stream::select(signals, passed))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use nix::sys::signal::{Signal, raise};

    use super::*;

    /// Virtual seconds, as many as a run may wait before it must have heard a signal.
    const PATIENCE_SECONDS: u32 = 10_000;

    #[tokio::test(start_paused = true)]
    async fn signals_are_heard_in_virtual_time_and_a_hang_up_is_survived() {
        let mut signals = listen().expect("a runtime with a signal driver");
        let clock = Clock::System;
        for (raised, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT")] {
            raise(Signal::SIGHUP).expect("raised");
            raise(raised).expect("raised");
            let busy = async {
                for _ in 0..PATIENCE_SECONDS {
                    clock.sleep(Duration::from_secs(1)).await;
                }
            };
            tokio::select! {
                heard = signals.next() => assert_eq!(heard, Some(name)),
                () = busy => panic!("{name} was not heard"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_passes_once_and_signals_are_heard_beside_it() {
        let limit = Some(Duration::from_mins(1));
        let mut signals = with_limit(stream::empty(), Clock::System, limit);
        assert_eq!(signals.next().await, Some(TIMEOUT));
        assert_eq!(signals.next().await, None);
        let mut unlimited = with_limit(stream::iter(["SIGINT"]), Clock::System, None);
        assert_eq!(unlimited.next().await, Some("SIGINT"));
    }
}
