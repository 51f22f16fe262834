//! All faults, as one table: what each breaks, and which assertion or stop is its primary answer.

#![expect(clippy::unnecessary_wraps, reason = "one signature for the whole table")]

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use super::rules::{ApiEffect, ApiFault, Caller, Event, Happening};
use crate::mock::cloud::Route;
use crate::mock::machines::{Action, ChainKind, Hook, Match, Rule, Transport};
use crate::mock::world::World;
use crate::node::Node;

/// Whether a run with the fault may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// An assertion or a stop answers it.
    Caught,
    /// The run passes, and what it took stands in the evidence.
    Tolerated,
}

#[derive(Debug, Serialize)]
pub struct Fault {
    pub name: &'static str,
    pub class: Class,
    /// The default one; none where it takes none.
    pub argument: Option<&'static str>,
    pub breaks: &'static str,
    /// The one assertion that is its primary answer; `unavailable` where the lab cannot be used.
    pub caught_by: &'static str,
    /// Other assertions that turn with it.
    pub consequences: &'static [&'static str],
    /// Detectors of hard stops that trip.
    pub stops: &'static [&'static str],
    pub exit_code: u8,
    pub labs: &'static [&'static str],
    /// The section of the runbook that it touches.
    pub runbook: &'static str,
    /// Where it was seen, or why it is thought of.
    pub source: &'static str,
    #[serde(skip)]
    pub inject: fn(&mut World, &str) -> Result<(), String>,
}

const MOCK: &[&str] = &["mock"];
const BOTH: &[&str] = &["mock", "netns"];

