//! Answers to the faults of the mock lab's table `way`.

use super::owed::Primary::{Assertion, Unavailable};
use super::owed::{CheckOff, FaultAnswer, Owed};
use super::packets::{PACKETS, join};
use crate::{default_gateway, node_unchanged, ping, preflight, restored, source_dest_check, ssh};

/// The packets between the clients, where one of them cannot be asked.
const CLIENTS_BLIND: [&str; 12] = join(PACKETS, [restored::ADDRESSES, restored::RULES]);

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
