//! Answers to the faults of the mock lab's table `stops`.

use super::owed::Primary::{Assertion, Both, Stop};
use super::owed::{CheckOff, FaultAnswer, Left, Owed};
use crate::{approve, plan, preflight, residue, restored, stops};

/// The ENI does not go with its instance.
const STAYS_ASSIGNED: CheckOff = CheckOff::Differs(FaultAnswer {
    exit_code: 6,
    also: &[restored::UNREACHABLE],
    stops: &[stops::FOREIGN_ROWS.name],
    left: &[Left::Interface],
});

pub const OWED: &[Owed] = &[
    // 1
    Owed::caught("other-instance-profile", Stop(stops::OTHER_IDENTITY.name))
        .also(&[preflight::PROFILE]),
    Owed::caught("secret-in-row", Stop(stops::CREDENTIALS_IN_REQUEST.name))
        .also(&[approve::UNCHANGED])
        .trips(&[stops::FOREIGN_PLAN.name])
        .leaves_approved_rows(),
    Owed::caught(
        "credentials-in-unit",
        Both(preflight::ROUTERD_UNIT, stops::CREDENTIALS_IN_UNIT.name),
    ),
    Owed::caught("credentials-in-environment-file", Stop(stops::CREDENTIALS_IN_UNIT.name))
        .also(&[preflight::ROUTERD_UNIT]),
    Owed::caught("credentials-passed-to-unit", Stop(stops::CREDENTIALS_IN_UNIT.name))
        .also(&[preflight::ROUTERD_UNIT]),
    Owed::caught("credentials-in-drop-in", Stop(stops::CREDENTIALS_IN_UNIT.name))
        .also(&[preflight::ROUTERD_UNIT]),
    Owed::caught(
        "roots-credentials",
        Both(preflight::EXECUTOR_IDENTITY, stops::EXECUTOR_IDENTITY.name),
    ),
    // 3
    Owed::caught("other-providers-row", Stop(stops::OTHER_PROVIDER.name))
        .also(&[preflight::ROWS])
        .trips(&[stops::FOREIGN_ROWS.name]),
    // 4
    Owed::caught("interface-unreadable", Stop(stops::NO_BASELINE.name)).exits(5).also(&[
        preflight::INTERFACE,
        preflight::ADDRESS_FREE,
        preflight::STATE,
        preflight::CAPACITY,
        preflight::ICMP_ERRORS,
        preflight::PORTS,
    ]),
    Owed::caught("plan-other-undo", Stop(stops::UNDO_NOT_IN_PLAN.name))
        .also(&[plan::EQUAL])
        .trips(&[stops::FOREIGN_PLAN.name]),
    // 6
    Owed::caught("forgotten-address", Both(preflight::COSTLY, stops::WOULD_BE_LEFT.name)).exits(6),
    Owed::caught("forgotten-instance", Stop(stops::WOULD_BE_LEFT.name))
        .exits(6)
        .also(&[preflight::COSTLY])
        .leaves(&[Left::Instances]),
    Owed::caught("forgotten-nat-gateway", Stop(stops::WOULD_BE_LEFT.name))
        .exits(6)
        .also(&[preflight::COSTLY]),
    Owed::caught("forgotten-endpoint", Stop(stops::WOULD_BE_LEFT.name))
        .exits(6)
        .also(&[preflight::COSTLY]),
    Owed::caught("new-instance", Stop(stops::NEW_COST.name))
        .exits(6)
        .also(&[residue::INSTANCES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Instances]),
    Owed::caught("new-address", Stop(stops::NEW_COST.name))
        .exits(6)
        .also(&[residue::ADDRESSES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Addresses]),
    Owed::caught("new-volume", Stop(stops::NEW_COST.name))
        .exits(6)
        .also(&[residue::VOLUMES])
        .trips(&[stops::LEFT_RUNNING.name])
        .leaves(&[Left::Volumes]),
    Owed::caught("new-nat-gateway", Stop(stops::NEW_COST.name))
        .exits(6)
        .also(&[residue::NAT_GATEWAYS])
        .trips(&[stops::LEFT_RUNNING.name]),
    Owed::caught("new-endpoint", Stop(stops::NEW_COST.name))
        .exits(6)
        .also(&[residue::ENDPOINTS])
        .trips(&[stops::LEFT_RUNNING.name]),
    Owed::caught("stray-nat-gateway", Assertion(residue::NAT_GATEWAYS))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name]),
    Owed::caught("stray-endpoint", Assertion(residue::ENDPOINTS))
        .exits(6)
        .trips(&[stops::LEFT_RUNNING.name]),
    // 7
    Owed::caught("owner-silent", Stop(stops::WAITED_TOO_LONG.name)).exits(3),
    // 8
    Owed::caught("other-region", Both(preflight::SUBNET, stops::OUTSIDE_MANIFEST.name)),
    Owed::caught("foreign-in-group", Both(preflight::SHARED, stops::SHARED.name)),
    Owed::caught("peering", Stop(stops::SHARED.name)).also(&[preflight::SHARED]),
    Owed::caught("transit-gateway", Stop(stops::SHARED.name)).also(&[preflight::SHARED]),
    Owed::caught("shared-route-table", Stop(stops::SHARED.name)).also(&[preflight::SHARED]),
    Owed::caught("other-config", Stop(stops::OTHER_CONFIG.name)).also(&[preflight::ROUTERD_UNIT]),
    Owed::caught("policy-later", Stop(stops::POLICY_CHANGED.name))
        .also(&[restored::ROUTER_YAML])
        .exits(6),
    Owed::caught("policy-after-undo", Assertion(restored::ROUTER_YAML))
        .exits(6)
        .trips(&[stops::POLICY_CHANGED.name]),
    Owed::caught("executed-again", Assertion(restored::STAYS))
        .exits(6)
        .also(&[restored::UNREACHABLE])
        .trips(&[stops::FOREIGN_ROWS.name])
        .at_stop(STAYS_ASSIGNED)
        .at_keep(STAYS_ASSIGNED),
];