macro_rules! fault {
    ($name:literal, $class:ident, $argument:expr, $breaks:literal, $caught_by:literal, $consequences:expr, $stops:expr, $exit:literal, $labs:ident, $runbook:literal, $source:literal, $inject:expr) => {
        Fault {
            name: $name,
            class: Class::$class,
            argument: $argument,
            breaks: $breaks,
            caught_by: $caught_by,
            consequences: $consequences,
            stops: $stops,
            exit_code: $exit,
            labs: $labs,
            runbook: $runbook,
            source: $source,
            inject: $inject,
        }
    };
}

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    fault!("latency", Tolerated, Some("200ms"), "every EC2 call of the operator and every command to a node takes longer", "none", &[], &[], 0, BOTH, "§4", "issue: independent work runs at the same time", latency),
    fault!("go-after", Tolerated, Some("3m"), "the owner takes so long: the go that lies prepared in the run's folder is seen no earlier", "none", &[], &[], 0, MOCK, "§9", "issue 5: ten virtual minutes are over before anybody can sign", go_after),
    fault!("throttled-read", Tolerated, Some("2"), "EC2 throttles so many of the operator's DescribeNetworkInterfaces", "none", &[], &[], 0, MOCK, "§4", "ec2-facts §4", throttled_read),
    fault!("slow-read", Tolerated, Some("9s"), "EC2 takes long to answer the operator's first DescribeNetworkInterfaces", "none", &[], &[], 0, MOCK, "§4", "ec2-facts §4", slow_read),
    fault!("check-off", Tolerated, None, "the ENI was a forwarder before the run: its source/dest check is off", "none", &[], &[], 0, BOTH, "§6.1", "contract F24", check_off),
    fault!("foreign-holder", Caught, None, "another ENI of the VPC has the captured address", "preflight.address-free", &[], &["foreign-holder"], 4, BOTH, "§8.2", "contract F20", foreign_holder),
    fault!("pre-assigned", Caught, None, "the captured address is on the ENI before the run", "preflight.address-free", &[], &["pre-assigned"], 4, BOTH, "§4.2", "contract F27", pre_assigned),
    fault!("address-route", Caught, None, "the subnet's route table has a route for the captured address", "preflight.route-table", &[], &[], 1, MOCK, "§4", "contract §4.4", address_route),
    fault!("untagged-vpc", Caught, None, "the VPC has not the lab's tag", "preflight.vpc", &[], &["not-the-labs"], 4, MOCK, "§8.2", "design I6", untagged_vpc),
    fault!("default-vpc", Caught, None, "the VPC is the account's default one", "preflight.vpc", &[], &["default-vpc"], 4, MOCK, "§8.8", "contract §9.4", default_vpc),
    fault!("untagged-interface", Caught, None, "the ENI has not the lab's tag", "preflight.network-interface", &[], &["not-the-labs"], 4, MOCK, "§8.2", "design I6", untagged_interface),
    fault!("stopped-client", Caught, None, "cloud-client's instance does not run", "unavailable", &[], &[], 8, MOCK, "§4", "design: exit code 8", stopped_client),
    fault!("node-hangs", Caught, Some("onprem-client"), "a node takes connections and answers nothing", "unavailable", &[], &[], 8, BOTH, "§4", "design: exit code 8", node_hangs),
    fault!("wider-role", Caught, None, "the executor's role has ec2:* on everything", "preflight.role", &[], &["role"], 4, MOCK, "§3", "contract F3", wider_role),
    fault!("narrow-role", Caught, None, "the executor's role lacks one of the four actions", "preflight.role", &[], &["role"], 4, MOCK, "§3", "contract F3", narrow_role),
    fault!("other-profile-role", Caught, None, "the instance profile has another role than the executor's", "preflight.instance-profile", &[], &["other-identity"], 4, MOCK, "§8.1", "contract §9.4", other_profile_role),
    fault!("policy-typo", Caught, None, "allowedCIDRs is misspelt in router.yaml: routerd takes it for no restriction", "preflight.router-yaml", &[], &["policy"], 4, BOTH, "§8.8", "contract F28", policy_typo),
    fault!("auto-approve", Caught, None, "the policy approves by itself", "preflight.policy", &[], &["policy"], 4, BOTH, "§8.8", "contract §0.13", auto_approve),
    fault!("no-undo", Caught, None, "the policy does not allow undo", "preflight.policy", &[], &["undo-not-allowed"], 4, BOTH, "§8.4", "contract §1.9", no_undo),
    fault!("credentials-in-yaml", Caught, None, "the executor's plugin has static AWS keys in its environment", "preflight.policy", &[], &["credentials-in-router-yaml"], 4, BOTH, "§8.1", "contract §3.2", credentials_in_yaml),
    fault!("other-host-key", Caught, Some("cloud-client"), "a node shows another host key than the pinned one", "preflight.host-keys", &[], &[], 1, BOTH, "§4", "issue 6", other_host_key),
    fault!("clock-skew", Caught, Some("60s"), "routerd-cloud's clock is ahead", "preflight.clocks", &[], &["clock-skew"], 4, MOCK, "§5", "issue 3", clock_skew),
    fault!("planner-missing", Caught, None, "the planner's file is not on the node", "preflight.programs", &[], &[], 1, BOTH, "§7.1", "contract F17", planner_missing),
    fault!("planner-replaced", Caught, None, "the planner on the node is another program than the manifest's", "preflight.planner-digest", &[], &[], 1, BOTH, "§7.1", "contract F17", planner_replaced),
    fault!("executor-unauthorized", Caught, None, "AWS refuses the executor's assignment", "execute.assign-succeeded", &["execute.assign-on-eni"], &["ambiguous"], 4, MOCK, "§7.4", "contract F3", executor_unauthorized),
    fault!("modify-refused", Caught, None, "AWS refuses to change the source/dest check", "execute.forwarding-succeeded", &["execute.forwarding-on-eni"], &["ambiguous"], 4, MOCK, "§7.4", "executor case 14", modify_refused),
    fault!("assign-reply-lost", Caught, None, "the assignment is done and its reply is lost", "execute.assign-succeeded", &[], &["ambiguous"], 4, MOCK, "§8.5", "ec2-facts §1", assign_reply_lost),
    fault!("modify-reply-lost", Caught, None, "the check is switched off and the reply is lost: routerd drops the prior value", "execute.forwarding-succeeded", &[], &["ambiguous"], 4, MOCK, "§8.5", "contract F22", modify_reply_lost),
    fault!("os-address", Caught, None, "the guest adds the captured address to its own interface", "os-address.absent", &["os-address.absent-after-settling", "ping.onprem-to-cloud", "ssh.cloud-to-onprem.login", "ssh.onprem-to-cloud.login", "source-dest-check.canary", "no-nat.tcp.cloud-to-onprem", "no-nat.tcp.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.icmp.onprem-to-cloud", "restored.node-addresses"], &[], 6, BOTH, "§7", "contract F8", os_address),
    fault!("default-route", Caught, Some("onprem-client"), "a node's default route is replaced during the run", "default-gateway.onprem-client", &["restored.default-gateway.onprem-client"], &[], 6, BOTH, "§7", "contract §8.3", default_route),
    fault!("ping-fails", Caught, None, "the on-prem router drops ICMP", "ping.cloud-to-onprem", &["ping.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.icmp.onprem-to-cloud"], &[], 5, BOTH, "§7", "contract F9", ping_fails),
    fault!("pmtu-black-hole", Caught, Some("1400"), "packets above so many bytes vanish on the overlay", "ssh.cloud-to-onprem.payload", &["ssh.onprem-to-cloud.payload"], &[], 1, BOTH, "§7", "contract F10", pmtu_black_hole),
    fault!("masquerade", Caught, None, "routerd-cloud masquerades what goes into the overlay and into the VPC", "no-nat.tcp.cloud-to-onprem", &["no-nat.tcp.onprem-to-cloud", "no-nat.icmp.cloud-to-onprem", "no-nat.icmp.onprem-to-cloud", "no-nat.tables.routerd-cloud", "no-nat.conntrack.routerd-cloud"], &[], 1, BOTH, "§7", "netns-lab §4", masquerade),
    fault!("masquerade-legacy", Caught, None, "routerd-cloud masquerades by legacy iptables, which nft does not show", "no-nat.tables.routerd-cloud", &["no-nat.tcp.cloud-to-onprem", "no-nat.icmp.cloud-to-onprem", "no-nat.conntrack.routerd-cloud"], &[], 1, BOTH, "§7", "netns-lab §4", masquerade_legacy),
    fault!("masquerade-icmp", Caught, None, "routerd-cloud masquerades ICMP alone: TCP is clean", "no-nat.icmp.cloud-to-onprem", &["no-nat.tables.routerd-cloud", "no-nat.conntrack.routerd-cloud"], &[], 1, BOTH, "§7", "netns-lab §4", masquerade_icmp),
    fault!("double-snat", Caught, None, "routerd-cloud translates the source and the on-prem router translates it back: both ends are clean", "no-nat.conntrack.routerd-cloud", &["no-nat.tables.routerd-cloud", "no-nat.tables.onprem-router"], &[], 1, BOTH, "§7", "netns-lab §4", double_snat),
    fault!("terminate-refused", Caught, None, "EC2 refuses to terminate an instance: it is protected", "teardown.instances", &["residue.instances"], &["left-running"], 6, MOCK, "§8.6", "issue 3", terminate_refused),
    fault!("address-stays", Caught, None, "EC2 refuses to release the elastic IP address", "teardown.addresses", &["residue.addresses"], &["left-running"], 6, MOCK, "§6.3", "contract §8.3", address_stays),
    fault!("volume-stays", Caught, None, "EC2 refuses to delete the orphaned volume", "teardown.volumes", &["residue.volumes"], &["left-running"], 6, MOCK, "§6.3", "contract §8.3", volume_stays),
    fault!("client-closed", Caught, None, "a security group closes cloud-client's ssh port", "ssh.onprem-to-cloud.login", &["no-nat.tcp.onprem-to-cloud"], &[], 5, BOTH, "§7", "issue 6", client_closed),
];

