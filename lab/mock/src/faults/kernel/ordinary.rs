//! Things that many a lab has, with the kernel's own means.

use super::{Deeds, Means, make_deed};
use lab::node::Node;

pub fn second_interface(_: &str) -> Deeds {
    let lines = "link add eth1 type veth peer name eth1-far\n\
                 addr add 192.0.2.9/24 dev eth1\nlink set eth1 up\nlink set eth1-far up\n";
    Ok(vec![make_deed(Node::OnpremClient, Means::Ip(lines.to_owned()))])
}

/// A node of the kernel lab has none until somebody switches it on.
pub fn ipv6_enabled(_: &str) -> Deeds {
    let on_it = |node, dev: &str, last: u8| {
        let script = format!(
            "echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6
             echo 0 > /proc/sys/net/ipv6/conf/{dev}/disable_ipv6
             ip -6 addr add 2001:db8:60::{last}/64 dev {dev} nodad"
        );
        make_deed(node, Means::Script(script))
    };
    Ok(vec![on_it(Node::CloudClient, "ens5", 7), on_it(Node::OnpremClient, "eth0", 9)])
}

pub fn container_bridge(_: &str) -> Deeds {
    let bridge = "link add docker0 type bridge\naddr add 172.17.0.1/16 dev docker0\n";
    let table = "table ip containers { chain postrouting { type nat hook postrouting priority 100; \
                 ip saddr 172.17.0.0/16 oifname != \"docker0\" masquerade; }; }\n";
    let router = Node::OnpremRouter;
    Ok(vec![
        make_deed(router, Means::Ip(format!("{bridge}link set docker0 up\n"))),
        make_deed(router, Means::Nft(table.to_owned())),
    ])
}

/// Echoes and connections to ssh's port, to whoever is next; they go with the lab.
pub fn other_traffic(_: &str) -> Deeds {
    let talks = |node, to: &str| {
        let script = format!(
            "ping -q -i 0.2 {to} > /dev/null 2>&1 < /dev/null &
             (while ssh-keyscan -T 1 {to}; sleep 0.3; do :; done) > /dev/null 2>&1 < /dev/null &"
        );
        make_deed(node, Means::Script(script))
    };
    Ok(vec![talks(Node::CloudClient, "10.88.60.4"), talks(Node::OnpremClient, "10.88.60.1")])
}
