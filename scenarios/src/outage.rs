//! How long the captured address is out of reach while `execute` and `undo` move it. It judges
//! nothing: there is no figure that the runbook would refuse.

use std::time::Duration;

use lab::outage::{Margins, Watched};
use reports::record::{Kind, OutageRecorded};

use crate::context::Context;
use crate::run::Run;

/// The control run is the one during which the path is up: after the address came, before it goes.
pub const EXECUTE: Margins =
    Margins { before: Duration::from_millis(50), after: Duration::from_millis(250) };
pub const UNDO: Margins =
    Margins { before: Duration::from_millis(250), after: Duration::from_millis(100) };

/// The name of the probes of this run and scenario on the nodes.
pub fn probe_name(run: &Run, scenario: &str) -> String {
    format!("{}-{scenario}", run.id)
}

pub fn record(ctx: &mut Context<'_>, scenario: &str, watched: Watched) {
    let raw = watched.answers.iter().flat_map(|answer| ctx.seen(answer).raw).collect();
    ctx.write(Kind::OutageRecorded(OutageRecorded {
        scenario: scenario.to_owned(),
        outage: watched.outage,
        raw,
    }));
}

#[cfg(test)]
mod tests {
    use reports::record::Outage;

    use super::*;
    use crate::example::{example_answer, judge_as_scenario, read_by};

    const HERE: std::net::Ipv4Addr = std::net::Ipv4Addr::LOCALHOST;

    #[test]
    fn what_was_measured_is_recorded_with_its_raw_answers() {
        let judged = judge_as_scenario("undo", async |_, ctx| {
            assert_eq!(probe_name(ctx.run, "undo"), "run-1-undo");
            let outage = Outage::NotMeasured { reason: "no probe".to_owned() };
            let probe = lab::shell::Observe::outage_probe("probe", "run-1", HERE, HERE);
            let answer = read_by(&probe, example_answer(0, "1 2 3", ""));
            let answers = vec![answer.expect("an answer")];
            record(ctx, "undo", Watched { outage, answers });
        });
        let recorded = judged.records.iter().find_map(|record| match &record.kind {
            Kind::OutageRecorded(it) => Some((it.scenario.as_str(), it.raw.len())),
            _ => None,
        });
        assert_eq!(recorded, Some(("undo", 1)));
    }
}
