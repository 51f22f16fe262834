//! Answers of the runbook to each fault that can be put into a simulated lab: the assertions, by
//! their own constants, the detectors, the exit code, and what is left. How a world is broken stands
//! under the same name in the mock lab (`lab/mock/src/faults/`), in a table of the same name.

mod owed;

mod acceptance;
mod actions;
mod api;
mod back;
mod cloud;
mod cloud_state;
mod detours;
mod gate;
mod granted;
mod iam;
mod money;
mod node_state;
mod nodes;
mod obstacles;
mod ordinary;
mod packets;
mod planted;
mod product;
mod reach;
mod replies;
mod router;
mod smokes;
mod stops;
mod switch;
mod teardown;
mod underlay;
mod way;

pub use owed::{CheckOff, FaultAnswer, FaultClass, Left, Owed, Primary};

/// Every answer.
fn all() -> impl Iterator<Item = &'static Owed> {
    [
        api::OWED,
        cloud::OWED,
        obstacles::OWED,
        iam::OWED,
        nodes::OWED,
        router::OWED,
        product::OWED,
        way::OWED,
        gate::OWED,
        granted::OWED,
        actions::OWED,
        acceptance::OWED,
        ordinary::OWED,
        packets::OWED,
        detours::OWED,
        underlay::OWED,
        reach::OWED,
        node_state::OWED,
        cloud_state::OWED,
        back::OWED,
        teardown::OWED,
        money::OWED,
        replies::OWED,
        smokes::OWED,
        stops::OWED,
        switch::OWED,
        planted::OWED,
    ]
    .into_iter()
    .flatten()
}

/// Finds what a run owes to the fault of this name.
pub fn find_answer(fault: &str) -> Option<&'static Owed> {
    all().find(|owed| owed.fault == fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault without an answer would be injected and asked for nothing; an answer without a fault
    /// would never be asked for.
    #[test]
    fn each_fault_has_one_answer_and_each_answer_a_fault() {
        let mut faults: Vec<&str> =
            lab_mock::faults::all_faults().map(|fault| fault.name).collect();
        let mut answered: Vec<&str> = all().map(|owed| owed.fault).collect();
        faults.sort_unstable();
        answered.sort_unstable();
        assert_eq!(answered, faults);
        let all = answered.len();
        answered.dedup();
        assert_eq!(answered.len(), all, "two answers to one fault");
    }
}
