//! The hand that puts faults into a world: what several tables use.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rules::{
    ApiEffect, ApiFault, CallerKind, CommandEffect, CommandFault, Event, Happening,
    InterfaceChange, When,
};
use crate::cloud::{NetworkInterface, Vpc};
use crate::world::World;
use lab::node::Node;

pub const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
/// Nobody's in the lab.
pub const STRANGE: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 50);
pub const OVERLAY: &str = "wg-hybrid";
pub const YAML: &str = "/usr/local/etc/routerd/router.yaml";
pub const EXECUTOR: &str =
    "/usr/local/libexec/routerd/plugins/aws-provider-executor/bin/aws-provider-executor";
pub const PLANNER: &str = "/usr/local/libexec/routerd/plugins/lab-planner";

// Commands of a run, as rules name them.
pub const PLUGIN_RUN: &str = "*routerctl plugin run";
pub const IMPORT: &str = "*action import";
pub const APPROVE_ASSIGN: &str = "*action approve assign-secondary-ip ";
pub const APPROVE_FORWARDING: &str = "*action approve ensure-forwarding-enabled ";
pub const DRY_RUN_ASSIGN: &str = "*action execute assign-secondary-ip --dry-run";
pub const DRY_RUN_FORWARDING: &str = "*action execute ensure-forwarding-enabled --dry-run";
pub const EXECUTE_ASSIGN: &str = "*action execute assign-secondary-ip --approved";
pub const EXECUTE_FORWARDING: &str = "*action execute ensure-forwarding-enabled --approved";
pub const PREVIEW_UNDO_ADDRESS: &str = "*action rollback assign-secondary-ip --dry-run";
pub const PREVIEW_UNDO_FORWARDING: &str = "*action rollback ensure-forwarding-enabled --dry-run";
pub const UNDO_FORWARDING: &str = "*action rollback ensure-forwarding-enabled --approved";
pub const UNDO_ADDRESS: &str = "*action rollback assign-secondary-ip --approved";
pub const NODE_STATE: &str = "sh -s node-state";

pub type Done = Result<(), String>;

/// `200ms`, `9s` or `3m`, in milliseconds.
pub fn parse_milliseconds(text: &str) -> Result<u64, String> {
    const NONE: &str = "it is no time, as 200ms, 9s or 3m";
    let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))
        .ok_or(NONE)?;
    let number: u64 = digits.parse().map_err(|_| NONE)?;
    number.checked_mul(*unit).ok_or_else(|| NONE.to_owned())
}

pub fn parse_node(text: &str) -> Result<Node, String> {
    let names = Node::ALL.map(Node::as_str).join(", ");
    Node::ALL.into_iter().find(|node| node.as_str() == text).ok_or(format!("the nodes are {names}"))
}

pub fn to_host_net(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::from(address)
}

pub fn make_api_fault(
    action: &str,
    caller: CallerKind,
    skip: u32,
    times: u32,
    effect: ApiEffect,
) -> ApiFault {
    ApiFault { action: action.to_owned(), caller, skip, times, effect, seen: 0, fired: 0 }
}

/// The API answers so many calls with this.
pub fn add_api_fault(
    world: &mut World,
    action: &str,
    caller: CallerKind,
    times: u32,
    effect: ApiEffect,
) -> Done {
    world.faults.api.push(make_api_fault(action, caller, 0, times, effect));
    Ok(())
}

pub fn make_api_error(status: u16, code: &str, message: &str) -> ApiEffect {
    ApiEffect::Error { status, code: code.to_owned(), message: message.to_owned() }
}

pub fn make_unauthorized() -> ApiEffect {
    make_api_error(
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    )
}

/// This befalls one command of routerd-cloud, after so many that match.
pub fn add_command_fault(
    world: &mut World,
    pattern: &str,
    skip: u32,
    effect: CommandEffect,
) -> Done {
    world.faults.commands.push(CommandFault {
        node: Some(Node::RouterdCloud),
        pattern: pattern.to_owned(),
        skip,
        times: 1,
        effect,
        seen: 0,
        fired: 0,
    });
    Ok(())
}

