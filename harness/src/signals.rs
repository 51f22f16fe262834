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
