//! Answers to the faults of the mock lab's table `detours`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use crate::{default_gateway, no_nat, preflight, restored, source_dest_check};

pub const OWED: &[Owed] = &[
    Owed::caught("reachable-before", Assertion(preflight::SILENT)),
    Owed::caught("tcp-after-undo", Assertion(restored::UNREACHABLE)).exits(6).also(&[
        restored::RULES,
        restored::GATEWAY_CLOUD_CLIENT,
        restored::GATEWAY_ONPREM_CLIENT,
    ]),
    Owed::caught("clients-bypass", Assertion(no_nat::PAYLOAD_TO_CLOUD)).also(&[
        source_dest_check::CANARY,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::HANDSHAKE_TO_CLOUD,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::PATH_ONPREM_ROUTER,
        default_gateway::CLOUD_CLIENT,
        default_gateway::ONPREM_CLIENT,
    ]),
    Owed::caught("overlay-bypass", Assertion(no_nat::PATH_ROUTERD_CLOUD)).also(&[
        source_dest_check::CANARY,
        no_nat::PATH_ONPREM_ROUTER,
        default_gateway::ROUTERD_CLOUD,
        default_gateway::ONPREM_ROUTER,
    ]),
    Owed::caught("return-past-the-router", Assertion(no_nat::PATH_ONPREM_ROUTER)).also(&[
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::HANDSHAKE_TO_CLOUD,
        no_nat::PATH_ROUTERD_CLOUD,
        default_gateway::ONPREM_ROUTER,
    ]),
    Owed::caught("transparent-proxy", Assertion(no_nat::HANDSHAKE_TO_ONPREM))
        .also(&[no_nat::HANDSHAKE_TO_CLOUD]),
    Owed::caught("imposter", Assertion(no_nat::HANDSHAKE_TO_ONPREM)),
    Owed::caught("imposter-inwards", Assertion(no_nat::HANDSHAKE_TO_CLOUD))
        .also(&[restored::UNREACHABLE])
        .exits(6),
    Owed::caught("second-machine", Assertion(no_nat::PAYLOAD_TO_ONPREM)).exits(5).also(&[
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::HANDSHAKE_TO_CLOUD,
        no_nat::ICMP_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
    ]),
    Owed::caught("device-rewrites-datagrams", Assertion(no_nat::PAYLOAD_TO_ONPREM))
        .also(&[no_nat::PATH_ONPREM_ROUTER]),
    Owed::caught("device-rewrites-datagrams-inwards", Assertion(no_nat::PAYLOAD_TO_CLOUD))
        .also(&[no_nat::PATH_ROUTERD_CLOUD]),
];