const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
const OVERLAY: &str = "wg-hybrid";
const YAML: &str = "/usr/local/etc/routerd/router.yaml";

/// `200ms`, `9s` or `3m`, in milliseconds.
fn milliseconds(text: &str) -> Result<u64, String> {
    const NONE: &str = "it is no time, as 200ms, 9s or 3m";
    let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))
        .ok_or(NONE)?;
    let number: u64 = digits.parse().map_err(|_| NONE)?;
    number.checked_mul(*unit).ok_or_else(|| NONE.to_owned())
}

fn go_after(world: &mut World, argument: &str) -> Result<(), String> {
    world.faults.go_after_ms = milliseconds(argument)?;
    Ok(())
}

fn node(text: &str) -> Result<Node, String> {
    let names = Node::ALL.map(Node::as_str).join(", ");
    Node::ALL.into_iter().find(|node| node.as_str() == text).ok_or(format!("the nodes are {names}"))
}

fn api(world: &mut World, action: &str, caller: Caller, times: u32, effect: ApiEffect) {
    let action = action.to_owned();
    world.faults.api.push(ApiFault { action, caller, skip: 0, times, effect, seen: 0, fired: 0 });
}

fn refused(status: u16, code: &str, message: &str) -> ApiEffect {
    ApiEffect::Error { status, code: code.to_owned(), message: message.to_owned() }
}

