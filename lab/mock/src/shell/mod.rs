//! The shell of a node: it answers a command that the operator sends, run by a model of the
//! programs that the scenarios use. A program or an option that the model does not know fails as a
//! real one that lacks it would.

mod aws;
mod connections;
mod conntrack;
mod curl;
mod date;
mod entry;
mod exec;
mod files;
mod grep;
mod ip;
mod ip_more;
mod iptables;
mod kernel;
mod nft;
mod ping;
mod probe;
mod programs;
mod session;
mod sh;
mod ssh;
mod stat;
mod sysctl;
mod systemctl;
mod tcpdump;
#[cfg(test)]
mod tests;
mod text;
mod timer;
mod wrap;

pub use entry::{Lost, follow_command, run_command, run_what_was_begun};
pub use probe::PROBE;
pub(super) use programs::{Executable, program_at};
pub(super) use session::{Input, Io, Session, Sink};
