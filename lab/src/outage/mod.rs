//! How long the captured address is out of reach while the run moves it: a program on the nodes that
//! sends and hears numbered datagrams, who drives it, and the arithmetic on what was heard.

mod exchange;
mod figures;
mod program;
mod watch;

pub use exchange::{Connection, Exchanged, Order};
pub use figures::{Report, Spans, figures};
pub use program::{LIFE, PORT, main};
pub use watch::{Margins, Mark, Watched, watch};
