//! Answers to the faults of the mock lab's table `packets`.

use super::owed::Owed;
use super::owed::Primary::Assertion;
use crate::{no_nat, ping, restored, source_dest_check, ssh};

/// Every proof that looks at the packets between the clients where they pass, in the order of the
/// document.
pub(super) const PACKETS: [&str; 10] = [
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
];

/// Both lists as one.
pub(super) const fn join<const A: usize, const B: usize, const ALL: usize>(
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

pub const OWED: &[Owed] = &[
    Owed::caught("ping-fails", Assertion(ping::TO_ONPREM)).exits(5).also(&[
        no_nat::ICMP_TO_ONPREM,
        no_nat::ICMP_TO_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
        ping::TO_CLOUD,
    ]),
    Owed::caught("client-deaf", Assertion(ping::TO_CLOUD)).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_CLOUD,
    ]),
    Owed::caught("far-router-mute", Assertion(source_dest_check::CANARY))
        .also(&[ssh::PAYLOAD_CLOUD]),
    Owed::caught("pmtu-black-hole", Assertion(ssh::PAYLOAD_ONPREM)).also(&[
        ssh::PAYLOAD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
    ]),
    Owed::caught("pmtu-black-hole-inwards", Assertion(ssh::PAYLOAD_CLOUD))
        .also(&[no_nat::PAYLOAD_TO_ONPREM, no_nat::PAYLOAD_TO_CLOUD]),
    Owed::caught("onprem-closed", Assertion(ssh::LOGIN_ONPREM))
        .exits(5)
        .also(&[no_nat::TCP_TO_ONPREM, no_nat::HANDSHAKE_TO_ONPREM]),
    Owed::caught("client-closed", Assertion(ssh::LOGIN_CLOUD))
        .exits(5)
        .also(&[no_nat::TCP_TO_CLOUD, no_nat::HANDSHAKE_TO_CLOUD]),
    Owed::caught("masquerade", Assertion(no_nat::TCP_TO_ONPREM))
        .also(&[
            restored::UNREACHABLE,
            no_nat::TCP_TO_CLOUD,
            no_nat::ICMP_TO_ONPREM,
            no_nat::ICMP_TO_CLOUD,
            no_nat::TABLES_ROUTERD_CLOUD,
            no_nat::CONNTRACK_ROUTERD_CLOUD,
            no_nat::CONNTRACK_ONPREM_ROUTER,
            no_nat::PAYLOAD_TO_ONPREM,
            no_nat::PAYLOAD_TO_CLOUD,
            no_nat::HANDSHAKE_TO_ONPREM,
            no_nat::HANDSHAKE_TO_CLOUD,
            no_nat::PATH_ROUTERD_CLOUD,
            no_nat::PATH_ONPREM_ROUTER,
        ])
        .exits(6),
    Owed::caught("masquerade-tcp-inwards", Assertion(no_nat::TCP_TO_CLOUD))
        .also(&[
            restored::UNREACHABLE,
            no_nat::TABLES_ROUTERD_CLOUD,
            no_nat::CONNTRACK_ROUTERD_CLOUD,
            no_nat::HANDSHAKE_TO_CLOUD,
            no_nat::PATH_ROUTERD_CLOUD,
            no_nat::PATH_ONPREM_ROUTER,
        ])
        .exits(6),
    Owed::caught("masquerade-icmp", Assertion(no_nat::ICMP_TO_ONPREM)).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::TABLES_ROUTERD_CLOUD,
    ]),
    Owed::caught("masquerade-icmp-inwards", Assertion(no_nat::ICMP_TO_CLOUD))
        .also(&[
            restored::UNREACHABLE,
            no_nat::TABLES_ROUTERD_CLOUD,
            no_nat::CONNTRACK_ROUTERD_CLOUD,
            no_nat::PAYLOAD_TO_CLOUD,
            no_nat::PATH_ROUTERD_CLOUD,
            no_nat::PATH_ONPREM_ROUTER,
        ])
        .exits(6),
    Owed::caught("masquerade-legacy", Assertion(no_nat::TABLES_ROUTERD_CLOUD)).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::HANDSHAKE_TO_ONPREM,
        no_nat::ICMP_TO_ONPREM,
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::TCP_TO_ONPREM,
    ]),
    Owed::caught("idle-nat-rule", Assertion(no_nat::TABLES_ONPREM_ROUTER)),
    Owed::tolerated("masquerade-for-the-internet"),
    Owed::caught("echo-source-rewritten", Assertion(ping::TO_ONPREM)).also(&[
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::TABLES_ONPREM_ROUTER,
    ]),
    Owed::caught("stateless-rewrite", Assertion(no_nat::TABLES_ROUTERD_CLOUD)).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::CONNTRACK_ROUTERD_CLOUD,
        no_nat::ICMP_TO_ONPREM,
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::PAYLOAD_TO_ONPREM,
        no_nat::PAYLOAD_TO_CLOUD,
        ping::TO_ONPREM,
        ping::TO_CLOUD,
        source_dest_check::CANARY,
    ]),
    Owed::caught("double-snat", Assertion(no_nat::CONNTRACK_ROUTERD_CLOUD)).also(&[
        no_nat::CONNTRACK_ONPREM_ROUTER,
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::TABLES_ROUTERD_CLOUD,
    ]),
    Owed::caught("double-snat-inwards", Assertion(no_nat::CONNTRACK_ONPREM_ROUTER)).also(&[
        no_nat::PATH_ONPREM_ROUTER,
        no_nat::PATH_ROUTERD_CLOUD,
        no_nat::TABLES_ONPREM_ROUTER,
    ]),
];
