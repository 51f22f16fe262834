//! The four nodes: who they are, and whether they answer.

use super::super::hand::parse_node;
use super::{Deeds, Means, make_deed};
use lab::node::Node;

pub fn node_hangs(argument: &str) -> Deeds {
    Ok(vec![make_deed(parse_node(argument)?, Means::Freeze)])
}

pub fn other_hostname(argument: &str) -> Deeds {
    Ok(vec![make_deed(parse_node(argument)?, Means::Hostname("production"))])
}

pub fn other_host_key(argument: &str) -> Deeds {
    Ok(vec![make_deed(parse_node(argument)?, Means::OtherHostKey)])
}

pub fn os_address_before(_: &str) -> Deeds {
    Ok(vec![make_deed(
        Node::RouterdCloud,
        Means::Ip("addr add 10.88.60.9/32 dev ens5\n".to_owned()),
    )])
}

pub fn nft_missing(argument: &str) -> Deeds {
    Ok(vec![make_deed(parse_node(argument)?, Means::NoProgram("nft"))])
}
