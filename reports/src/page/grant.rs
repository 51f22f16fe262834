//! What was granted and what became of it, and who acts.

use maud::{Markup, html};

use super::words::{Tone, describe_change, describe_teardown, is_asking, plural, shorten};
use crate::evidence::{
    Actor, ActorKind, Attribute, Change, ChangeState, Evidence, SeenValue, TeardownState, TornDown,
};
use crate::operation::Operation;

/// Each change before, during and after, and each part of the lab that ends.
pub fn granted(evidence: &Evidence) -> Markup {
    let title = if is_asking(evidence) {
        "What you grant"
    } else if evidence.gate.verified.is_none() {
        "What was asked for, and what became of it"
    } else {
        "What was granted, and what became of it"
    };
    html! {
        section aria-labelledby="granted" {
            h2 #granted { (title) }
            @if evidence.undo_plan.is_none() {
                p { "Nothing was asked for: the run did not come to a plan." }
            } @else {
                (changes(evidence))
                (ends(evidence))
                (beside(evidence))
            }
        }
    }
}

fn changes(evidence: &Evidence) -> Markup {
    let asking = is_asking(evidence);
    let count = plural(evidence.changes.len(), "change");
    html! {
        div.wide {
            table {
                caption { (count) ", taken back" }
                thead { tr {
                    th scope="col" { span.hidden { "Sign" } } th scope="col" { "What" } th scope="col" { "Before" }
                    th scope="col" { "During" } th scope="col" { "After" } th scope="col" { "Came to" }
                } }
                tbody { @for it in &evidence.changes { (change(it, asking)) } }
            }
        }
    }
}

fn change(it: &Change, asking: bool) -> Markup {
    let (state, tone) = describe_change(it.state);
    let open = asking || it.state == ChangeState::NotBegun;
    let after = it.observed.after;
    let differs = after.is_some_and(|seen| Some(seen.value) != it.before);
    html! {
        tr {
            td.sign { "~" }
            th scope="row" {
                @match it.attribute {
                    Attribute::Address => { "addresses of " code { (it.resource) } }
                    Attribute::SourceDestCheck => { "source/destination check of " code { (it.resource) } }
                }
            }
            td { (it.before.map_or_else(|| "not known".to_owned(), |value| word(it, value))) }
            td { (cell(it, it.observed.during, Some(it.during), asking)) }
            td.bad[differs] { (cell(it, after, it.after, open && asking)) }
            td.(tone.class()) { @if asking { "planned" } @else { (state) } }
        }
    }
}

/// The value that was seen; else the planned one; else that nobody saw it.
fn cell(it: &Change, seen: Option<SeenValue>, planned: Option<bool>, asking: bool) -> Markup {
    html! {
        @match (seen, planned) {
            (Some(seen), _) => { b { (word(it, seen.value)) } " " span.note { "record " (seen.record.record) } }
            (None, Some(value)) if asking => { span.note { "planned: " } (word(it, value)) }
            (None, _) if it.state == ChangeState::NotBegun => { span.note { "not changed" } }
            (None, _) => { span.note { "not seen" } }
        }
    }
}

fn word(it: &Change, value: bool) -> String {
    match (it.attribute, value) {
        (Attribute::SourceDestCheck, true) => "on".to_owned(),
        (Attribute::SourceDestCheck, false) => "off".to_owned(),
        (Attribute::Address, true) => {
            format!("with {}", it.address.as_deref().unwrap_or("the address"))
        }
        (Attribute::Address, false) => {
            format!("without {}", it.address.as_deref().unwrap_or("the address"))
        }
    }
}

fn ends(evidence: &Evidence) -> Markup {
    let (for_good, stopped): (Vec<_>, Vec<_>) =
        evidence.teardown.iter().partition(|it| it.for_good);
    html! {
        @if for_good.is_empty() { p { "Nothing ends for good." } }
        @else {
            (torn(evidence, &for_good, &format!("{} that end for good, as the manifest says", plural(for_good.len(), "thing")), "ending"))
        }
        @if !stopped.is_empty() {
            (torn(evidence, &stopped, &format!("{} stopped, which can be started again", plural(stopped.len(), "instance")), "stopping"))
        }
    }
}

