//! Answers to the faults of the mock lab's table `acceptance`.

use super::owed::Primary::Assertion;
use super::owed::{CheckOff, FaultAnswer, Left, Owed};
use super::packets::{PACKETS, join};
use crate::{
    claim_ready, default_gateway, doctor, eni_address, no_nat, node_unchanged, os_address, ping,
    restored, source_dest_check, ssh, stops, undo,
};

/// Somebody switched the check on: no undo of routerd's switches it off again.
const CHECK_IS_ON: FaultAnswer = FaultAnswer {
    exit_code: 6,
    also: &[
        source_dest_check::CANARY,
        undo::PREVIEW_FORWARDING,
        undo::FORWARDING,
        restored::INTERFACE,
    ],
    stops: &[stops::AMBIGUOUS.name],
    left: &[Left::Interface],
};

/// The router answers for the captured address itself.
const ANSWERED_ITSELF: [&str; 17] = join(
    PACKETS,
    [
        node_unchanged::ROUTERD_CLOUD,
        os_address::ABSENT_AFTER_SETTLING,
        ping::TO_CLOUD,
        restored::ADDRESSES,
        source_dest_check::CANARY,
        ssh::LOGIN_ONPREM,
        ssh::LOGIN_CLOUD,
    ],
);

pub const OWED: &[Owed] = &[
    Owed::caught("address-taken-off", Assertion(eni_address::PRESENT)).exits(5).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::HANDSHAKE_TO_CLOUD,
        no_nat::ICMP_TO_ONPREM,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
        no_nat::TCP_TO_ONPREM,
        no_nat::TCP_TO_CLOUD,
        ping::TO_ONPREM,
        ping::TO_CLOUD,
        source_dest_check::CANARY,
        ssh::LOGIN_ONPREM,
        ssh::LOGIN_CLOUD,
    ]),
    Owed::caught("second-address", Assertion(eni_address::NOTHING_ELSE))
        .leaves(&[Left::Interface])
        .exits(6)
        .also(&[restored::INTERFACE]),
    Owed::caught("check-on-later", Assertion(source_dest_check::OFF))
        .also(&[source_dest_check::CANARY])
        .check_off(CheckOff::Differs(CHECK_IS_ON)),
    Owed::caught("prior-lost", Assertion(source_dest_check::PRIOR))
        .also(&[undo::PREVIEW_FORWARDING]),
    Owed::caught("os-address", Assertion(os_address::ABSENT)).exits(6).also(&ANSWERED_ITSELF),
    Owed::caught("os-address-late", Assertion(os_address::ABSENT_AFTER_SETTLING))
        .exits(6)
        .also(&[restored::ADDRESSES]),
    Owed::caught("guest-agent-adds-address", Assertion(os_address::ABSENT_AFTER_SETTLING))
        .exits(6)
        .also(&[restored::ADDRESSES]),
    Owed::caught("claim-pending", Assertion(claim_ready::READY)),
    Owed::caught("doctor-hybrid-fails", Assertion(doctor::HYBRID)),
    Owed::caught("doctor-sam-fails", Assertion(doctor::SAM)),
    Owed::caught("default-route-routerd-cloud", Assertion(default_gateway::ROUTERD_CLOUD))
        .exits(6)
        .also(&[restored::GATEWAY_ROUTERD_CLOUD]),
    Owed::caught("default-route-cloud-client", Assertion(default_gateway::CLOUD_CLIENT))
        .exits(6)
        .also(&[restored::GATEWAY_CLOUD_CLIENT]),
    Owed::caught("default-route-onprem-router", Assertion(default_gateway::ONPREM_ROUTER))
        .exits(6)
        .also(&[restored::GATEWAY_ONPREM_ROUTER]),
    Owed::caught("default-route-onprem-client", Assertion(default_gateway::ONPREM_CLIENT))
        .exits(6)
        .also(&[restored::GATEWAY_ONPREM_CLIENT]),
];
