//! Answers that do not arrive or mean nothing: routerctl's, whose outcome is then read back from its
//! database, and EC2's, as the SDK passes them on.

use super::fault::{Fault, Primary};
use super::hand::{
    APPROVE_ASSIGN, Done, EXECUTE_ASSIGN, IMPORT, PLUGIN_RUN, UNDO_ADDRESS, api, command,
};
use super::rules::{ApiEffect, Caller, CommandEffect};
use crate::world::World;

const READ: &str = "DescribeNetworkInterfaces";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::tolerated("plan-reply-lost", "the planner's plans are stored and the reply is lost", plan_reply_lost)
        .from("§7.1", "design I5"),
    Fault::tolerated("import-reply-lost", "the import's reply is lost", import_reply_lost)
        .from("§7.2", "design I5"),
    Fault::tolerated("import-reply-garbled", "what arrives as the import's reply is no reply", import_reply_garbled)
        .from("§7.2", "design I5"),
    Fault::caught("import-request-lost", "the connection breaks before routerctl imports anything", Primary::Assertion("import.imported"), import_request_lost)
        .also(&["import.assign-pending", "import.forwarding-pending"]).from("§7.2", "design I5"),
    Fault::tolerated("approve-reply-lost", "the approval's reply is lost", approve_reply_lost)
        .from("§7.3", "design I5"),
    Fault::caught("approve-request-lost", "the connection breaks before routerctl approves the assignment", Primary::Assertion("approve.assign-approved"), approve_request_lost)
        .leaves_approved_rows().from("§7.3", "design I5"),
    Fault::caught("execute-request-lost", "the connection breaks before routerctl executes the assignment", Primary::Assertion("execute.assign-succeeded"), execute_request_lost)
        .exits(4).also(&["execute.assign-on-eni"]).trips(&["ambiguous"]).leaves_approved_rows().from("§8.5", "design I5"),
    Fault::tolerated("rollback-request-lost", "the connection breaks before routerctl takes the address off: the executor is asked", rollback_request_lost)
        .from("§6.2", "contract F5"),
    Fault::caught("truncated-read", "the operator's first DescribeNetworkInterfaces ends after so many bytes, which parses as fewer interfaces", Primary::Assertion("preflight.network-interface"), truncated_read)
        .argument("400").exits(5).trips(&["no-baseline"]).from("§4", "ec2-facts §4.4"),
    Fault::tolerated("hung-read", "EC2 never answers the operator's first DescribeNetworkInterfaces", hung_read)
        .from("§4", "ec2-facts §4.5"),
];

fn plan_reply_lost(world: &mut World, _: &str) -> Done {
    command(world, PLUGIN_RUN, 0, CommandEffect::ReplyLost)
}

fn import_reply_lost(world: &mut World, _: &str) -> Done {
    command(world, IMPORT, 0, CommandEffect::ReplyLost)
}

fn import_reply_garbled(world: &mut World, _: &str) -> Done {
    let stdout = "imported ".to_owned();
    command(world, IMPORT, 0, CommandEffect::Garbled { stdout })
}

fn import_request_lost(world: &mut World, _: &str) -> Done {
    command(world, IMPORT, 0, CommandEffect::RequestLost)
}

fn approve_reply_lost(world: &mut World, _: &str) -> Done {
    command(world, APPROVE_ASSIGN, 0, CommandEffect::ReplyLost)
}

fn approve_request_lost(world: &mut World, _: &str) -> Done {
    command(world, APPROVE_ASSIGN, 0, CommandEffect::RequestLost)
}

fn execute_request_lost(world: &mut World, _: &str) -> Done {
    command(world, EXECUTE_ASSIGN, 0, CommandEffect::RequestLost)
}

fn rollback_request_lost(world: &mut World, _: &str) -> Done {
    command(world, UNDO_ADDRESS, 0, CommandEffect::RequestLost)
}

fn truncated_read(world: &mut World, argument: &str) -> Done {
    let bytes = argument.parse().map_err(|_| "it is no number of bytes")?;
    api(world, READ, Caller::Operator, 1, ApiEffect::Truncated { bytes })
}

fn hung_read(world: &mut World, _: &str) -> Done {
    api(world, READ, Caller::Operator, 1, ApiEffect::Hang)
}