fn torn(evidence: &Evidence, parts: &[&TornDown], caption: &str, class: &str) -> Markup {
    let asking = is_asking(evidence);
    html! {
        div.wide {
            table.(class) {
                caption { (caption) }
                thead { tr {
                    th scope="col" { span.hidden { "Sign" } } th scope="col" { "Which" } th scope="col" { "What" } th scope="col" { "Came to" }
                } }
                tbody {
                    @for it in parts {
                        @let (state, tone) = describe_teardown(it.state);
                        tr {
                            td.sign { @if it.for_good { "−" } @else { "·" } }
                            th scope="row" { code { (it.resource) } (node_of(evidence, &it.resource)) }
                            td { (it.what) }
                            td.(if asking { Tone::Plain.class() } else { tone.class() }) {
                                @if asking && it.for_good { "planned: cannot be undone" }
                                @else if asking { "planned" }
                                @else { (state) }
                                @if it.state != TeardownState::Planned && let Some(at) = it.record {
                                    " " span.note { "record " (at.record) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn node_of(evidence: &Evidence, id: &str) -> Markup {
    let nodes = evidence.target.iter().flat_map(|it| &it.nodes);
    let node = nodes.into_iter().find(|it| it.instance_id.as_deref() == Some(id));
    let facts = evidence.facts.iter().flat_map(|it| &it.instances);
    let kind = facts.into_iter().find(|it| it.instance_id == id).map(|it| &it.instance_type);
    html! {
        @if let Some(node) = node { " " span.note { (node.name) } }
        @if let Some(kind) = kind { " " span.note { (kind) } }
    }
}

/// The files that the run writes beside what it is for.
fn beside(evidence: &Evidence) -> Markup {
    let steps = evidence.undo_plan.iter().flat_map(|plan| &plan.steps);
    let files = steps.into_iter().filter_map(|step| match &step.operation {
        Operation::RemoveChangeSet { .. } => Some("the change set (removed)"),
        Operation::ReleaseLock { .. } => Some("a lock (released)"),
        _ => None,
    });
    let files: Vec<_> = files.collect();
    html! {
        @if !files.is_empty() {
            p.note {
                "On the cloud router besides: " (files.join(", "))
                ", and a file that says that this go was used (stays)."
            }
        }
    }
}

/// Who and what acts in the lab, and with which rights.
pub fn actors(evidence: &Evidence) -> Markup {
    html! {
        section aria-labelledby="actors" {
            h2 #actors { "Who acts" }
            div.wide { table {
                thead { tr {
                    th scope="col" { "Who" } th scope="col" { "Name, and what it may do" } th scope="col" { "Digest" }
                } }
                tbody { @for it in &evidence.actors { (actor(it)) } }
            } }
        }
    }
}

fn actor(it: &Actor) -> Markup {
    let kind = match it.kind {
        ActorKind::Operator => "the operator",
        ActorKind::ExecutorRole => "the executor's role on AWS",
        ActorKind::Program => "a program on the cloud router",
        ActorKind::Harness => "the run",
    };
    let actions = it.actions.iter().map(|it| it.strip_prefix("ec2:").unwrap_or(it));
    let actions: Vec<_> = actions.collect();
    html! {
        tr {
            th scope="row" { (kind) }
            td {
                (it.name)
                @if let Some(version) = &it.version { " " span.note { (version) } }
                @if let Some(path) = &it.path { " " code { (path) } }
                @match (it.kind, actions.is_empty()) {
                    (ActorKind::ExecutorRole, false) => { ", which may: " (actions.join(", ")) }
                    (ActorKind::Operator, false) => { ", asked by the plan for: " (actions.join(", ")) }
                    _ => {}
                }
            }
            td { @if let Some(digest) = &it.digest { code title=(digest.as_str()) { (shorten(digest)) "…" } } @else { span.note { "none known" } } }
        }
    }
}
