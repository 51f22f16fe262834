//! EC2 and the way to it: slow, throttled, behind, silent.

use super::fault::Fault;
use super::hand::{
    Done, EXECUTE_ASSIGN, ROUTER, add_api_fault, happens_after, interface_of, make_api_error,
    make_api_fault, parse_milliseconds,
};
use super::rules::{ApiEffect, CallerKind, Happening};
use crate::world::World;

const READ: &str = "DescribeNetworkInterfaces";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("latency", "every EC2 call of the operator and every command to a node takes longer", latency)
        .argument("200ms").on_netns().from("§4", "issue: independent work runs at the same time"),
    Fault::new("throttled-read", "EC2 throttles so many of the operator's DescribeNetworkInterfaces", throttled_read)
        .argument("2").from("§4", "ec2-facts §4.7"),
    Fault::new("slow-read", "EC2 takes long to answer the operator's first DescribeNetworkInterfaces", slow_read)
        .argument("9s").from("§4", "ec2-facts §4.1"),
    Fault::new("lost-read", "the connection breaks under the operator's first DescribeNetworkInterfaces", lost_read)
        .from("§4", "ec2-facts §4.5"),
    Fault::new("stale-read", "EC2 shows the ENI as it was before the assignment, so many times", stale_read)
        .argument("3").from("§7", "contract F30"),
    Fault::new("small-pages", "EC2 answers describes in pages of so many items", small_pages)
        .argument("1").on_netns().from("§4", "issue 14"),
    Fault::new("lagging-reads", "each read of EC2 may show the account as it was up to so long ago, and not in order", lagging_reads)
        .argument("10s").from("§7", "issue 14; EC2's eventual consistency"),
    Fault::new("check-off", "the ENI was a forwarder before the run: its source/dest check is off", check_off)
        .on_netns().from("§6.1", "contract F24"),
    Fault::new("ec2-silent", "EC2 answers no DescribeNetworkInterfaces at all", ec2_silent)
        .from("§4", "design: exit code 8"),
    Fault::new("identity-refused", "STS does not tell the operator who he is", identity_refused)
        .from("§8.8", "design I6"),
    Fault::new("operator-session-ends", "the operator's credentials are a session that nobody can renew, and end within so many seconds", operator_session_ends)
        .argument("600").from("§4", "issue 14"),
];

fn operator_session_ends(world: &mut World, argument: &str) -> Done {
    let seconds: u32 = argument.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    world.faults.operator_session_seconds = Some(i64::from(seconds));
    Ok(())
}

fn latency(world: &mut World, argument: &str) -> Done {
    world.faults.latency_ms = parse_milliseconds(argument)?;
    Ok(())
}

fn times(argument: &str) -> Result<u32, String> {
    argument.parse().map_err(|_| "it is no number".to_owned())
}

fn lagging_reads(world: &mut World, argument: &str) -> Done {
    world.cloud.options.staleness_ms = parse_milliseconds(argument)?;
    Ok(())
}

fn throttled_read(world: &mut World, argument: &str) -> Done {
    let effect = make_api_error(503, "RequestLimitExceeded", "Request limit exceeded.");
    add_api_fault(world, READ, CallerKind::Operator, times(argument)?, effect)
}

fn slow_read(world: &mut World, argument: &str) -> Done {
    let ms = parse_milliseconds(argument)?;
    add_api_fault(world, READ, CallerKind::Operator, 1, ApiEffect::Delay { ms })
}

fn lost_read(world: &mut World, _: &str) -> Done {
    add_api_fault(world, READ, CallerKind::Operator, 1, ApiEffect::ReplyLost)
}

fn stale_read(world: &mut World, argument: &str) -> Done {
    let late = make_api_fault(READ, CallerKind::Operator, 0, times(argument)?, ApiEffect::Stale);
    happens_after(world, EXECUTE_ASSIGN, Happening::Api(late))
}

fn small_pages(world: &mut World, argument: &str) -> Done {
    world.cloud.options.page_size = argument.parse().map_err(|_| "it is no number of items")?;
    Ok(())
}

fn check_off(world: &mut World, _: &str) -> Done {
    interface_of(world, ROUTER)?.source_dest_check = false;
    Ok(())
}

fn ec2_silent(world: &mut World, _: &str) -> Done {
    add_api_fault(world, READ, CallerKind::Operator, u32::MAX, ApiEffect::RequestLost)
}

fn identity_refused(world: &mut World, _: &str) -> Done {
    let effect = make_api_error(403, "AccessDenied", "Access denied.");
    add_api_fault(world, "GetCallerIdentity", CallerKind::Operator, u32::MAX, effect)
}
