//! The signals that a run listens to, as a stream of their names.

use std::io;

use futures::stream::{self, Stream};
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt;
    use lab::clock::Clock;
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
}
