//! `routerctl doctor`: its JSON is read and nothing fails. A `skip` is a skip: for a routerd of
//! today the hybrid area checks nothing at all (contract §5.2), and the evidence says so and which
//! scenarios look at the same things themselves.

use lab::Lab;
use lab::node::Node;
use lab::routerd::{CheckStatus, Report, Routerctl};
use lab::shell::Observe;
use serde_json::json;

use crate::context::Context;
use crate::observe;

const HYBRID: &str = "doctor.hybrid";
const SAM: &str = "doctor.sam";

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
    let hybrid = judge(lab, ctx, HYBRID, "hybrid", hybrid);
    let sam = judge(lab, ctx, SAM, "sam", sam);
    if hybrid == Some(Weight::Nothing) && sam == Some(Weight::Nothing) {
        ctx.not_applicable(VACUOUS);
    }
}

/// What a report that does not fail is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Something,
    Nothing,
}

fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    area: &str,
    answer: Result<lab::ec2::Answer<lab::node::Output>, lab::shell::ShellError>,
) -> Option<Weight> {
    let expected = json!({ "fail": 0 });
    let (output, how) = match observe::told(ctx, answer) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.unknown(id, expected, how, why);
            return None;
        }
    };
    let report = match Routerctl::new(&lab.manifest.routerd).doctor(area).read(&output) {
        Ok(report) => report,
        Err(error) => {
            ctx.unknown(id, expected, how, error.to_string());
            return None;
        }
    };
    let observed = json!(report.checks);
    let failed = complaints(&report);
    if !failed.is_empty() || report.summary.fail > 0 || output.code != 0 {
        let message = format!("doctor {area} fails: {}", failed.join("; "));
        ctx.judge(id, false, expected, observed, how, Some(message));
        None
    } else if report.checks.iter().any(|check| check.status == CheckStatus::Pass) {
        ctx.judge(id, true, expected, observed, how, None);
        Some(Weight::Something)
    } else {
        let why = format!("doctor {area} only skips: nothing was checked by it");
        ctx.skipped(id, observed, how, why);
        Some(Weight::Nothing)
    }
}

fn complaints(report: &Report) -> Vec<String> {
    report
        .checks
        .iter()
        .filter(|check| {
            !matches!(check.status, CheckStatus::Pass | CheckStatus::Skip | CheckStatus::Warn)
        })
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect()
}
