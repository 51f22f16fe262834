//! A run's folder, as real processes find it: among what others put there, remove and replace while
//! a run goes on, on full disks, and under any name.

mod alive;
mod limits;
mod lost;
mod names;
mod place;
