//! The programs that run on a lab's nodes: the executor, the planner, a stand-in for routerctl and the
//! outage probe, each with one public `main`, and the machine that they run on.

pub mod executor;
pub mod host;
pub mod outage;
pub mod planner;
pub mod process;
pub mod routerctl;
