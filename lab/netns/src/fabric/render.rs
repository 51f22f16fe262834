//! The ruleset's text. It is one transaction: what it names is declared where it is missing, all
//! rules and elements are taken away and put there anew, and the counters go on counting.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::model::{Fabric, FabricSubnet, Port, SourceDestCheck};
use super::permit::{AclEntry, AclRule, Side};

/// In `inet vpc`; those of `arp vpc` are `c_arp_hit` and `c_arp_miss`.
pub const COUNTERS: [&str; 7] = [
    "drop_src_check",
    "drop_dst_check",
    "drop_no_owner",
    "drop_silent",
    "drop_acl",
    "drop_sg_out",
    "drop_sg_in",
];

const DECLARED: &str = "\
table arp vpc {
  map owner { type ipv4_addr : mark; }
  set gateways { type ipv4_addr; }
  counter c_arp_hit { }
  counter c_arp_miss { }
  chain in { type filter hook input priority filter; policy accept; }
}
table inet vpc {
  map owner { type ipv4_addr : mark; }
  set gateways { type ipv4_addr; }
  set silent { type ipv4_addr; }
  set ports { type ifname; }
  set own { type ifname . ipv4_addr; }
  set nocheck { type ifname; }
  set neighbours { type ifname . ifname; }
  map rtb { type ifname : verdict; }
  map acl_out { type ifname : verdict; }
  map acl_in { type ifname : verdict; }
  map sg_out { type ifname : verdict; }
  map sg_in { type ifname : verdict; }
  chain pre { type filter hook prerouting priority raw; policy accept; }
  chain lookup { }
  chain deliver { type filter hook forward priority filter; policy drop; }
  chain crossing { }
  chain sg { }
}
flush table arp vpc
flush table inet vpc
";

/// An accepted ARP request goes to the kernel's proxy, which answers only where the route for the
/// mark leaves by another device than the request came by.
const RULES: &str = "\
table arp vpc {
  chain in {
    arp operation != request accept
    arp daddr ip @gateways counter name c_arp_hit accept
    meta mark set arp daddr ip map @owner counter name c_arp_hit accept
    counter name c_arp_miss
  }
}
table inet vpc {
  chain pre {
    iifname != @ports accept
    iifname . ip saddr @own goto lookup
    iifname @nocheck goto lookup
    counter name drop_src_check drop
  }
  chain lookup {
    ip daddr @gateways accept
    meta mark set ip daddr map @owner accept
    ip daddr @silent counter name drop_silent drop
    iifname vmap @rtb
    counter name drop_no_owner drop
  }
  chain deliver {
    oifname . ip daddr @own goto crossing
    oifname @nocheck goto crossing
    counter name drop_dst_check drop
  }
  chain crossing {
    iifname . oifname @neighbours goto sg
    iifname vmap @acl_out
    oifname vmap @acl_in
    goto sg
  }
  chain sg {
    ct state established accept
    iifname vmap @sg_out
    oifname vmap @sg_in
    counter name drop_sg_in drop
  }
}
";

const SETS: [(&str, &str); 14] = [
    ("map arp", "owner"),
    ("set arp", "gateways"),
    ("map inet", "owner"),
    ("set inet", "gateways"),
    ("set inet", "silent"),
    ("set inet", "ports"),
    ("set inet", "own"),
    ("set inet", "nocheck"),
    ("set inet", "neighbours"),
    ("map inet", "rtb"),
    ("map inet", "acl_out"),
    ("map inet", "acl_in"),
    ("map inet", "sg_out"),
    ("map inet", "sg_in"),
];

/// The whole ruleset, apart from [`ttl_table`].
pub fn render_ruleset(fabric: &Fabric) -> String {
    let mut text = String::from(DECLARED);
    for (set, name) in SETS {
        line(&mut text, &format!("flush {set} vpc {name}"));
    }
    for counter in COUNTERS {
        line(&mut text, &format!("add counter inet vpc {counter}"));
    }
    text.push_str(RULES);
    owners(&mut text, fabric);
    for (id, subnet) in &fabric.subnets {
        of_subnet(&mut text, fabric, id, subnet);
    }
    for port in &fabric.ports {
        security_groups(&mut text, port);
    }
    text
}