fn latency(world: &mut World, argument: &str) -> Result<(), String> {
    world.faults.latency_ms = milliseconds(argument)?;
    Ok(())
}

fn throttled_read(world: &mut World, argument: &str) -> Result<(), String> {
    let times = argument.parse().map_err(|_| "it is no number")?;
    let effect = refused(503, "RequestLimitExceeded", "Request limit exceeded.");
    api(world, "DescribeNetworkInterfaces", Caller::Operator, times, effect);
    Ok(())
}

fn slow_read(world: &mut World, argument: &str) -> Result<(), String> {
    let ms = milliseconds(argument)?;
    api(world, "DescribeNetworkInterfaces", Caller::Operator, 1, ApiEffect::Delay { ms });
    Ok(())
}

fn interface_of(
    world: &mut World,
    address: Ipv4Addr,
) -> Result<&mut crate::mock::cloud::NetworkInterface, String> {
    let mut all = world.cloud.network_interfaces.values_mut();
    all.find(|eni| eni.owns(address)).ok_or_else(|| format!("nobody has {address}"))
}

fn check_off(world: &mut World, _: &str) -> Result<(), String> {
    interface_of(world, ROUTER)?.source_dest_check = false;
    Ok(())
}

fn foreign_holder(world: &mut World, _: &str) -> Result<(), String> {
    interface_of(world, CLIENT)?.add_secondary(CAPTURED);
    Ok(())
}

fn pre_assigned(world: &mut World, _: &str) -> Result<(), String> {
    interface_of(world, ROUTER)?.add_secondary(CAPTURED);
    Ok(())
}

fn address_route(world: &mut World, _: &str) -> Result<(), String> {
    let eni = interface_of(world, CLIENT)?;
    let (vpc, eni) = (eni.vpc_id.clone(), eni.id.clone());
    let table = world.cloud.route_tables.values_mut().find(|table| table.vpc_id == vpc);
    table.ok_or("the VPC has no route table")?.routes.push(Route {
        destination: host(CAPTURED),
        target: crate::mock::cloud::Target::NetworkInterface(eni),
        origin: crate::mock::cloud::RouteOrigin::CreateRoute,
    });
    Ok(())
}

fn lab_vpc(world: &mut World) -> Result<&mut crate::mock::cloud::Vpc, String> {
    let id = interface_of(world, ROUTER)?.vpc_id.clone();
    world.cloud.vpcs.get_mut(&id).ok_or_else(|| format!("there is no {id}"))
}

fn untagged_vpc(world: &mut World, _: &str) -> Result<(), String> {
    lab_vpc(world)?.tags.clear();
    Ok(())
}

fn default_vpc(world: &mut World, _: &str) -> Result<(), String> {
    lab_vpc(world)?.is_default = true;
    Ok(())
}

fn untagged_interface(world: &mut World, _: &str) -> Result<(), String> {
    interface_of(world, ROUTER)?.tags.clear();
    Ok(())
}

fn stopped_client(world: &mut World, _: &str) -> Result<(), String> {
    let id = interface_of(world, CLIENT)?.instance_id.clone().ok_or("it has no instance")?;
    let instance = world.cloud.instances.get_mut(&id).ok_or("it has no instance")?;
    instance.state = crate::mock::cloud::InstanceState::Stopped;
    Ok(())
}

fn node_hangs(world: &mut World, argument: &str) -> Result<(), String> {
    world.machines.get_mut(node(argument)?).hung = true;
    Ok(())
}

fn edit_role(world: &mut World, edit: impl Fn(&str) -> String) -> Result<(), String> {
    let roles = &mut world.cloud.iam.roles;
    let role = roles.values_mut().next().ok_or("there is no role")?;
    for document in role.inline_policies.values_mut() {
        let edited = edit(document);
        if edited == *document {
            return Err("the policy has not what is to be changed".to_owned());
        }
        *document = edited;
    }
    Ok(())
}

fn wider_role(world: &mut World, _: &str) -> Result<(), String> {
    edit_role(world, |text| text.replace("ec2:AssignPrivateIpAddresses", "ec2:*"))
}

fn narrow_role(world: &mut World, _: &str) -> Result<(), String> {
    edit_role(world, |text| {
        text.replace("ec2:UnassignPrivateIpAddresses", "ec2:AssignPrivateIpAddresses")
    })
}

