//! `routerctl doctor`: its JSON is read and nothing fails. A `skip` is a skip: for a routerd of
//! today the hybrid area checks nothing at all (contract §5.2), and the evidence says so and which
//! scenarios look at the same things themselves.

use lab::Lab;
use lab::node::Node;
use lab::routerd::{CheckStatus, DoctorReport};
use lab::shell::Observe;
use serde_json::json;

use crate::context::Context;
use crate::observe::{self, Readout};

pub const HYBRID: &str = "doctor.hybrid";
pub const SAM: &str = "doctor.sam";

pub const ASSERTS: &[&str] = &[HYBRID, SAM];
pub const NOT_APPLICABLE: &[&str] = &[VACUOUS];

const VACUOUS: &str = "doctor checks nothing here: no HybridRoute, OverlayPeer or MobilityPool is configured; os-address, ping, ssh, no-nat and default-gateway look themselves";

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let routerd = &lab.manifest.routerd;
    let commands = [Observe::doctor(routerd, "hybrid"), Observe::doctor(routerd, "sam")];
    let (hybrid, sam) = futures::join!(
        lab.shell.observe(Node::RouterdCloud, &commands[0]),
        lab.shell.observe(Node::RouterdCloud, &commands[1]),
    );
    let weights = [judge(ctx, HYBRID, "hybrid", hybrid), judge(ctx, SAM, "sam", sam)];
    if weights == [Some(Weight::Nothing); 2] {
        ctx.not_applicable(VACUOUS);
    }
}

/// The worth of a report that does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Something,
    Nothing,
}

fn judge(
    ctx: &mut Context<'_>,
    id: &'static str,
    area: &str,
    asked: Readout<DoctorReport>,
) -> Option<Weight> {
    let expected = json!({ "fail": 0 });
    let (read, how) = match observe::keep_answer(ctx, asked) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(id).expects(expected).seen(how).unknown(why);
            return None;
        }
    };
    let report = match read {
        Ok(report) => report,
        Err(error) => {
            ctx.check(id).expects(expected).seen(how).unknown(error.to_string());
            return None;
        }
    };
    let observed = json!(report.checks);
    // Its summary and exit code say the same: else it is not read.
    let failed = complaints(&report);
    if !failed.is_empty() {
        let message = format!("doctor {area} fails: {}", failed.join("; "));
        ctx.check(id).expects(expected).seen(how).fails(observed, message);
        None
    } else if report.checks.iter().any(|check| check.status == CheckStatus::Pass) {
        ctx.check(id).expects(expected).seen(how).passes(observed);
        Some(Weight::Something)
    } else {
        let why = format!("doctor {area} only skips: nothing was checked by it");
        ctx.check(id).seen(how).skipped(observed, why);
        Some(Weight::Nothing)
    }
}

fn complaints(report: &DoctorReport) -> Vec<String> {
    report
        .checks
        .iter()
        .filter(|check| {
            !matches!(check.status, CheckStatus::Pass | CheckStatus::Skip | CheckStatus::Warn)
        })
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect()
}

#[cfg(test)]
mod tests {
    use reports::record::{AssertionStatus, ScenarioStatus};

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};
    use lab::shell::NodeAnswer;

    /// A report of checks with these statuses.
    fn report(code: i32, statuses: &[&str]) -> NodeAnswer {
        let count = |status: &str| statuses.iter().filter(|it| **it == status).count();
        let checks = statuses.iter().map(
            |status| json!({ "area": "hybrid", "name": format!("a {status}"), "status": status }),
        );
        let overall = if count("fail") > 0 { "fail" } else { "pass" };
        let report = json!({
            "summary": {
                "overall": overall, "pass": count("pass"), "warn": count("warn"),
                "fail": count("fail"), "skip": count("skip"),
            },
            "checks": checks.collect::<Vec<_>>(),
        });
        example_answer(code, &report.to_string(), "")
    }

    #[test]
    fn what_a_report_is_worth() {
        use AssertionStatus as A;
        let skips = "doctor hybrid only skips: nothing was checked by it";
        let table = [
            (report(0, &["pass", "skip"]), A::Passed, Some(Weight::Something), ""),
            (report(0, &["pass", "warn"]), A::Passed, Some(Weight::Something), ""),
            (report(0, &["skip", "skip"]), A::Skipped, Some(Weight::Nothing), skips),
            (report(0, &[]), A::Skipped, Some(Weight::Nothing), skips),
            (report(1, &["pass", "fail"]), A::Failed, None, "doctor hybrid fails: a fail: "),
            (report(1, &["pass"]), A::Unknown, None, "agree"),
            (example_silence(), A::Unknown, None, "no answer"),
        ];
        for (answer, status, weight, message) in table {
            let mut given = None;
            let shown = format!("{answer:?}");
            let judged = judge_as_scenario("doctor", async |lab, ctx| {
                let command = Observe::doctor(&lab.manifest.routerd, "hybrid");
                given = judge(ctx, HYBRID, "hybrid", read_by(&command, answer));
            });
            assert_eq!((judged.status(HYBRID), given), (status, weight), "{shown}");
            let said = judged.message(HYBRID);
            assert!(said.contains(message), "{shown}: {said}");
        }
    }

    #[test]
    fn it_is_not_applicable_where_both_areas_check_nothing() {
        let judged = judge_as_scenario("doctor", async |lab, ctx| run(lab, ctx).await);
        let expected = (ScenarioStatus::NotApplicable, Some(VACUOUS));
        assert_eq!((judged.finished.status, judged.finished.reason.as_deref()), expected);
    }
}
