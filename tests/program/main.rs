//! The programs from outside: `lab-smoke` as a shell starts it, the node-side ones from stdin to
//! stdout, the mock's EC2 over HTTP.

mod cli;
mod corners;
mod docs;
mod evidence;
mod folder;
mod over_http;
mod own_lab;
mod packed;
mod programs;
mod recover;
mod run;
mod secrets;
mod serve;
