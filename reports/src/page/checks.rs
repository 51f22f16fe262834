//! The checks, as questions: what is well is closed, what is not is open.

use maud::{Markup, html};

use super::words::{Counted, Tone, cut, in_a_sentence, shorten, show_ms, show_value};
use crate::digest::Digest;
use crate::evidence::{Assertion, Evidence, Scenario};
use crate::journal::ATTACHMENTS_DIR;
use crate::record::{AssertionStatus, Chapter, ScenarioStatus};

/// The most characters of a value that are shown.
const LIMIT: usize = 600;
/// The most characters of a command that are shown.
const COMMAND_LIMIT: usize = 240;

/// The most raw answers of one check that are linked.
const RAW_LIMIT: usize = 6;

/// All scenarios, in the four parts of a run.
pub fn checks(evidence: &Evidence) -> Markup {
    let parts = [
        (Some(Chapter::Before), "Before"),
        (Some(Chapter::Change), "Change"),
        (Some(Chapter::Proof), "Proof"),
        (Some(Chapter::Back), "Back"),
        (None, "Other"),
    ];
    html! {
        section aria-labelledby="checks" {
            h2 #checks { "Checks" }
            @for (chapter, name) in parts {
                @let all: Vec<_> = evidence.scenarios.iter().filter(|it| it.chapter == chapter).collect();
                @if !all.is_empty() {
                    h3 { (name) }
                    @for it in &all { (scenario(evidence, it)) }
                }
            }
            (earlier(evidence))
        }
    }
}

fn scenario(evidence: &Evidence, it: &Scenario) -> Markup {
    let (mark, tone, word) = mark(it.status);
    let mut count = Counted::default();
    it.assertions.iter().for_each(|made| count.add(made.status));
    let bad = count.failed + count.unknown > 0
        || matches!(it.status, ScenarioStatus::Failed | ScenarioStatus::Unknown);
    html! {
        details open[bad] {
            summary {
                span.mark.(tone.class()) aria-hidden="true" { (mark) }
                span { (it.question.as_deref().unwrap_or(&it.name)) " " span.word.(tone.class()) { (word) } }
                span.figures {
                    (it.name) " · " (count.passed) "/" (count.made())
                    @if let Some(ms) = it.duration_ms { " · " (show_ms(ms)) }
                    @if it.attempts > 1 { " · attempt " (it.attempts) }
                }
            }
            @if let Some(reason) = &it.reason { p.note { (in_a_sentence(reason)) } }
            @if it.assertions.is_empty() && it.reason.is_none() { p.note { "Nothing was judged." } }
            ul.assertions { @for made in &it.assertions { (assertion(evidence, it, made)) } }
        }
    }
}

fn mark(status: ScenarioStatus) -> (&'static str, Tone, &'static str) {
    match status {
        ScenarioStatus::Passed => ("✓", Tone::Good, "passed"),
        ScenarioStatus::Failed => ("✗", Tone::Bad, "failed"),
        ScenarioStatus::Unknown => ("?", Tone::Bad, "unknown"),
        ScenarioStatus::Skipped => ("·", Tone::Warn, "skipped"),
        ScenarioStatus::NotApplicable => ("·", Tone::Plain, "does not apply here"),
        ScenarioStatus::NotRun => ("·", Tone::Plain, "not run"),
    }
}

fn assertion(evidence: &Evidence, scenario: &Scenario, it: &Assertion) -> Markup {
    let name = it.id.strip_prefix(&format!("{}.", scenario.name)).unwrap_or(&it.id);
    match it.status {
        AssertionStatus::Passed => html! {
            li { span.good aria-hidden="true" { "✓ " } (name) " " span.hidden { "passed " } span.note { "record " (it.record) } }
        },
        AssertionStatus::Skipped => html! {
            li { span aria-hidden="true" { "· " } (name) " " span.note { (it.message.as_deref().unwrap_or("does not apply")) } }
        },
        AssertionStatus::Failed => opened(evidence, it, name, "✗", "failed"),
        AssertionStatus::Unknown => opened(evidence, it, name, "?", "unknown"),
    }
}

fn opened(evidence: &Evidence, it: &Assertion, name: &str, mark: &str, word: &str) -> Markup {
    html! {
        li.open {
            p { span.bad { span aria-hidden="true" { (mark) " " } b { (name) } " " (word) } " " span.note { "record " (it.record) } }
            @if let Some(message) = &it.message { p { (in_a_sentence(&cut(message, LIMIT))) } }
            dl.facts {
                div { dt { "Expected" } dd { pre { (show_value(&it.expected, LIMIT)) } } }
                div { dt { "Seen" } dd { pre { (show_value(&it.observed, LIMIT)) } } }
                div { dt { "How" } dd { code.command { (cut(&it.how, COMMAND_LIMIT)) } } }
                @if !it.raw.is_empty() {
                    div { dt { "Raw" } dd {
                        @for digest in it.raw.iter().take(RAW_LIMIT) { (raw(evidence, digest)) }
                        @if it.raw.len() > RAW_LIMIT { p.note { "and " (it.raw.len() - RAW_LIMIT) " more, which evidence.json names" } }
                    } }
                }
            }
        }
    }
}

/// A link that is relative to the page, which lies beside the folder of raw answers.
fn raw(evidence: &Evidence, digest: &Digest) -> Markup {
    let kept = evidence.attachments.iter().find(|it| it.digest == *digest);
    html! {
        p {
            a href={ (ATTACHMENTS_DIR) "/" (digest.as_str()) } { code { (shorten(digest)) "…" } }
            @if let Some(kept) = kept {
                " " span.note { (kept.bytes) " bytes, " (cut(&kept.source, COMMAND_LIMIT)) }
            }
        }
    }
}

/// A pass at the second try is never shown as a plain pass.
fn earlier(evidence: &Evidence) -> Markup {
    html! {
        @if !evidence.attempts.is_empty() {
            h3 { "Earlier attempts" }
            ul {
                @for it in &evidence.attempts {
                    li {
                        (it.scenario) ", attempt " (it.number) ": "
                        @match it.status { Some(status) => { (mark(status).2) } None => { "did not end" } }
                        @for bad in &it.bad {
                            ". " code { (bad.id) } " "
                            @if let Some(message) = &bad.message { (cut(message, LIMIT)) }
                            " " span.note { "record " (bad.record) }
                        }
                    }
                }
            }
        }
    }
}
