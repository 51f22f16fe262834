//! Answers to the faults of the mock lab's table `node_state`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use crate::{default_gateway, no_nat, node_unchanged, os_address, restored};

pub const OWED: &[Owed] = &[
    Owed::caught("halves-beside-default", Assertion(default_gateway::CLOUD_CLIENT))
        .exits(6)
        .also(&[restored::GATEWAY_CLOUD_CLIENT]),
    Owed::caught("rule-with-own-table", Assertion(default_gateway::ROUTERD_CLOUD))
        .exits(6)
        .also(&[restored::GATEWAY_ROUTERD_CLOUD]),
    Owed::caught("default-in-table-253", Assertion(default_gateway::ONPREM_ROUTER))
        .exits(6)
        .also(&[restored::GATEWAY_ONPREM_ROUTER]),
    Owed::caught("gateway-neighbour", Assertion(default_gateway::ONPREM_CLIENT)).exits(6).also(&[
        node_unchanged::ONPREM_CLIENT,
        restored::GATEWAY_ONPREM_CLIENT,
        restored::STATE_ONPREM_CLIENT,
    ]),
    Owed::caught("default-route-mtu", Assertion(default_gateway::CLOUD_CLIENT))
        .exits(6)
        .also(&[restored::GATEWAY_CLOUD_CLIENT]),
    Owed::caught("default-route-ipv6", Assertion(default_gateway::CLOUD_CLIENT))
        .exits(6)
        .also(&[restored::GATEWAY_CLOUD_CLIENT]),
    Owed::caught("any-ip", Assertion(os_address::ABSENT)).exits(6).also(&[
        os_address::ABSENT_AFTER_SETTLING,
        default_gateway::ROUTERD_CLOUD,
        restored::GATEWAY_ROUTERD_CLOUD,
    ]),
    Owed::caught("address-in-namespace", Assertion(os_address::ABSENT)).exits(6).also(&[
        os_address::ABSENT_AFTER_SETTLING,
        node_unchanged::ROUTERD_CLOUD,
        restored::STATE_ROUTERD_CLOUD,
    ]),
    Owed::caught("mapped-address", Assertion(os_address::ABSENT)).exits(6).also(&[
        os_address::ABSENT_AFTER_SETTLING,
        node_unchanged::ROUTERD_CLOUD,
        restored::ADDRESSES,
    ]),
    Owed::caught("authorized-key", Assertion(node_unchanged::ROUTERD_CLOUD))
        .exits(6)
        .also(&[restored::STATE_ROUTERD_CLOUD]),
    Owed::caught("link-mtu", Assertion(node_unchanged::CLOUD_CLIENT))
        .exits(6)
        .also(&[restored::STATE_CLOUD_CLIENT]),
    Owed::caught("legacy-rule", Assertion(node_unchanged::ONPREM_ROUTER))
        .exits(6)
        .also(&[restored::STATE_ONPREM_ROUTER]),
    Owed::caught("new-listener", Assertion(node_unchanged::ONPREM_CLIENT))
        .exits(6)
        .also(&[restored::STATE_ONPREM_CLIENT]),
    Owed::caught("nft-lost", Assertion(node_unchanged::ONPREM_ROUTER))
        .exits(5)
        .also(&[no_nat::TABLES_ONPREM_ROUTER, restored::RULES]),
    Owed::caught("program-replaced", Assertion(node_unchanged::PROGRAMS))
        .exits(6)
        .also(&[restored::PROGRAMS]),
    Owed::caught("program-after-undo", Assertion(restored::PROGRAMS)).exits(6),
    Owed::caught("forwarding-entry", Assertion(node_unchanged::ROUTERD_CLOUD))
        .exits(6)
        .also(&[restored::STATE_ROUTERD_CLOUD]),
    Owed::caught("program-mode", Assertion(node_unchanged::PROGRAMS))
        .exits(6)
        .also(&[restored::PROGRAMS]),
    Owed::caught("mac-after-undo", Assertion(restored::STATE_ONPREM_CLIENT)).exits(6),
    Owed::caught("sysctl-after-undo", Assertion(restored::STATE_ROUTERD_CLOUD)).exits(6),
    Owed::caught("link-after-undo", Assertion(restored::STATE_CLOUD_CLIENT)).exits(6),
    Owed::caught("filter-after-undo", Assertion(restored::STATE_ONPREM_ROUTER)).exits(6),
    Owed::caught("neighbour-after-undo", Assertion(restored::STATE_ONPREM_CLIENT)).exits(6),
    Owed::caught("route-after-undo", Assertion(restored::GATEWAY_ROUTERD_CLOUD)).exits(6),
    Owed::caught("bpf-after-undo", Assertion(restored::STATE_ROUTERD_CLOUD)).exits(6),
    Owed::caught("xfrm-after-undo", Assertion(restored::STATE_ONPREM_ROUTER)).exits(6),
];
