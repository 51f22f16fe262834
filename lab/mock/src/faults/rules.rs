//! The rules that the endpoint and the nodes consult. Every rule counts how often it fired, so that
//! a test can prove that it did.

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::changes::MachineChange;
use super::cloud_changes::CloudChange;
use super::nth::{Blows, NthEffect, SeenEffect};
use super::underlay::{Losses, Underlay};
use crate::boot::BootTimes;
use lab::manifest::Instances;
use lab::node::Node;

/// The rules in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Added to every EC2 call of the operator and to every command that the operator sends to a
    /// node, virtual milliseconds. Calls that a program on a node makes are not delayed.
    pub latency_ms: u64,
    /// How long nobody sees the owner's prepared go, from when it is awaited, virtual milliseconds.
    #[serde(default)]
    pub go_after_ms: u64,
    pub api: Vec<ApiFault>,
    pub commands: Vec<CommandFault>,
    /// The blows that befall effects by their number, whatever the effects are.
    #[serde(default)]
    pub blows: Blows,
    /// Commands that somebody on a node has begun and that run next.
    #[serde(default)]
    pub begun: Vec<NodeCommand>,
    /// Everything that happens to the world by itself, once something was asked of it.
    #[serde(default)]
    pub events: Vec<Event>,
    /// How often a state that was put into the world at the start was seen to be one: always once.
    #[serde(default)]
    pub injected: Vec<String>,
    #[serde(default)]
    pub go: Option<GoFault>,
    /// The disk of the run's folder has no room for what ends a run.
    #[serde(default)]
    pub disk_full: bool,
    #[serde(default)]
    pub boot: BootTimes,
    #[serde(default)]
    pub underlay: Underlay,
    /// From the cloud, and to it.
    #[serde(default)]
    pub underlay_losses: [Losses; 2],
    /// Everything that happened since somebody looked: the kernel lab does it to its nodes.
    #[serde(skip)]
    pub happened: Vec<Happening>,
    /// The manifest's ceiling, where it is another than the mock's own.
    #[serde(default)]
    pub max_instance_seconds: Option<u64>,
    /// The fate of the instances, where the manifest says otherwise than the mock's own.
    #[serde(default)]
    pub teardown: Option<Instances>,
    /// The operator's credentials are a session that nobody renews, and end so many seconds after the lab
    /// was opened.
    #[serde(default)]
    pub operator_session_seconds: Option<i64>,
}

/// Something that happens in the world by itself, once something was asked of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub when: When,
    /// How many that match pass first.
    pub skip: u32,
    /// How long afterwards, in virtual milliseconds; it is seen at the next call or command.
    pub delay_ms: u64,
    pub what: Happening,
    /// Matching ones seen so far.
    pub seen: u32,
    pub due: Option<DateTime<Utc>>,
    /// At most once.
    pub fired: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// An API call was carried out, as `AssignPrivateIpAddresses`.
    AfterApi { action: String, caller: CallerKind },
    /// The operator's command is about to run; the pattern is that of a [`CommandFault`].
    BeforeCommand { node: Node, pattern: String },
    /// It has ended.
    AfterCommand { node: Node, pattern: String },
    /// Only its own time counts.
    Due,
}

