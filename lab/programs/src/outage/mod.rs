//! `outage-probe`, on the clients.

mod exchange;
mod program;

pub use program::main;
