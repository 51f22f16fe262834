//! Answers to the faults of the mock lab's table `way`.

use super::owed::Primary::{Assertion, Unavailable};
use super::owed::{CheckOff, FaultAnswer, Owed};
use crate::{
    default_gateway, no_nat, node_unchanged, ping, preflight, restored, source_dest_check, ssh,
};

/// Of the packets between the clients, where one of them cannot be asked.
const CLIENTS_BLIND: [&str; 12] = [
    no_nat::HANDSHAKE_TO_ONPREM,
    no_nat::HANDSHAKE_TO_CLOUD,
    no_nat::ICMP_TO_ONPREM,
    no_nat::ICMP_TO_CLOUD,
    no_nat::PATH_ONPREM_ROUTER,
    no_nat::PATH_ROUTERD_CLOUD,
    no_nat::PAYLOAD_TO_ONPREM,
    no_nat::PAYLOAD_TO_CLOUD,
    no_nat::TCP_TO_ONPREM,
    no_nat::TCP_TO_CLOUD,
    restored::ADDRESSES,
    restored::RULES,
];

const CLOUD_CLIENT_BLIND: [&str; 9] = [
    source_dest_check::CANARY,
    ssh::LOGIN_ONPREM,
    ssh::LOGIN_CLOUD,
    default_gateway::CLOUD_CLIENT,
    node_unchanged::CLOUD_CLIENT,
    restored::GATEWAY_CLOUD_CLIENT,
    restored::STATE_CLOUD_CLIENT,
    restored::UNREACHABLE,
    ping::TO_ONPREM,
];

const ONPREM_CLIENT_BLIND: [&str; 7] = [
    ssh::LOGIN_CLOUD,
    ssh::PAYLOAD_CLOUD,
    default_gateway::ONPREM_CLIENT,
    node_unchanged::ONPREM_CLIENT,
    restored::GATEWAY_ONPREM_CLIENT,
    restored::STATE_ONPREM_CLIENT,
    ping::TO_CLOUD,
];

/// Both lists as one.
const fn join<const A: usize, const B: usize, const ALL: usize>(
    one: [&'static str; A],
    other: [&'static str; B],
) -> [&'static str; ALL] {
    let mut all = [""; ALL];
    let mut at = 0;
    while at < A {
        all[at] = one[at];
        at += 1;
    }
    while at < ALL {
        all[at] = other[at - A];
        at += 1;
    }
    all
}

const CLOUD_CLIENT_SILENT: [&str; 21] = join(CLIENTS_BLIND, CLOUD_CLIENT_BLIND);
const ONPREM_CLIENT_SILENT: [&str; 19] = join(CLIENTS_BLIND, ONPREM_CLIENT_BLIND);

/// Nobody can disarm the switch of what goes on running there.
const STAYS_ARMED: FaultAnswer =
    FaultAnswer { exit_code: 6, also: &CLOUD_CLIENT_SILENT, stops: &[], left: &[] };

pub const OWED: &[Owed] = &[
    Owed::tolerated("read-lost"),
    Owed::caught("reads-lost", Assertion(preflight::HOST_KEYS))
        .exits(5)
        .also(&[preflight::BASELINE]),
    Owed::caught("network-lost", Unavailable),
    Owed::caught("network-lost-later", Assertion(ping::TO_CLOUD))
        .exits(5)
        .also(&ONPREM_CLIENT_SILENT),
    // Its neighbour in the cloud does not hear it either.
    Owed::caught("hangs-later", Assertion(ping::TO_CLOUD))
        .exits(5)
        .also(&CLOUD_CLIENT_SILENT)
        .at_keep(CheckOff::Differs(STAYS_ARMED)),
    Owed::caught("host-key-later", Assertion(ping::TO_ONPREM))
        .exits(5)
        .also(&CLOUD_CLIENT_SILENT)
        .at_keep(CheckOff::Differs(STAYS_ARMED)),
    Owed::tolerated("reboot-in-mid-command"),
];
