//! Answers to the faults of the mock lab's table `smokes`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use super::packets::{PACKETS, join};
use crate::{
    execute, import, no_nat, node_unchanged, ping, restored, source_dest_check, ssh, stops,
};

/// Nothing comes through to the far side.
pub(super) const CUT_OFF: [&str; 14] =
    join(PACKETS, [ping::TO_CLOUD, source_dest_check::CANARY, ssh::LOGIN_ONPREM, ssh::LOGIN_CLOUD]);

pub const OWED: &[Owed] = &[
    Owed::tolerated("cold-neighbour"),
    Owed::caught("fenced-row", Assertion(execute::ASSIGN_ROW))
        .exits(4)
        .also(&[execute::ASSIGN_ENI])
        .trips(&[stops::AMBIGUOUS.name])
        .leaves_approved_rows(),
    Owed::caught("import-flag-gone", Assertion(import::IMPORTED))
        .also(&[import::ASSIGN, import::FORWARDING]),
    Owed::caught("allowed-ips", Assertion(ping::TO_ONPREM)).exits(5).also(&CUT_OFF),
    Owed::caught("masquerade-meanwhile", Assertion(no_nat::TCP_TO_ONPREM)).exits(6).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::HANDSHAKE_TO_CLOUD,
        no_nat::ICMP_TO_ONPREM,
        no_nat::ICMP_TO_CLOUD,
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
        no_nat::TABLES_ROUTERD_CLOUD,
        no_nat::TCP_TO_CLOUD,
        restored::UNREACHABLE,
        restored::RULES,
    ]),
    Owed::caught("conntrack-off", Assertion(no_nat::CONNTRACK_ROUTERD_CLOUD))
        .exits(6)
        .also(&[restored::RULES, node_unchanged::ROUTERD_CLOUD]),
    Owed::tolerated("conntrack-unarmed"),
];
