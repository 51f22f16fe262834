//! One binary, five programs: which one is decided by the name it was called by.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use crate::commands;
use crate::labs::Labs;

/// A program of the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BundledProgram {
    LabSmoke,
    Executor,
    Planner,
    Routerctl,
    OutageProbe,
}

impl BundledProgram {
    fn named(called_as: Option<&OsStr>) -> Self {
        match called_as.and_then(|name| Path::new(name).file_name()).and_then(OsStr::to_str) {
            Some("aws-provider-executor") => Self::Executor,
            Some("lab-planner") => Self::Planner,
            Some("routerctl") => Self::Routerctl,
            Some("outage-probe") => Self::OutageProbe,
            _ => Self::LabSmoke,
        }
    }
}

/// `words` are the process's, its name first.
pub fn main(words: Vec<OsString>) -> ExitCode {
    // The insides of the kernel lab: its supervisor, and the programs on its nodes.
    if let Some(code) = lab_netns::dispatch(&words) {
        return code;
    }
    match BundledProgram::named(words.first().map(OsString::as_os_str)) {
        BundledProgram::LabSmoke => commands::main(words, &Labs::built_in()),
        BundledProgram::Executor => lab_programs::host::run_program(lab_programs::executor::main),
        BundledProgram::Planner => lab_programs::host::run_program(lab_programs::planner::main),
        BundledProgram::Routerctl => lab_programs::host::run_program(lab_programs::routerctl::main),
        BundledProgram::OutageProbe => lab_programs::host::run_program(lab_programs::outage::main),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_wherever_the_link_lies() {
        let table = [
            (Some("lab-smoke"), BundledProgram::LabSmoke),
            (Some("/opt/routerd/aws-provider-executor"), BundledProgram::Executor),
            (Some("./lab-planner"), BundledProgram::Planner),
            (Some("routerctl"), BundledProgram::Routerctl),
            (Some("/usr/local/sbin/outage-probe"), BundledProgram::OutageProbe),
            (Some("routerctl-old"), BundledProgram::LabSmoke),
            (None, BundledProgram::LabSmoke),
        ];
        for (name, program) in table {
            assert_eq!(BundledProgram::named(name.map(OsStr::new)), program, "{name:?}");
        }
    }
}
