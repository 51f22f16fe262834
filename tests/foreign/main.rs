//! The programs of others judge ours: ssh-keygen the go, the AWS CLI and botocore the mock's EC2,
//! moto what differs, junitparser the report for CI, and what AWS answered to others. Without them the trials are ignored with the reason, and fail where
//! `LAB_SMOKE_REQUIRE_FOREIGN=1`.

mod aws_cli;
mod go;
mod junit;
mod page;
mod recordings;
mod referee;
mod served;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let groups = [
        go::trials(),
        served::trials(),
        aws_cli::trials(),
        referee::trials(),
        recordings::trials(),
        junit::trials(),
        page::trials(),
    ];
    let trials = groups.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
