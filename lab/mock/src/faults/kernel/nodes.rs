//! The four nodes: who they are, and whether they answer.

use super::super::hand::node;
use super::{Deed, Means, on};
use lab::node::Node;

type Deeds = Result<Vec<Deed>, String>;

pub fn node_hangs(argument: &str) -> Deeds {
    Ok(vec![on(node(argument)?, Means::Freeze)])
}

pub fn other_hostname(argument: &str) -> Deeds {
    Ok(vec![on(node(argument)?, Means::Hostname("production"))])
}

pub fn other_host_key(argument: &str) -> Deeds {
    Ok(vec![on(node(argument)?, Means::OtherHostKey)])
}

pub fn os_address_before(_: &str) -> Deeds {
    Ok(vec![on(Node::RouterdCloud, Means::Ip("addr add 10.88.60.9/32 dev ens5\n".to_owned()))])
}

pub fn nft_missing(argument: &str) -> Deeds {
    Ok(vec![on(node(argument)?, Means::NoProgram("nft"))])
}
