//! The rules that the endpoint and the nodes consult. Every rule counts how often it fired, so that
//! a test can prove that it did.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::node::Node;

/// The rules in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Faults {
    /// Added to every EC2 call of the operator and to every command that the operator sends to a
    /// node, virtual milliseconds. Calls that a program on a node makes are not delayed.
    pub latency_ms: u64,
    /// How long nobody sees the owner's prepared go, from when it is awaited, virtual milliseconds.
    #[serde(default)]
    pub go_after_ms: u64,
    pub api: Vec<ApiFault>,
    pub commands: Vec<CommandFault>,
    /// What happens to the world by itself, once something was asked of it.
    #[serde(default)]
    pub events: Vec<Event>,
    /// How often a state that was put into the world at the start was seen to be one: always once.
    #[serde(default)]
    pub injected: Vec<String>,
}

/// Something that happens in the world right after an API call was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// As `AssignPrivateIpAddresses`.
    pub after: String,
    pub what: Happening,
    pub fired: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// Something replaces the node's default route.
    DefaultRoute { node: Node, via: Ipv4Addr },
    /// The guest adds the address to its interface, as cloud-init does.
    OsAddress { node: Node, dev: String, address: Ipv4Net },
    /// EC2 loses the tag of an instance, so that it is no longer found by it.
    TagLost { instance_id: String },
}

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// The harness.
    Operator,
    /// A program on routerd-cloud, with the instance's identity.
    Instance,
    Anyone,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiFault {
    /// As `AssignPrivateIpAddresses`.
    pub action: String,
    pub caller: Caller,
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
    /// Done, and the body ends after this many bytes.
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
    /// it begins with `*`.
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
    /// Not run; answers this instead.
    Answer { code: i32, stdout: String, stderr: String },
    /// Run, and the connection breaks before its output arrives.
    ReplyLost,
    /// Not run, and the connection breaks.
    RequestLost,
    /// Not run; never answers.
    Hang,
    /// Run after this many more milliseconds.
    Delay { ms: u64 },
}

/// What the rule list says about one call.
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
    /// The effect that befalls this call of the API, if any.
    pub fn api_call(&mut self, action: &str, caller: Caller) -> Option<ApiEffect> {
        hit!(self.api, |rule: &&mut ApiFault| rule.action == action
            && (rule.caller == Caller::Anyone || rule.caller == caller))
    }

    /// The effect that befalls this command, if any. `line` is the command's words joined by
    /// blanks, without a leading `sudo -n`.
    pub fn command(&mut self, node: Node, line: &str) -> Option<CommandEffect> {
        let matches = |rule: &CommandFault| {
            rule.node.is_none_or(|wanted| wanted == node)
                && match rule.pattern.strip_prefix('*') {
                    Some(part) => line.contains(part),
                    None => line.starts_with(&rule.pattern),
                }
        };
        hit!(self.commands, |rule: &&mut CommandFault| matches(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_then_hits_then_rests_and_counts() {
        let mut faults = Faults::default();
        faults.api.push(ApiFault {
            action: "StopInstances".into(),
            caller: Caller::Operator,
            skip: 1,
            times: 1,
            effect: ApiEffect::ReplyLost,
            seen: 0,
            fired: 0,
        });
        let mut call = |caller| faults.api_call("StopInstances", caller).is_some();
        assert!(!call(Caller::Instance), "another caller's call does not count");
        assert!(!call(Caller::Operator), "the first one passes");
        assert!(call(Caller::Operator), "the second is hit");
        assert!(!call(Caller::Operator), "the third passes");
        assert_eq!((faults.api[0].seen, faults.api[0].fired), (3, 1));
    }
}
