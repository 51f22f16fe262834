//! `aws-provider-executor`: carries out one provider action of routerd. A request on stdin, a
//! result on stdout; the API calls, their order and every word that routerd or its users may read
//! are those of the executor that routerd ships, which drives the AWS CLI instead.
//!
//! It is better than that one only in what nobody can have come to rely on: a mutation is sent
//! once, every request ends inside routerd's own plugin timeout, an answer that is cut off is not
//! read as a fact, and a machine without an identity says so.
//!
//! Its raw calls of EC2 are nobody else's:
//!
//! ```compile_fail,E0603
//! use lab_programs::executor::ec2::Caller;
//! ```

mod action;
mod answer;
mod deadline;
mod decode;
mod ec2;
mod error;
pub(crate) mod identity;
mod perform;
mod preview;
mod protocol;

use crate::process::Process;
use lab::node::Output;

use action::{ExecutorOrder, Mode};
use ec2::Ec2Caller;
use protocol::{ActionRequest, ExecuteActionStatus};

/// Any request that can be decoded is answered with a result and exit code 0, failures included;
/// one that cannot is a line on stderr and exit code 1.
pub async fn main(process: Process<'_>) -> Output {
    let request = match decode::decode_request(&process.stdin) {
        Ok(request) => request,
        Err(reason) => return refused(&reason),
    };
    let status = answer(&process, &request).await;
    Output { code: 0, stdout: protocol::encode_result(&status), stderr: Vec::new() }
}

async fn answer(process: &Process<'_>, request: &ActionRequest) -> ExecuteActionStatus {
    let order = match ExecutorOrder::parse(request) {
        Ok(order) => order,
        Err(status) => return status,
    };
    let caller = Ec2Caller::new(process, &order.region);
    match order.mode {
        Mode::DryRun => preview::preview_action(caller.describer(), &order.action).await,
        Mode::Execute => perform::perform_action(&caller, &order.action).await,
    }
}

fn refused(reason: &str) -> Output {
    let line = format!("aws-provider-executor: parse ExecuteActionRequest: {reason}\n");
    Output { code: 1, stdout: Vec::new(), stderr: line.into_bytes() }
}
