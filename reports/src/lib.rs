//! The definition of evidence. A verifier links this crate alone: it knows neither EC2's API nor
//! how a run works.

// The tests of the go share a file with those against ssh-keygen, which see this crate from outside.
#[cfg(test)]
extern crate self as reports;

pub mod bundle;
pub mod digest;
pub mod effect;
pub mod evidence;
mod fold;
pub mod folder;
pub mod go;
pub mod journal;
pub mod junit;
pub mod operation;
pub mod page;
pub mod record;
pub mod redact;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod seal;
pub mod shown;
pub mod standing;
pub mod summary;
pub mod verdict;
pub mod verify;
