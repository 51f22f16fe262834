//! Answers that do not arrive or mean nothing: routerctl's, whose outcome is then read back from its
//! database, and EC2's, as the SDK passes them on.

use super::fault::Fault;
use super::hand::{
    APPROVE_ASSIGN, Done, EXECUTE_ASSIGN, IMPORT, PLUGIN_RUN, UNDO_ADDRESS, add_api_fault,
    add_command_fault,
};
use super::rules::{ApiEffect, CallerKind, CommandEffect};
use crate::world::World;

const READ: &str = "DescribeNetworkInterfaces";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("plan-reply-lost", "the planner's plans are stored and the reply is lost", plan_reply_lost)
        .from("§7.1", "design I5"),
    Fault::new("import-reply-lost", "the import's reply is lost", import_reply_lost)
        .from("§7.2", "design I5"),
    Fault::new("import-reply-garbled", "what arrives as the import's reply is no reply", import_reply_garbled)
        .from("§7.2", "design I5"),
    Fault::new("import-request-lost", "the connection breaks before routerctl imports anything", import_request_lost)
        .from("§7.2", "design I5"),
    Fault::new("approve-reply-lost", "the approval's reply is lost", approve_reply_lost)
        .from("§7.3", "design I5"),
    Fault::new("approve-request-lost", "the connection breaks before routerctl approves the assignment", approve_request_lost)
        .from("§7.3", "design I5"),
    Fault::new("execute-request-lost", "the connection breaks before routerctl executes the assignment", execute_request_lost)
        .from("§8.5", "design I5"),
    Fault::new("rollback-request-lost", "the connection breaks before routerctl takes the address off: the executor is asked", rollback_request_lost)
        .from("§6.2", "contract F5"),
    Fault::new("truncated-read", "the operator's first DescribeNetworkInterfaces ends after so many bytes, which parses as fewer interfaces", truncated_read)
        .argument("400").from("§4", "ec2-facts §4.4"),
    Fault::new("hung-read", "EC2 never answers the operator's first DescribeNetworkInterfaces", hung_read)
        .from("§4", "ec2-facts §4.5"),
];

fn plan_reply_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, PLUGIN_RUN, 0, CommandEffect::ReplyLost)
}

fn import_reply_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, IMPORT, 0, CommandEffect::ReplyLost)
}

fn import_reply_garbled(world: &mut World, _: &str) -> Done {
    let stdout = "imported ".to_owned();
    add_command_fault(world, IMPORT, 0, CommandEffect::Garbled { stdout })
}

fn import_request_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, IMPORT, 0, CommandEffect::RequestLost)
}

fn approve_reply_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, APPROVE_ASSIGN, 0, CommandEffect::ReplyLost)
}

fn approve_request_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, APPROVE_ASSIGN, 0, CommandEffect::RequestLost)
}

fn execute_request_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, EXECUTE_ASSIGN, 0, CommandEffect::RequestLost)
}

fn rollback_request_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, UNDO_ADDRESS, 0, CommandEffect::RequestLost)
}

fn truncated_read(world: &mut World, argument: &str) -> Done {
    let bytes = argument.parse().map_err(|_| "it is no number of bytes")?;
    add_api_fault(world, READ, CallerKind::Operator, 1, ApiEffect::Truncated { bytes })
}

fn hung_read(world: &mut World, _: &str) -> Done {
    add_api_fault(world, READ, CallerKind::Operator, 1, ApiEffect::Hang)
}
