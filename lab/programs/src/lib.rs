//! The programs that run on a lab's nodes: the executor, the planner, stand-ins for routerctl, the AWS CLI
//! and a service manager, and the outage probe, each with one public `main`, and the machine that they run on.

pub mod aws_cli;
pub mod executor;
pub mod host;
pub mod outage;
pub mod planner;
pub mod process;
pub mod routerctl;
pub mod services;
