//! The eight safety rules, and how to check the page without believing it.

use maud::{Markup, html};

use super::words::{Tone, in_a_sentence, show_time};
use crate::evidence::{Evidence, HardStop, RUN_PLACEHOLDER};
use crate::journal::ATTACHMENTS_DIR;

/// Each rule: how often it was looked at, whether it was quiet, what tripped it, or why it was off.
pub fn safety_rules(evidence: &Evidence) -> Markup {
    html! {
        section aria-labelledby="rules" {
            h2 #rules { "Safety rules" }
            div.wide { table {
                thead { tr {
                    th scope="col" { "No." } th scope="col" { "The run stops where" } th scope="col" { "Looked" } th scope="col" { "Came to" }
                } }
                tbody { @for it in &evidence.hard_stops { (rule(it)) } }
            } }
        }
    }
}

fn rule(it: &HardStop) -> Markup {
    let tone = match (it.tripped.is_empty(), it.armed) {
        (false, _) => Tone::Bad,
        (true, false) => Tone::Warn,
        (true, true) if it.checks == 0 => Tone::Plain,
        (true, true) => Tone::Good,
    };
    html! {
        tr {
            td { (it.number) }
            th scope="row" { (it.words) }
            td { (it.checks) @if it.checks == 1 { " time" } @else { " times" } }
            td {
                @for trip in &it.tripped {
                    p.(tone.class()) {
                        "tripped by " code { (trip.detector) } " at " (trip.resource) ": " (in_a_sentence(&trip.reason))
                        " " span.note { (show_time(trip.at)) ", record " (trip.record) }
                    }
                }
                @if it.tripped.is_empty() {
                    span.(tone.class()) {
                        @if !it.armed { "switched off" @if let Some(why) = &it.reason { ": " (why) } }
                        @else if it.checks == 0 { "not looked at" }
                        @else { "quiet" }
                    }
                }
            }
        }
    }
}

/// The ways to check the page, and what they do not show.
pub fn check_yourself(evidence: &Evidence) -> Markup {
    html! {
        section aria-labelledby="yourself" {
            h2 #yourself { "Check it yourself" }
            ul {
                li {
                    code.command { "lab-smoke report " (RUN_PLACEHOLDER) }
                    " makes this page and evidence.json again from journal.jsonl: the same journal gives the same bytes."
                }
                li {
                    code.command { "tail -n 1 journal.jsonl | tr -d '\\n' | sha256sum" }
                    " gives the journal's head that stands at the end of this page, as long as nothing was added."
                }
                li { "Each raw answer lies under " code { (ATTACHMENTS_DIR) "/" } " by the SHA-256 of its bytes." }
                @if let Some(go) = &evidence.gate.verified {
                    li { "The go's SHA-256 is " code { (go.go_digest.as_str()) } ", signed with the key " code { (go.key_fingerprint) } "." }
                }
            }
            dl.facts {
                @if let Some(digest) = &evidence.facts_digest { div { dt { "Facts digest" } dd { code { (digest.as_str()) } } } }
                @if let Some(plan) = &evidence.undo_plan { div { dt { "Plan digest" } dd { code { (plan.digest.as_str()) } } } }
                @if let Some(lab) = &evidence.lab_fingerprint { div { dt { "Lab fingerprint" } dd { code { (lab.as_str()) } } } }
            }
            p.note {
                "What that does not show: that nobody who can write into the folder has written all of it anew. The chain of \
                 the journal proves an order, not an author."
            }
        }
    }
}
