//! Programs that give a guest's interface each address that its ENI has got. They act long after the
//! address came, so that the traffic for it ends at the router when nobody looks any more.

use lab::shell::NodeFrames;
use serde_json::json;

use super::Reading;

/// A kind of agent, by how its unit's name begins, and how it is kept from acting.
struct AgentKind {
    unit: &'static str,
    name: &'static str,
    /// After so long it has acted, and who looks then sees it; none where nobody waits for so long.
    acts_within_ms: Option<u64>,
}

const A_MINUTE_AND_A_HALF: Option<u64> = Some(90_000);

const KINDS: &[AgentKind] = &[
    AgentKind {
        unit: "refresh-policy-routes@",
        name: "amazon-ec2-net-utils",
        acts_within_ms: A_MINUTE_AND_A_HALF,
    },
    AgentKind {
        unit: "cloud-netconfig.",
        name: "SUSE's cloud-netconfig",
        acts_within_ms: A_MINUTE_AND_A_HALF,
    },
    AgentKind {
        unit: "cloud-network.",
        name: "VMware's cloud-network-setup",
        acts_within_ms: A_MINUTE_AND_A_HALF,
    },
    // Every five minutes.
    AgentKind {
        unit: "nm-cloud-setup.",
        name: "NetworkManager's nm-cloud-setup",
        acts_within_ms: None,
    },
];

/// Of Amazon Linux 2: it acts when the DHCP lease is renewed, about every half hour.
const DHCP_HOOK: &str = "/etc/dhcp/dhclient.d/ec2dhcp.sh";

/// An agent that is active on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressAgent {
    /// Its unit, or its file.
    pub at: String,
    pub name: &'static str,
    pub acts_within_ms: Option<u64>,
}

impl AddressAgent {
    /// Whether it has acted by the last look, where guests are given so long to settle.
    pub fn is_outwaited(&self, guest_settle_ms: u64) -> bool {
        self.acts_within_ms.is_some_and(|within_ms| guest_settle_ms >= within_ms)
    }

    /// The command, on the node, after which it does not act any more.
    pub fn disable_command(&self) -> String {
        if self.at == DHCP_HOOK {
            return format!("sudo chmod a-x {DHCP_HOOK}");
        }
        format!("sudo systemctl disable --now {}", self.at)
    }

    fn of_unit(unit: &str) -> Self {
        let kind = KINDS.iter().find(|kind| unit.starts_with(kind.unit));
        let (name, acts_within_ms) =
            kind.map_or(("an agent that is not known", None), |it| (it.name, it.acts_within_ms));
        Self { at: unit.to_owned(), name, acts_within_ms }
    }
}

/// Their units and files, as the look names them.
pub(super) fn read_agents(frames: &NodeFrames) -> Reading {
    let mut found = Vec::new();
    for (_, frame) in frames.beginning("agents") {
        match frame.text() {
            Ok(text) => {
                let names = text.lines().filter_map(|line| line.split_whitespace().next());
                found.extend(names.map(|name| json!(name)));
            }
            Err(why) => return Reading::NotReadableHere(why),
        }
    }
    Reading::Read(found)
}

/// The agents that are active; or why it is not known.
pub fn list_agents(reading: Option<&Reading>) -> Result<Vec<AddressAgent>, String> {
    match reading {
        Some(Reading::Read(names)) => Ok(names
            .iter()
            .filter_map(serde_json::Value::as_str)
            .map(|name| match name {
                DHCP_HOOK => AddressAgent {
                    at: DHCP_HOOK.to_owned(),
                    name: "Amazon Linux 2's ec2-net-utils",
                    acts_within_ms: None,
                },
                unit => AddressAgent::of_unit(unit),
            })
            .collect()),
        Some(Reading::NotReadableHere(why)) => Err(why.clone()),
        None => Err("it was not asked for".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_agent_is_named_with_what_keeps_it_from_acting() {
        let table = [
            ("refresh-policy-routes@ens5.timer", true, "systemctl disable --now refresh-policy"),
            ("cloud-netconfig.timer", true, "systemctl disable --now cloud-netconfig.timer"),
            ("cloud-network.service", true, "systemctl disable --now cloud-network.service"),
            ("nm-cloud-setup.timer", false, "systemctl disable --now nm-cloud-setup.timer"),
            (DHCP_HOOK, false, "chmod a-x"),
        ];
        for (at, outwaited, command) in table {
            let listed = list_agents(Some(&Reading::Read(vec![json!(at)]))).expect("a list");
            let [agent] = &listed[..] else { panic!("{listed:?}") };
            assert_eq!(agent.is_outwaited(90_000), outwaited, "{at}");
            assert!(!agent.is_outwaited(89_999), "{at}");
            assert!(agent.disable_command().contains(command), "{at}");
        }
        assert!(list_agents(Some(&Reading::NotReadableHere("no bus".to_owned()))).is_err());
        assert!(list_agents(None).is_err());
    }
}
