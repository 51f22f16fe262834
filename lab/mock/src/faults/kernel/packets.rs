//! Packets between the clients, by nftables and by legacy iptables.

use super::{Deed, Deeds, Means, make_deed};
use lab::node::Node;

const NAT: &str = "type nat hook postrouting priority 100;";

fn nft(node: Node, table: &str, hook: &str, rules: &str) -> Deed {
    let text = format!("table {table} {{ chain fault {{ {hook} {rules}; }}; }}\n");
    make_deed(node, Means::Nft(text))
}

/// Lets answers through and drops what matches.
fn drops(node: Node, hook: &str, what: &str) -> Deeds {
    let hook = format!("type filter hook {hook} priority -10;");
    let rules = format!("ct state established,related accept; {what} drop");
    Ok(vec![nft(node, "inet fault_filter", &hook, &rules)])
}

fn nat(node: Node, rule: &str) -> Deed {
    nft(node, "ip fault_nat", NAT, rule)
}

pub fn ping_fails(_: &str) -> Deeds {
    drops(Node::OnpremRouter, "forward", "ip protocol icmp")
}

pub fn client_deaf(_: &str) -> Deeds {
    drops(Node::CloudClient, "input", "ip protocol icmp")
}

pub fn far_router_mute(_: &str) -> Deeds {
    let hook = "type filter hook output priority 0;";
    Ok(vec![nft(Node::OnpremRouter, "inet fault_filter", hook, "ip protocol icmp drop")])
}

/// Drops packets that leave through the overlay and are longer than `bytes`, without an ICMP error.
fn black_hole(node: Node, bytes: &str) -> Result<Deed, String> {
    let bytes: u32 = bytes.parse().map_err(|_| "it is no number of bytes")?;
    let hook = "type filter hook postrouting priority 200;";
    let rule = format!("oifname \"wg-hybrid\" meta length > {bytes} drop");
    Ok(nft(node, "inet fault_hole", hook, &rule))
}

pub fn pmtu_black_hole(bytes: &str) -> Deeds {
    Ok(vec![black_hole(Node::RouterdCloud, bytes)?, black_hole(Node::OnpremRouter, bytes)?])
}

pub fn pmtu_black_hole_inwards(bytes: &str) -> Deeds {
    Ok(vec![black_hole(Node::OnpremRouter, bytes)?])
}

pub fn onprem_closed(_: &str) -> Deeds {
    drops(Node::OnpremClient, "input", "ip saddr 10.88.60.7 meta l4proto tcp")
}

pub fn client_closed(_: &str) -> Deeds {
    drops(Node::CloudClient, "input", "ip saddr 10.88.60.9 meta l4proto tcp")
}

pub fn masquerade_both_ways(_: &str) -> Deeds {
    Ok(vec![nat(Node::RouterdCloud, "masquerade")])
}

pub fn masquerade_tcp_inwards(_: &str) -> Deeds {
    Ok(vec![nat(Node::RouterdCloud, "oifname \"ens5\" meta l4proto tcp masquerade")])
}

pub fn masquerade_icmp(_: &str) -> Deeds {
    Ok(vec![nat(Node::RouterdCloud, "oifname \"wg-hybrid\" meta l4proto icmp masquerade")])
}

pub fn masquerade_icmp_inwards(_: &str) -> Deeds {
    Ok(vec![nat(Node::RouterdCloud, "oifname \"ens5\" meta l4proto icmp masquerade")])
}

pub fn masquerade_legacy(_: &str) -> Deeds {
    let words = &["-t", "nat", "-A", "POSTROUTING", "-o", "wg-hybrid", "-j", "MASQUERADE"];
    Ok(vec![make_deed(Node::RouterdCloud, Means::IptablesLegacy(words))])
}

pub fn idle_nat_rule(_: &str) -> Deeds {
    Ok(vec![nat(Node::OnpremRouter, "oifname \"wg-hybrid\" tcp dport 8443 masquerade")])
}

pub fn masquerade_for_the_internet(_: &str) -> Deeds {
    Ok(vec![nat(Node::OnpremRouter, "oifname \"wan0\" masquerade")])
}

pub fn echo_source_rewritten(_: &str) -> Deeds {
    let hook = "type filter hook postrouting priority 200;";
    let rule = "oifname \"wg-hybrid\" icmp type echo-reply ip saddr set 10.88.60.50";
    Ok(vec![nft(Node::OnpremRouter, "ip fault_rewrite", hook, rule)])
}

pub fn stateless_rewrite(_: &str) -> Deeds {
    let hook = "type filter hook postrouting priority 200;";
    let rule = "oifname \"wg-hybrid\" meta l4proto icmp ip saddr set 10.99.0.1";
    Ok(vec![nft(Node::RouterdCloud, "ip fault_rewrite", hook, rule)])
}

pub fn double_snat(_: &str) -> Deeds {
    Ok(vec![
        nat(Node::RouterdCloud, "ip saddr 10.88.60.7 snat to 10.99.0.1"),
        nat(Node::OnpremRouter, "ip saddr 10.99.0.1 snat to 10.88.60.7"),
    ])
}

pub fn double_snat_inwards(_: &str) -> Deeds {
    Ok(vec![
        nat(Node::OnpremRouter, "ip saddr 10.88.60.9 snat to 10.99.0.2"),
        nat(Node::RouterdCloud, "ip saddr 10.99.0.2 snat to 10.88.60.9"),
    ])
}
