//! Answers to the faults of the mock lab's table `reach`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use super::packets::join;
use super::smokes::CUT_OFF;
use crate::{
    cloud_unchanged, no_nat, node_unchanged, ping, preflight, restored, source_dest_check, ssh,
};

const CLOSED: [&str; 16] = join([cloud_unchanged::UNCHANGED, restored::CLOUD], CUT_OFF);

pub const OWED: &[Owed] = &[
    Owed::caught("security-group-closes", Assertion(ping::TO_ONPREM)).exits(6).also(&CLOSED),
    Owed::caught("no-icmp-errors-rule", Assertion(preflight::ICMP_ERRORS)),
    Owed::caught("icmp-errors-rule-later", Assertion(ssh::PAYLOAD_ONPREM)).exits(6).also(&[
        cloud_unchanged::UNCHANGED,
        restored::CLOUD,
        source_dest_check::CANARY,
    ]),
    Owed::caught("arp-thief", Assertion(ping::TO_ONPREM)).exits(6).also(&[
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::HANDSHAKE_TO_CLOUD,
        no_nat::ICMP_TO_ONPREM,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
        no_nat::TCP_TO_ONPREM,
        no_nat::TCP_TO_CLOUD,
        node_unchanged::ONPREM_ROUTER,
        restored::STATE_ONPREM_ROUTER,
        ping::TO_CLOUD,
        ssh::LOGIN_ONPREM,
        ssh::LOGIN_CLOUD,
    ]),
];
