//! Answers to the faults of the mock lab's table `product`.

use super::owed::Owed;
use super::owed::Primary::{Assertion, Both, Stop};
use crate::{preflight, stops};

pub const OWED: &[Owed] = &[
    Owed::caught("old-routerctl", Assertion(preflight::VERSION)),
    Owed::caught("routerctl-version-refused", Assertion(preflight::VERSION)).exits(5),
    Owed::caught("environment-path", Stop(stops::EXECUTOR_ENVIRONMENT.name))
        .also(&[preflight::POLICY]),
    Owed::caught("unknown-capture", Both(preflight::CAPTURES, stops::UNKNOWN_CAPTURE.name)),
    Owed::caught("unknown-host-route", Both(preflight::CAPTURES, stops::UNKNOWN_CAPTURE.name)),
    Owed::caught("rows-of-another-fabric", Both(preflight::CAPTURES, stops::UNKNOWN_CAPTURE.name)),
    Owed::tolerated("known-capture"),
    Owed::caught("address-agent", Both(preflight::AGENTS, stops::ADDRESS_AGENT.name)),
    Owed::caught("dhcp-agent", Both(preflight::AGENTS, stops::ADDRESS_AGENT.name)),
];