/// A command that runs on a node without the harness: somebody typed it, or the daemon did it, or
/// the connection that sent it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCommand {
    pub node: Node,
    pub argv: Vec<String>,
    #[serde(default)]
    pub stdin: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// Something replaces the node's default route.
    DefaultRoute { node: Node, via: Ipv4Addr },
    /// The guest adds the address to its interface, as cloud-init does.
    OsAddress { node: Node, dev: String, address: Ipv4Net },
    /// Somebody changes what the ENI with this primary address has.
    Interface { primary: Ipv4Addr, change: InterfaceChange },
    /// An instance loses its tags, so that it is no longer the lab's.
    TagLost { instance_id: String },
    /// A volume of the lab's that is attached to nothing loses its tag.
    VolumeTagLost,
    /// An instance's volumes lose their tags and are to stay when it is terminated.
    VolumeOutlives { instance_id: String },
    /// A volume of the lab's that is attached to nothing is attached to this instance.
    VolumeAttached { instance_id: String },
    /// An elastic IP address without a tag is associated with the ENI that has this primary address.
    AddressHangs { primary: Ipv4Addr },
    /// EC2 does not list an instance any more.
    InstanceVanishes { instance_id: String },
    /// Somebody writes into routerd's database.
    Sql { statement: String },
    /// A file appears on a node, or is replaced.
    File { node: Node, path: String, contents: String },
    /// The same with the path that the command of that moment names: the word that begins so.
    FileNamed { node: Node, begins: String, contents: String },
    /// Somebody adds a table to the node's rules that does nothing.
    NftTable { node: Node },
    /// A command begins on a node by itself.
    Command(NodeCommand),
    /// Somebody has the node masquerade whatever it sends.
    Masquerade { node: Node },
    /// Somebody has the node track nothing any more.
    Notrack { node: Node },
    /// Somebody leads an address through an interface, before every other route; packets of the
    /// node's own have this source.
    Route { node: Node, to: Ipv4Addr, via: Option<Ipv4Addr>, dev: String, source: Ipv4Addr },
    /// And takes that back.
    NoRoute { node: Node, to: Ipv4Addr, dev: String },
    /// The node drops the ICMP that comes in by an interface.
    IcmpDropped { node: Node, dev: String },
    /// Something that costs money appears.
    Stray(Stray),
    /// Another machine on the on-prem LAN gets the router to take it for the address's owner, and
    /// says nothing to what it gets.
    Thief { address: Ipv4Addr },
    /// Somebody changes what lies around the lab in the cloud.
    Cloud(CloudChange),
    /// Somebody changes what a node's kernel does, or who may log in.
    Kernel { node: Node, change: MachineChange },
    /// The operator's way to a node, or the machine at its end, becomes another one.
    Way { node: Node, change: WayChange },
    /// The security groups of the ENI with this primary address admit nobody any more.
    Ingress { primary: Ipv4Addr },
    /// They admit no ICMP error any more.
    NoIcmpErrors { primary: Ipv4Addr },
    /// This ENI is told to stay when its instance is terminated.
    InterfaceOutlives { network_interface_id: String },
    /// From now on this rule is in force.
    Api(ApiFault),
    /// From now on this event may happen.
    Then(Box<Event>),
}

/// The fate of the operator's way to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayChange {
    /// No connection comes about.
    CutOff,
    /// The node answers again.
    Back,
    /// The node takes connections and answers nothing.
    Hangs,
    /// Whoever answers has another host key.
    OtherKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceChange {
    Secondary(Ipv4Addr),
    /// It is taken from whoever has it.
    Takes(Ipv4Addr),
    Without(Ipv4Addr),
    SourceDestCheck(bool),
    Untagged,
}

/// Something that costs money and belongs to nobody's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stray {
    Instance,
    /// In the lab's VPC, and without its tag.
    Untagged,
    Address,
    Volume,
    NatGateway,
    Endpoint,
}