/// A subnet's router does not count as a hop, so the fabric gives back what its kernel is about to
/// take. Loaded once, beside the rest.
pub fn ttl_table() -> String {
    let mut text = String::from("table inet vpc_ttl {\n");
    for ttl in 1..=254_u8 {
        let _ = writeln!(text, "  chain t{ttl} {{ ip ttl set {}; }}", ttl + 1);
    }
    text.push_str("  chain pre {\n    type filter hook prerouting priority raw + 10;\n");
    let verdicts: Vec<_> = (1..=254_u8).map(|ttl| format!("{ttl} : jump t{ttl}")).collect();
    let _ = writeln!(text, "    ip ttl vmap {{ {} }}\n  }}\n}}", verdicts.join(", "));
    text
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

/// Nothing at all for no elements: nft refuses an empty list.
fn elements(text: &mut String, set: &str, elements: impl Iterator<Item = String>) {
    let elements: Vec<_> = elements.collect();
    if !elements.is_empty() {
        line(text, &format!("add element {set} {{ {} }}", elements.join(", ")));
    }
}

fn owners(text: &mut String, fabric: &Fabric) {
    let ports = || fabric.ports.iter();
    let owned = || ports().flat_map(|port| port.addresses.iter().map(move |a| (port, *a)));
    let owner = |(port, address): (&Port, Ipv4Addr)| format!("{address} : {:#x}", port.wire.mark);
    let gateways = || fabric.subnets.values().map(|subnet| subnet.gateway.to_string());
    elements(text, "arp vpc owner", owned().map(owner));
    elements(text, "arp vpc gateways", gateways());
    elements(text, "inet vpc owner", owned().map(owner));
    elements(text, "inet vpc gateways", gateways());
    elements(text, "inet vpc silent", fabric.silent.iter().map(ToString::to_string));
    elements(text, "inet vpc ports", ports().map(quoted));
    let own = |(port, address): (&Port, Ipv4Addr)| format!("{} . {address}", quoted(port));
    elements(text, "inet vpc own", owned().map(own));
    let unchecked = ports().filter(|port| port.check == SourceDestCheck::Off);
    elements(text, "inet vpc nocheck", unchecked.map(quoted));
    let pairs = ports().flat_map(|a| ports().map(move |b| (a, b)));
    let neighbours = pairs.filter(|(a, b)| a.subnet == b.subnet);
    let pair = |(a, b): (&Port, &Port)| format!("{} . {}", quoted(a), quoted(b));
    elements(text, "inet vpc neighbours", neighbours.map(pair));
}

fn quoted(port: &Port) -> String {
    format!("\"{}\"", port.wire.device)
}

/// Letters, digits and underscores are all that a chain's name may have.
fn name(prefix: &str, what: &str) -> String {
    format!("{prefix}_{}", what.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn chain(text: &mut String, name: &str, rules: &[String]) {
    line(text, &format!("add chain inet vpc {name}"));
    for rule in rules {
        line(text, &format!("add rule inet vpc {name} {rule}"));
    }
}

/// Its route table, and its network ACL, which keeps no state and is asked only for what crosses
/// its border.
fn of_subnet(text: &mut String, fabric: &Fabric, id: &str, subnet: &FabricSubnet) {
    let chains = [name("rtb", id), name("aclout", id), name("aclin", id)];
    let [rtb, out, into] = &chains;
    let routes: Vec<_> = subnet
        .routes
        .iter()
        .map(|route| {
            format!("ip daddr {} meta mark set {:#x} accept", route.destination, route.mark)
        })
        .collect();
    chain(text, rtb, &routes);
    chain(text, out, &acl(&subnet.acl.egress, Side::Destination));
    chain(text, into, &acl(&subnet.acl.ingress, Side::Source));
    let inside: Vec<_> = fabric.ports.iter().filter(|port| port.subnet == id).collect();
    for (map, chain) in ["rtb", "acl_out", "acl_in"].into_iter().zip(&chains) {
        let jump = inside.iter().map(|port| format!("{} : jump {chain}", quoted(port)));
        elements(text, &format!("inet vpc {map}"), jump);
    }
}

fn acl(entries: &[AclEntry], side: Side) -> Vec<String> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|entry| entry.number);
    let rule = |entry: &&AclEntry| match entry.rule {
        AclRule::Allow => format!("{}return", entry.matched(side)),
        AclRule::Deny => format!("{}counter name drop_acl drop", entry.matched(side)),
    };
    let last = "counter name drop_acl drop".to_owned();
    entries.iter().map(rule).chain([last]).collect()
}

/// Drops what is not permitted; what answers a permitted flow never comes here. An ICMP error about one
/// does: AWS's groups track the flow and not what is related to it.
fn security_groups(text: &mut String, port: &Port) {
    let (out, into) = (name("sgout", &port.wire.device), name("sgin", &port.wire.device));
    let rules =
        |permits: &[super::PeerPermission], side, verdict: &str, drop: &str| -> Vec<String> {
            let permitted = permits.iter().filter_map(|permit| permit.matched(side));
            let permitted = permitted.map(|matched| format!("{matched}{verdict}"));
            permitted.chain([format!("counter name {drop} drop")]).collect()
        };
    chain(text, &out, &rules(&port.egress, Side::Destination, "return", "drop_sg_out"));
    chain(text, &into, &rules(&port.ingress, Side::Source, "accept", "drop_sg_in"));
    line(text, &format!("add element inet vpc sg_out {{ {} : jump {out} }}", quoted(port)));
    line(text, &format!("add element inet vpc sg_in {{ {} : goto {into} }}", quoted(port)));
}
