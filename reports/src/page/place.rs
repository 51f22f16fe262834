//! Where the run acts: a picture of the lab with the moved address and the result of each flow.

use maud::{Markup, html};

use super::words::Tone;
use crate::evidence::{Change, ChangeState, Evidence, Scenario};
use crate::record::{AssertionStatus, Chapter, LabKind, LabTarget, TargetNode};

/// The node that the captured address is moved to.
const ROUTER: &str = "routerd-cloud";

/// One way between two clients, with what came of each check of it.
struct FlowChecks {
    name: String,
    checks: Vec<(String, AssertionStatus)>,
}

/// The picture, and the same in words.
pub fn place(evidence: &Evidence) -> Markup {
    let Some(target) = &evidence.target else { return html! {} };
    let flows = flows(evidence);
    html! {
        section aria-labelledby="place" {
            h2 #place { "Where" }
            div.wide { (picture(evidence, target, &flows)) }
            ul.flows {
                @for flow in &flows {
                    li {
                        (flow.name.replace('-', " ")) ": "
                        @for (index, (check, status)) in flow.checks.iter().enumerate() {
                            @if index > 0 { " · " }
                            @let (mark, tone, word) = mark(*status);
                            span.(tone.class()) { (check) " " span aria-hidden="true" { (mark) } span.hidden { (word) } }
                        }
                    }
                }
                @if flows.is_empty() { li.note { "No flow was tried." } }
            }
        }
    }
}

fn mark(status: AssertionStatus) -> (&'static str, Tone, &'static str) {
    match status {
        AssertionStatus::Passed => ("✓", Tone::Good, "passed"),
        AssertionStatus::Failed => ("✗", Tone::Bad, "failed"),
        AssertionStatus::Unknown => ("?", Tone::Bad, "unknown"),
        AssertionStatus::Skipped => ("·", Tone::Plain, "does not apply"),
    }
}

/// Each part `A-to-B` of an assertion's id names a flow.
fn flows(evidence: &Evidence) -> Vec<FlowChecks> {
    let mut flows: Vec<FlowChecks> = Vec::new();
    let proof = evidence.scenarios.iter().filter(|it| it.chapter == Some(Chapter::Proof));
    for (scenario, it) in proof.flat_map(|it| it.assertions.iter().map(move |made| (it, made))) {
        let Some(way) = it.id.split('.').find(|part| part.contains("-to-")) else { continue };
        let index = flows.iter().position(|flow| flow.name == way).unwrap_or_else(|| {
            flows.push(FlowChecks { name: way.to_owned(), checks: Vec::new() });
            flows.len() - 1
        });
        add(&mut flows[index], scenario, it.status);
    }
    flows
}

/// The worst of a scenario's checks counts.
fn add(flow: &mut FlowChecks, scenario: &Scenario, status: AssertionStatus) {
    let rank = |status| match status {
        AssertionStatus::Failed => 3,
        AssertionStatus::Unknown => 2,
        AssertionStatus::Passed => 1,
        AssertionStatus::Skipped => 0,
    };
    match flow.checks.iter_mut().find(|(name, _)| *name == scenario.name) {
        Some((_, old)) if rank(status) > rank(*old) => *old = status,
        Some(_) => {}
        None => flow.checks.push((scenario.name.clone(), status)),
    }
}

fn picture(evidence: &Evidence, target: &LabTarget, flows: &[FlowChecks]) -> Markup {
    let (mut cloud, mut onprem): (Vec<&TargetNode>, Vec<&TargetNode>) =
        target.nodes.iter().partition(|it| it.instance_id.is_some());
    cloud.sort_by_key(|it| it.name == ROUTER);
    onprem.sort_by_key(|it| !it.name.contains("router"));
    let moved = evidence.changes.iter().find(|it| it.address.is_some());
    let all: Vec<AssertionStatus> =
        flows.iter().flat_map(|flow| flow.checks.iter().map(|(_, status)| *status)).collect();
    let tone = if all.is_empty() {
        Tone::Plain
    } else if all.contains(&AssertionStatus::Failed) || all.contains(&AssertionStatus::Unknown) {
        Tone::Bad
    } else {
        Tone::Good
    };
    let said = describe(target, moved, tone);
    let aws = matches!(evidence.run.as_ref().map(|run| run.lab_kind), Some(LabKind::Aws));
    html! {
        svg viewBox="0 0 940 150" role="img" aria-label=(said) {
            text.small x="12" y="14" {
                (if aws { "AWS" } else { "cloud" }) " " (target.account_id) " · " (target.region) " · " (target.vpc_id)
            }
            text.small x="540" y="14" { "on-prem" }
            rect.area x="2" y="22" width="430" height="84" rx="8" {}
            rect.area x="530" y="22" width="408" height="84" rx="8" {}
            path.line d="M60 64 H880" {}
            text.small x="481" y="56" text-anchor="middle" { "overlay" }
            @for (index, node) in cloud.iter().take(2).enumerate() {
                (drawn(node, 14 + 218 * index, moved.filter(|_| node.name == ROUTER)))
            }
            @for (index, node) in onprem.iter().take(2).enumerate() {
                (drawn(node, 542 + 202 * index, None))
            }
            path.flow.(tone.class()) d="M108 90 V128 H838 V90" {}
            text.flow.(tone.class()) x="473" y="144" text-anchor="middle" { (result(tone)) }
        }
    }
}

fn result(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "each flow, both ways: passed",
        Tone::Bad => "not every flow passed",
        _ => "no flow was tried",
    }
}

fn drawn(node: &TargetNode, x: usize, moved: Option<&Change>) -> Markup {
    let width = if moved.is_some() { 190 } else { 180 };
    let middle = x + width / 2;
    html! {
        rect.node.moved[moved.is_some()] x=(x) y="36" width=(width) height="56" rx="7" {}
        text x=(middle) y="58" text-anchor="middle" { (node.name) }
        text.small x=(middle) y="78" text-anchor="middle" {
            (node.address)
            @if let Some(address) = moved.and_then(|it| it.address.as_deref()) { tspan.moved { " + " (address) } }
        }
    }
}

fn describe(target: &LabTarget, moved: Option<&Change>, tone: Tone) -> String {
    let nodes: Vec<_> =
        target.nodes.iter().map(|it| format!("{} has {}", it.name, it.address)).collect();
    let moved = moved.map_or_else(String::new, |it| {
        let address = it.address.as_deref().unwrap_or_default();
        let word = match it.state {
            ChangeState::NotBegun => "would be moved",
            ChangeState::Made => "is moved",
            ChangeState::TakenBack => "was moved, and taken back,",
            ChangeState::NotTakenBack | ChangeState::Unknown => "was moved",
        };
        format!("; {address} {word} to {ROUTER}")
    });
    format!("The lab: {}{moved}; {}", nodes.join(", "), result(tone))
}