fn other_profile_role(world: &mut World, _: &str) -> Result<(), String> {
    let iam = &mut world.cloud.iam;
    let role = iam.roles.values().next().ok_or("there is no role")?;
    let other = crate::mock::cloud::Role {
        name: "somebody-else".to_owned(),
        arn: role.arn.replace("lab-smoke-executor", "somebody-else"),
        ..role.clone()
    };
    iam.roles.insert(other.name.clone(), other);
    for profile in iam.instance_profiles.values_mut() {
        profile.roles = vec!["somebody-else".to_owned()];
    }
    Ok(())
}

fn edit_yaml(world: &mut World, from: &str, to: &str) -> Result<(), String> {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    let text = files.contents(YAML).ok_or("there is no router.yaml")?;
    let text = String::from_utf8_lossy(text).into_owned();
    let edited = text.replacen(from, to, 1);
    if edited == text {
        return Err(format!("router.yaml has no `{from}`"));
    }
    files.put(YAML, edited, 0o644);
    Ok(())
}

fn policy_typo(world: &mut World, _: &str) -> Result<(), String> {
    edit_yaml(world, "allowedCIDRs:", "allowedCidrs:")
}

fn auto_approve(world: &mut World, _: &str) -> Result<(), String> {
    edit_yaml(world, "requireApproval: true", "requireApproval: false")
}

fn no_undo(world: &mut World, _: &str) -> Result<(), String> {
    edit_yaml(world, "allowUndo: true", "allowUndo: false")
}

fn credentials_in_yaml(world: &mut World, _: &str) -> Result<(), String> {
    edit_yaml(
        world,
        "        timeout: 120s\n",
        "        timeout: 120s\n        env: { AWS_ACCESS_KEY_ID: AKIAPLANTEDEXAMPLE00 }\n",
    )
}

fn other_host_key(world: &mut World, argument: &str) -> Result<(), String> {
    let node = node(argument)?;
    let key = crate::mock::machines::host_key(world.seed.wrapping_add(1), node);
    let machine = world.machines.get_mut(node);
    machine.files.put("/etc/ssh/ssh_host_ed25519_key.pub", format!("{key} root@{node}\n"), 0o644);
    machine.sshd.host_key = key;
    Ok(())
}

fn clock_skew(world: &mut World, argument: &str) -> Result<(), String> {
    let ms = i64::try_from(milliseconds(argument)?).map_err(|_| "it is too long")?;
    world.machines.get_mut(Node::RouterdCloud).clock_offset_ms = ms;
    Ok(())
}

fn planner_missing(world: &mut World, _: &str) -> Result<(), String> {
    let path = "/usr/local/libexec/routerd/plugins/lab-planner";
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.remove(path, 0).map_err(|error| format!("{path}: {error:?}"))
}

fn planner_replaced(world: &mut World, _: &str) -> Result<(), String> {
    let path = "/usr/local/libexec/routerd/plugins/lab-planner";
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put(path, "#!lab-smoke-program lab-planner 0.0.0\n", 0o755);
    Ok(())
}

fn executor_unauthorized(world: &mut World, _: &str) -> Result<(), String> {
    let message = "You are not authorized to perform this operation.";
    let effect = refused(403, "UnauthorizedOperation", message);
    api(world, "AssignPrivateIpAddresses", Caller::Instance, u32::MAX, effect);
    Ok(())
}

fn modify_refused(world: &mut World, _: &str) -> Result<(), String> {
    let message = "You are not authorized to perform this operation.";
    let effect = refused(403, "UnauthorizedOperation", message);
    api(world, "ModifyNetworkInterfaceAttribute", Caller::Instance, 1, effect);
    Ok(())
}

fn assign_reply_lost(world: &mut World, _: &str) -> Result<(), String> {
    api(world, "AssignPrivateIpAddresses", Caller::Instance, 1, ApiEffect::ReplyLost);
    Ok(())
}

fn modify_reply_lost(world: &mut World, _: &str) -> Result<(), String> {
    api(world, "ModifyNetworkInterfaceAttribute", Caller::Instance, 1, ApiEffect::ReplyLost);
    Ok(())
}

fn after_assign(world: &mut World, what: Happening) {
    let after = "AssignPrivateIpAddresses".to_owned();
    world.faults.events.push(Event { after, what, fired: 0 });
}

