//! The programs that run on a lab's nodes: the executor, the planner, stand-ins for routerctl and for a
//! service manager, and the outage probe, each with one public `main`, and the machine that they run on.

pub mod executor;
pub mod host;
pub mod outage;
pub mod planner;
pub mod process;
pub mod routerctl;
pub mod services;
