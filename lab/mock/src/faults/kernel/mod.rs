//! The kernel's means: how a fault comes into the lab of network namespaces. The registry's entry
//! names both, the model's means and these; they are written down apart from each other, so that
//! a run with a fault on both labs is a test of the model.

pub(super) mod detours;
pub(super) mod nodes;
pub(super) mod ordinary;
pub(super) mod packets;
pub(super) mod router;

use super::rules::Happening;
use lab::node::Node;

/// How a fault comes into the kernel lab.
#[derive(Clone, Copy, Debug)]
pub enum KernelMeans {
    /// Not at all: it is the mock's alone.
    Nothing,
    /// By the world model, which is what EC2 shows there too. What the world's events do to nodes
    /// is done to them by [`Happening::deeds`] when their moment has come.
    World,
    /// Done to the nodes before the run; answers what is wrong with the argument.
    Nodes(fn(&str) -> Deeds),
}

/// The deeds of a fault, or what is wrong with its argument.
type Deeds = Result<Vec<Deed>, String>;

/// One thing done to a node, with the kernel's own means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    pub node: Node,
    pub means: Means,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// For `nft -f`: a table of its own.
    Nft(String),
    /// The words of one call of `iptables-legacy`.
    IptablesLegacy(&'static [&'static str]),
    /// For `ip -batch`.
    Ip(String),
    /// A cable to another node, `bypass` at both ends, with an address of its own at each.
    Cable {
        to: Node,
    },
    /// For `bridge -batch`.
    Bridge(String),
    /// A file that replaces what was there.
    File {
        path: String,
        contents: String,
        mode: u32,
    },
    /// One text in a file instead of another.
    Edit {
        path: &'static str,
        from: &'static str,
        to: &'static str,
    },
    NoFile {
        path: String,
    },
    /// Statements for routerd's database.
    Sql(String),
    Hostname(&'static str),
    /// sshd starts again with a new key.
    OtherHostKey,
    /// The node's processes stop where they are.
    Freeze,
    /// The program cannot be run any more.
    NoProgram(&'static str),
    /// For `sh`, among the node's files.
    Script(String),
}

pub(super) fn make_deed(node: Node, means: Means) -> Deed {
    Deed { node, means }
}

impl Happening {
    /// The deeds that are done to a node for it; none where the world alone changes.
    pub fn deeds(&self) -> Vec<Deed> {
        match self {
            Self::DefaultRoute { node, via } => {
                vec![make_deed(*node, Means::Ip(default_route(*node, *via)))]
            }
            Self::OsAddress { node, dev, address } => {
                vec![make_deed(*node, Means::Ip(format!("addr add {address} dev {dev}\n")))]
            }
            Self::Sql { statement } => {
                vec![make_deed(Node::RouterdCloud, Means::Sql(statement.clone()))]
            }
            Self::File { node, path, contents } => {
                let (path, contents) = (path.clone(), contents.clone());
                vec![make_deed(*node, Means::File { path, contents, mode: 0o755 })]
            }
            Self::NftTable { node } => {
                let table =
                    "table inet somebody { chain output { type filter hook output priority 0; }; }";
                vec![make_deed(*node, Means::Nft(table.to_owned()))]
            }
            Self::Masquerade { node } => {
                let table = "table ip somebodys_nat { chain postrouting { type nat hook postrouting priority 100; masquerade; }; }";
                vec![make_deed(*node, Means::Nft(table.to_owned()))]
            }
            Self::Kernel { node, change } => change.deeds(*node),
            Self::Notrack { node } => {
                let table = "table inet somebodys_notrack { chain prerouting { type filter hook prerouting priority -300; notrack; }; }";
                vec![make_deed(*node, Means::Nft(table.to_owned()))]
            }
            Self::IcmpDropped { node, dev } => {
                let table = format!(
                    "table inet somebodys_filter {{ chain input {{ type filter hook input priority 0; iifname \"{dev}\" meta l4proto icmp drop; }}; }}"
                );
                vec![make_deed(*node, Means::Nft(table))]
            }
            Self::Route { node, to, via, dev, source } => {
                vec![make_deed(*node, Means::Ip(detours::format_route(*to, *via, dev, *source)))]
            }
            Self::NoRoute { node, to, dev } => {
                vec![make_deed(*node, Means::Ip(format!("route del {to}/32 dev {dev}\n")))]
            }
            Self::Thief { address } => {
                let mac = super::rules::THIEF_MAC;
                // The switch knows where the machine is: else its frames went to everybody.
                let learnt = Means::Bridge(format!("fdb add {mac} dev thief0 master static\n"));
                vec![
                    make_deed(Node::OnpremRouter, thief(*address)),
                    make_deed(Node::OnpremRouter, learnt),
                ]
            }
            // It is a file by the time it happens. What others type is played on the mock alone.
            Self::FileNamed { .. }
            | Self::Command(_)
            | Self::Interface { .. }
            | Self::Way { .. }
            | Self::Ingress { .. }
            | Self::NoIcmpErrors { .. }
            | Self::InterfaceOutlives { .. }
            | Self::Cloud(_)
            | Self::TagLost { .. }
            | Self::VolumeTagLost
            | Self::VolumeOutlives { .. }
            | Self::VolumeAttached { .. }
            | Self::AddressHangs { .. }
            | Self::InstanceVanishes { .. }
            | Self::Stray(_)
            | Self::Api(_)
            | Self::Then(_) => Vec::new(),
        }
    }
}

/// With all that the node's own has but the gateway.
fn default_route(node: Node, via: std::net::Ipv4Addr) -> String {
    let rest = match node {
        Node::RouterdCloud => "dev ens5 proto dhcp src 10.88.60.4 metric 100",
        Node::CloudClient => "dev ens5 proto dhcp src 10.88.60.7 metric 100",
        Node::OnpremRouter => "dev wan0 onlink proto static",
        Node::OnpremClient => "dev eth0 proto static",
    };
    format!("route replace default via {via} {rest}\n")
}

/// Another machine on the LAN, and the router takes it for the address's owner. The entry is
/// permanent: who answers first would else be chance. A bridge has its lowest port's MAC, so the
/// new port's is high.
fn thief(address: std::net::Ipv4Addr) -> Means {
    let mac = super::rules::THIEF_MAC;
    Means::Ip(format!(
        "link add thief0 address fe:ff:ff:ff:ff:fe type veth peer name thief1 address {mac}\n\
         link set thief0 master br-lan up\n\
         neigh replace {address} lladdr {mac} dev br-lan nud permanent\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::all_faults;
    use crate::faults::inject_fault;
    use crate::world::World;

    fn with(name: &str) -> (World, World) {
        let before = crate::world_of(1, crate::start_time(1));
        let mut after = before.clone();
        inject_fault(&mut after, name).unwrap_or_else(|error| panic!("{error}"));
        (before, after)
    }

    fn json(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).expect("the world is JSON")
    }

    /// Things that the kernel lab cannot know of must not be a part of a fault that it is said to
    /// have.
    #[test]
    fn a_fault_of_both_labs_is_nothing_that_only_the_mock_can_do() {
        for fault in all_faults().filter(|fault| !matches!(fault.kernel, KernelMeans::Nothing)) {
            let (mut before, after) = with(fault.name);
            // How long guests are given is the manifest's, on both labs.
            before.machines.guest_settle_ms = after.machines.guest_settle_ms;
            let faults = &after.faults;
            assert!(faults.commands.is_empty(), "{}: a node's answer is the mock's", fault.name);
            assert_eq!(faults.go, None, "{}: the kernel lab's go is another", fault.name);
            assert!(!faults.disk_full && faults.go_after_ms == 0, "{}", fault.name);
            assert_eq!(faults.max_instance_seconds, None, "{}", fault.name);
            if matches!(fault.kernel, KernelMeans::World) {
                let untouched = json(&before.machines) == json(&after.machines);
                assert!(untouched, "{}: done to a node of the model alone", fault.name);
            }
        }
    }

    #[test]
    fn what_is_done_to_the_nodes_takes_the_default_argument_and_refuses_nonsense() {
        for fault in all_faults() {
            let KernelMeans::Nodes(deeds) = fault.kernel else { continue };
            let default = fault.argument.unwrap_or_default();
            assert!(!deeds(default).unwrap_or_else(|why| panic!("{why}")).is_empty());
            let refuses = deeds("\u{1}nonsense").is_err();
            assert_eq!(refuses, fault.argument.is_some(), "{}", fault.name);
        }
    }
}
