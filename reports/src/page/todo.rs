//! The yellow box: what the owner decides, or what somebody has to do.

use maud::{Markup, html};

use super::words::{in_a_sentence, is_asking, plural, show_time};
use crate::evidence::{Evidence, NextStep, RUN_PLACEHOLDER, RunState, Who};
use crate::record::Verdict;

/// The steps that are to be done, by whom, where, and with which command.
pub fn todo(evidence: &Evidence) -> Markup {
    if is_asking(evidence) {
        return decide(evidence);
    }
    let remedies = remedies(evidence);
    if evidence.next.is_empty() && remedies.is_empty() {
        return html! { section aria-label="What you have to do" { p.nothing { "You have nothing to do." } } };
    }
    html! {
        section.todo aria-labelledby="todo" {
            h2 #todo { "What you have to do" }
            @for remedy in &remedies { p { (remedy) } }
            @if !evidence.next.is_empty() { (steps(&evidence.next)) }
        }
    }
}

fn decide(evidence: &Evidence) -> Markup {
    let ends = evidence.teardown.iter().filter(|it| it.for_good).count();
    html! {
        section.todo aria-labelledby="todo" {
            h2 #todo { "Decide" }
            @if let Some(it) = &evidence.target {
                p {
                    "Look at these five first: account " b { (it.account_id) }
                    ", region " b { (it.region) } ", interface " b { (it.network_interface_id) }
                    ", address " b { (it.address) } ", and "
                    b { @if ends == 0 { "nothing that ends" } @else { (plural(ends, "thing")) " that end" } }
                    " for good."
                }
            }
            (steps(&evidence.next))
            dl.facts {
                @if let Some(it) = &evidence.target {
                    div {
                        dt { "Who may say yes" }
                        dd {
                            @if it.principals.is_empty() { "nobody: the manifest names no signer" }
                            @else { (it.principals.join(", ")) }
                        }
                    }
                }
                div {
                    dt { "Until when" }
                    dd { "A go is good once, for this run alone, and for as long as it says: at most 24 hours. " (until(evidence)) }
                }
                @if let Some(digest) = &evidence.facts_digest {
                    div { dt { "Facts digest" } dd { code { (digest.as_str()) } } }
                }
                @if let Some(plan) = &evidence.undo_plan {
                    div { dt { "Plan digest" } dd { code { (plan.digest.as_str()) } } }
                }
            }
            p.note {
                code { "lab-smoke review " (RUN_PLACEHOLDER) }
                " shows what would be signed, without signing; " code { "go --facts" }
                " refuses any other facts than those with this digest."
            }
        }
    }
}

/// The instances in the meantime.
fn until(evidence: &Evidence) -> String {
    let running: Vec<_> =
        evidence.running.iter().filter(|it| it.state == RunState::Running).collect();
    let off = running.iter().filter_map(|it| it.powers_off_at).max();
    match (running.len(), off) {
        (0, _) => "Nothing that can be stopped runs meanwhile.".to_owned(),
        (n, Some(at)) => format!(
            "{} meanwhile; nobody renews what powers it off at {} at the latest.",
            plural(n, "instance") + if n == 1 { " runs" } else { " run" },
            show_time(at)
        ),
        (n, None) => format!(
            "{} meanwhile, and nothing on the nodes stops it.",
            plural(n, "instance") + if n == 1 { " runs" } else { " run" }
        ),
    }
}

fn steps(next: &[NextStep]) -> Markup {
    html! {
        div.wide {
            table {
                thead { tr { th scope="col" { "What for" } th scope="col" { "Who, where" } th scope="col" { "Command" } } }
                tbody {
                    @for step in next {
                        tr {
                            th scope="row" { (what_for(step)) @if step.costs_money { span.note { " (costs money until then)" } } }
                            td { (who(step.who)) @if let Some(node) = &step.node { ", on " (node) } }
                            td { code.command { (step.command(RUN_PLACEHOLDER)) } }
                        }
                    }
                }
            }
        }
    }
}

fn what_for(step: &NextStep) -> String {
    match step.argv.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["lab-smoke", "go", ..] => "Yes".to_owned(),
        ["lab-smoke", "resume", ..] => "After a yes".to_owned(),
        ["lab-smoke", "recover", ..] if step.why.contains("refused") => "No".to_owned(),
        _ => in_a_sentence(&step.why).trim_end_matches('.').to_owned(),
    }
}

fn who(who: Who) -> &'static str {
    match who {
        Who::Owner => "the owner",
        Who::Operator => "the operator",
    }
}

/// The things to do before the smoke is run again, where nothing in the lab is to be done.
fn remedies(evidence: &Evidence) -> Vec<String> {
    match evidence.verdict.verdict {
        Verdict::Stopped => {
            let tripped = evidence.hard_stops.iter().filter(|it| !it.tripped.is_empty());
            let remedies = tripped.map(|it| it.remedy.as_str()).filter(|it| !it.is_empty());
            let mut all: Vec<String> = remedies.map(in_a_sentence).collect();
            if let Some(refused) = &evidence.gate.refused {
                all.push(format!(
                    "Ask for another go: this one was refused by the rule {}.",
                    refused.rule
                ));
            }
            all
        }
        Verdict::Fail => vec![
            "Before the smoke is run again, mend what failed: the checks that are open below say what was \
             expected and what was seen."
                .to_owned(),
        ],
        Verdict::Bug => vec!["Report this page and the run's folder as a bug of lab-smoke.".to_owned()],
        Verdict::Unavailable if evidence.next.is_empty() => {
            vec!["Make the lab reachable, or wait until the other run has left it; then begin again.".to_owned()]
        }
        Verdict::Unknown | Verdict::Residue if evidence.next.is_empty() => evidence
            .not_restored
            .iter()
            .map(|it| in_a_sentence(&it.why))
            .chain([
                "Look at what could not be established, and bring it to what preflight saw.".to_owned()
            ])
            .collect(),
        _ => Vec::new(),
    }
}