/// The flaw that the lab's own go turns out to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoFault {
    /// There is none.
    Missing,
    /// The document was edited after it was signed.
    Edited,
    /// It ended before the gate looked at it.
    Expired,
    /// The lab gives none: its owner is waited for, and does not answer.
    OwnerSilent,
}

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerKind {
    /// The harness.
    Operator,
    /// A program on routerd-cloud, with the instance's identity.
    Instance,
    Anyone,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiFault {
    /// AWS's name of the operation, such as `AssignPrivateIpAddresses`.
    pub action: String,
    pub caller: CallerKind,
    /// How many matching calls pass first.
    pub skip: u32,
    /// How many it hits then; `u32::MAX` is all.
    pub times: u32,
    pub effect: ApiEffect,
    /// Matching calls seen so far.
    pub seen: u32,
    /// How often it fired.
    pub fired: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiEffect {
    /// Answered with an error; nothing is done.
    Error { status: u16, code: String, message: String },
    /// Done, and the connection breaks before the reply.
    ReplyLost,
    /// Not done, and the connection breaks.
    RequestLost,
    /// Done, and the body ends after this many bytes, or in its middle where it has fewer.
    Truncated { bytes: usize },
    /// Not done; never answered.
    Hang,
    /// Answered after this many more milliseconds.
    Delay { ms: u64 },
    /// A describe that answers from the world as it was before the last change.
    Stale,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandFault {
    /// `None`: any node.
    pub node: Option<Node>,
    /// The command's words joined by blanks start with this (after `sudo -n`), or contain it where
    /// it begins with `*`. A row of routerd's journal is named by its action, as
    /// `action execute assign-secondary-ip`.
    pub pattern: String,
    pub skip: u32,
    pub times: u32,
    pub effect: CommandEffect,
    pub seen: u32,
    pub fired: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandEffect {
    /// Not run; answers this instead, with the number of the command's row for `{row}`.
    Answer { code: i32, stdout: String, stderr: String },
    /// Run, and something else arrives on standard output.
    Garbled { stdout: String },
    /// Run, and the connection breaks before its output arrives.
    ReplyLost,
    /// Not run, and the connection breaks.
    RequestLost,
    /// Not run; never answers.
    Hang,
    /// Run after this many more milliseconds.
    Delay { ms: u64 },
}

/// The effect that the rule list has for one call.
macro_rules! hit {
    ($rules:expr, $matches:expr) => {{
        let mut effect = None;
        for rule in $rules.iter_mut().filter($matches) {
            rule.seen += 1;
            if effect.is_none() && rule.seen > rule.skip && rule.fired < rule.times {
                rule.fired += 1;
                effect = Some(rule.effect.clone());
            }
        }
        effect
    }};
}

impl Faults {
    /// This effect's number, and what befalls it.
    pub(crate) fn nth(&mut self, seen: SeenEffect) -> NthEffect {
        self.blows.next(seen)
    }

    /// The effect that befalls this call of the API, if any.
    pub fn api_call(&mut self, action: &str, caller: CallerKind) -> Option<ApiEffect> {
        hit!(self.api, |rule: &&mut ApiFault| rule.action == action
            && (rule.caller == CallerKind::Anyone || rule.caller == caller))
    }

    /// The effect that befalls this command, if any. `line` is the command's words joined by
    /// blanks, as [`super::Line`] has them.
    pub fn command(&mut self, node: Node, line: &str) -> Option<CommandEffect> {
        hit!(self.commands, |rule: &&mut CommandFault| {
            rule.node.is_none_or(|wanted| wanted == node) && fits_pattern(&rule.pattern, line)
        })
    }
}

/// The MAC of a machine that is none of the lab's.
pub const THIEF_MAC: &str = "02:00:0a:58:3c:66";

/// Whether a command's line begins as the pattern does; `*` stands for any words.
pub(super) fn fits_pattern(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|begin| line.strip_prefix(begin)) else {
        return false;
    };
    parts.all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_a_line_by_its_parts_in_their_order() {
        let line = "env -i PATH=/bin /opt/plugins/bin/executor";
        assert!(fits_pattern("env -i", line) && fits_pattern("*bin/executor", line));
        assert!(fits_pattern("*env -i *bin/executor", line));
        assert!(!fits_pattern("PATH=", line), "it is not how the line begins");
        assert!(!fits_pattern("*executor*env -i", line), "they come in another order");
    }

    #[test]
    fn a_rule_skips_then_hits_then_rests_and_counts() {
        let mut faults = Faults::default();
        faults.api.push(ApiFault {
            action: "StopInstances".into(),
            caller: CallerKind::Operator,
            skip: 1,
            times: 1,
            effect: ApiEffect::ReplyLost,
            seen: 0,
            fired: 0,
        });
        let mut call = |caller| faults.api_call("StopInstances", caller).is_some();
        assert!(!call(CallerKind::Instance), "another caller's call does not count");
        assert!(!call(CallerKind::Operator), "the first one passes");
        assert!(call(CallerKind::Operator), "the second is hit");
        assert!(!call(CallerKind::Operator), "the third passes");
        assert_eq!((faults.api[0].seen, faults.api[0].fired), (3, 1));
    }
}
