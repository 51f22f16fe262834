//! Which checks there are, and which faults answer for them.

use harness::faults::list_faults;
use scenarios::SEQUENCE;
use scenarios::answers::{FaultClass, Primary};
use scenarios::stops::DETECTORS;

/// Detectors that no run can reach yet, with the reason.
pub const OUT_OF_REACH: &[(&str, &str)] = &[];

/// Every assertion of every scenario, in the order of the sequence.
pub fn assertions() -> impl Iterator<Item = &'static str> {
    SEQUENCE.iter().flat_map(|scenario| scenario.asserts.iter().copied())
}

/// Every detector of a hard stop that a run can reach.
pub fn detectors() -> impl Iterator<Item = &'static str> {
    let names = DETECTORS.iter().map(|detector| detector.name);
    names.filter(|name| !OUT_OF_REACH.iter().any(|(other, _)| other == name))
}

/// The gaps in the table of faults: what is missing or contradicts itself.
pub fn gaps() -> Vec<String> {
    let mut gaps = Vec::new();
    for id in assertions().filter(|id| !list_faults().any(|it| it.primary.assertion() == Some(id)))
    {
        gaps.push(format!("{id} is no fault's primary answer: nothing shows that it can fail"));
    }
    for name in detectors().filter(|name| !list_faults().any(|it| it.primary.stop() == Some(name)))
    {
        gaps.push(format!("detector {name} is no fault's primary answer"));
    }
    for fault in list_faults() {
        let name = fault.name;
        let passes = fault.primary == Primary::Nothing;
        if passes != (fault.class == FaultClass::Tolerated)
            || passes != (fault.answer.exit_code == 0)
        {
            gaps.push(format!("{name} is neither caught nor tolerated"));
        }
        let named = fault.primary.assertion().into_iter().chain(fault.answer.also.iter().copied());
        for id in named.filter(|id| !assertions().any(|other| other == *id)) {
            gaps.push(format!("{name} names the assertion {id}, which there is not"));
        }
        let stops = fault.primary.stop().into_iter().chain(fault.answer.stops.iter().copied());
        for stop in stops.filter(|stop| !detectors().any(|other| other == *stop)) {
            gaps.push(format!("{name} names the detector {stop}, which there is not"));
        }
        if fault.runbook.is_empty() || fault.source.is_empty() {
            gaps.push(format!("{name} does not say where it comes from"));
        }
    }
    gaps
}