fn os_address(world: &mut World, _: &str) -> Result<(), String> {
    let address = Ipv4Net::new(CAPTURED, 32).map_err(|error| error.to_string())?;
    let (node, dev) = (Node::RouterdCloud, "ens5".to_owned());
    after_assign(world, Happening::OsAddress { node, dev, address });
    Ok(())
}

fn default_route(world: &mut World, argument: &str) -> Result<(), String> {
    let via = Ipv4Addr::new(10, 88, 60, 254);
    let node = node(argument)?;
    after_assign(world, Happening::DefaultRoute { node, via });
    Ok(())
}

fn ping_fails(world: &mut World, _: &str) -> Result<(), String> {
    world.machines.get_mut(Node::OnpremRouter).nft.add(
        ("inet", "fault_icmp"),
        (ChainKind::Filter, Hook::Forward, -10),
        vec![(vec![Match::Protocol(Transport::Icmp)], Action::Drop)],
    );
    Ok(())
}

fn pmtu_black_hole(world: &mut World, argument: &str) -> Result<(), String> {
    let bytes = argument.parse().map_err(|_| "it is no number of bytes")?;
    world.machines.overlay.black_hole_above_bytes = Some(bytes);
    Ok(())
}

fn masquerade(world: &mut World, _: &str) -> Result<(), String> {
    world.machines.get_mut(Node::RouterdCloud).nft.add(
        ("ip", "fault_nat"),
        (ChainKind::Nat, Hook::Postrouting, 100),
        vec![(Vec::new(), Action::Masquerade)],
    );
    Ok(())
}

fn masquerade_legacy(world: &mut World, _: &str) -> Result<(), String> {
    let rule = Rule {
        handle: 1,
        matches: vec![Match::OutInterface(OVERLAY.to_owned())],
        action: Action::Masquerade,
    };
    world.machines.get_mut(Node::RouterdCloud).legacy_nat.postrouting.push(rule);
    Ok(())
}

fn masquerade_icmp(world: &mut World, _: &str) -> Result<(), String> {
    world.machines.get_mut(Node::RouterdCloud).nft.add(
        ("ip", "fault_nat"),
        (ChainKind::Nat, Hook::Postrouting, 100),
        vec![(
            vec![Match::OutInterface(OVERLAY.to_owned()), Match::Protocol(Transport::Icmp)],
            Action::Masquerade,
        )],
    );
    Ok(())
}

fn double_snat(world: &mut World, _: &str) -> Result<(), String> {
    let between = Ipv4Addr::new(169, 254, 120, 1);
    let nat = (ChainKind::Nat, Hook::Postrouting, 100);
    let from = |source| vec![Match::Source(host(source))];
    let cloud = &mut world.machines.get_mut(Node::RouterdCloud).nft;
    cloud.add(("ip", "fault_nat"), nat, vec![(from(CLIENT), Action::Snat(between))]);
    let onprem = &mut world.machines.get_mut(Node::OnpremRouter).nft;
    onprem.add(("ip", "fault_nat"), nat, vec![(from(between), Action::Snat(CLIENT))]);
    Ok(())
}

fn host(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::from(address)
}

fn terminate_refused(world: &mut World, _: &str) -> Result<(), String> {
    let message = "The instance may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.";
    let effect = refused(400, "OperationNotPermitted", message);
    api(world, "TerminateInstances", Caller::Operator, 1, effect);
    Ok(())
}

fn address_stays(world: &mut World, _: &str) -> Result<(), String> {
    let effect =
        refused(400, "AuthFailure", "You do not have permission to access the specified resource.");
    api(world, "ReleaseAddress", Caller::Operator, u32::MAX, effect);
    Ok(())
}

fn volume_stays(world: &mut World, _: &str) -> Result<(), String> {
    let effect = refused(400, "VolumeInUse", "The volume is in use.");
    api(world, "DeleteVolume", Caller::Operator, u32::MAX, effect);
    Ok(())
}

/// The port closes for whoever comes from the captured address: the operator still gets in.
fn client_closed(world: &mut World, _: &str) -> Result<(), String> {
    world.machines.get_mut(Node::CloudClient).nft.add(
        ("inet", "fault_filter"),
        (ChainKind::Filter, Hook::Input, 0),
        vec![
            (vec![Match::EstablishedOrRelated], Action::Accept),
            (vec![Match::Source(host(CAPTURED)), Match::Protocol(Transport::Tcp)], Action::Drop),
        ],
    );
    Ok(())
}