/// This befalls all commands of routerd-cloud that match.
pub fn add_lasting_command_fault(world: &mut World, pattern: &str, effect: CommandEffect) -> Done {
    add_command_fault(world, pattern, 0, effect)?;
    if let Some(rule) = world.faults.commands.last_mut() {
        rule.times = u32::MAX;
    }
    Ok(())
}

pub fn make_command_answer(code: i32, stdout: &str, stderr: &str) -> CommandEffect {
    CommandEffect::Answer { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

pub fn make_event(when: When, what: Happening) -> Event {
    Event { when, skip: 0, delay_ms: 0, what, seen: 0, due: None, fired: 0 }
}

pub fn after_router_command(pattern: &str) -> When {
    When::AfterCommand { node: Node::RouterdCloud, pattern: pattern.to_owned() }
}

/// It happens once this command of routerd-cloud has ended.
pub fn happens_after(world: &mut World, pattern: &str, what: Happening) -> Done {
    world.faults.events.push(make_event(after_router_command(pattern), what));
    Ok(())
}

pub fn on_router_eni(change: InterfaceChange) -> Happening {
    Happening::Interface { primary: ROUTER, change }
}

pub fn make_sql_happening(statement: &str) -> Happening {
    Happening::Sql { statement: statement.to_owned() }
}

/// A row of somebody else in routerd's journal.
pub fn strangers_row(status: &str) -> String {
    format!(
        "INSERT INTO action_executions(idempotency_key,source,provider,provider_ref,action,\
         target_json,status,created_at,updated_at) VALUES('stranger:aws:{status}',\
         'DynamicConfigPart/somebody','aws','aws-lab','assign-secondary-ip',\
         '{{\"address\":\"10.88.60.50/32\",\"nicRef\":\"eni-00000000000000000\",\"region\":\"ap-northeast-1\"}}',\
         '{status}','2026-01-01T00:00:00Z','2026-01-01T00:00:00Z');"
    )
}

/// A part of a MobilityPool with one plan, beside the run's own.
pub const STRANGERS_PART: &str = "INSERT INTO dynamic_config_parts(source,generation,observed_at,\
    expires_at,digest,actionplans_json,status,created_at,updated_at) VALUES('MobilityPool/cloud',1,\
    '2026-01-01T00:00:00Z','2099-01-01T00:00:00Z','sha256:00',\
    '[{\"name\":\"assign-secondary-ip\",\"provider\":\"aws\",\"action\":\"assign-secondary-ip\",\
    \"target\":{\"address\":\"10.88.60.50/32\"},\"idempotencyKey\":\"stranger\"}]',\
    'active','2026-01-01T00:00:00Z','2026-01-01T00:00:00Z');";

pub fn interface_of(world: &mut World, address: Ipv4Addr) -> Result<&mut NetworkInterface, String> {
    let mut all = world.cloud.network_interfaces.values_mut();
    all.find(|eni| eni.owns(address)).ok_or_else(|| format!("nobody has {address}"))
}

pub fn lab_vpc(world: &mut World) -> Result<&mut Vpc, String> {
    let id = interface_of(world, ROUTER)?.vpc_id.clone();
    world.cloud.vpcs.get_mut(&id).ok_or_else(|| format!("there is no {id}"))
}

pub fn edit_yaml(world: &mut World, from: &str, to: &str) -> Done {
    edit_file(world, YAML, from, to)
}

/// Replaces the first `from` in a file of routerd-cloud. Fails where there is no such file or text.
pub fn edit_file(world: &mut World, path: &str, from: &str, to: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    let text = files.contents(path).ok_or_else(|| format!("there is no {path}"))?;
    let text = String::from_utf8_lossy(text).into_owned();
    let edited = text.replacen(from, to, 1);
    if edited == text {
        return Err(format!("{path} has no `{from}`"));
    }
    files.put(path, edited, 0o644);
    Ok(())
}
