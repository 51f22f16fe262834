//! How long the captured address is out of reach while the run moves it: what a program on the nodes
//! says that sends and hears numbered datagrams, who drives it, and the arithmetic on what was heard.

mod exchange;
mod figures;
mod watch;

use std::time::Duration;

pub use exchange::{ExchangeOrder, Exchanged, OpenedConnection, ProbeSilence};
pub use figures::{Arrival, ProbeReport, Spans, compute_flow_outage};
pub use watch::{ChangeMark, Margins, Watched, watch_change};

/// The port of the probe's datagrams, on both clients.
pub const PORT: u16 = 7311;
/// After that long a probe ends by itself: longer than a change that is worth measuring.
pub const LIFE: Duration = Duration::from_secs(30);
