//! The command line of `lab-smoke`: what is asked for, on which lab, how the run is carried out,
//! and what a terminal shows of it.

pub mod cli;
mod commands;
mod descriptors;
pub mod engine;
pub mod faults;
pub mod grant;
pub mod labs;
pub mod multicall;
mod perform;
mod printer;
pub mod selection;
mod signals;
mod terminal;
mod words;

pub use commands::answer_on;
