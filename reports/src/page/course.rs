//! When: the run as a bar, with the time that a person took; and how long the address was out of reach.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::words::{Tone, show_clock, show_ms, show_time};
use crate::evidence::{Evidence, Scenario, WaitedFor};
use crate::record::{Chapter, FlowOutage, Outage};

/// One span of the bar.
struct CourseSpan {
    name: &'static str,
    tone: Tone,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl CourseSpan {
    fn ms(&self) -> u64 {
        u64::try_from((self.until - self.from).num_milliseconds()).unwrap_or_default()
    }
}

/// The bar, and the same as a list.
pub fn course(evidence: &Evidence) -> Markup {
    let spans = spans(evidence);
    let total: u64 = spans.iter().map(CourseSpan::ms).sum();
    html! {
        section aria-labelledby="course" {
            h2 #course { "When" }
            @if total > 0 { (bar(&spans, total)) }
            ul.spans {
                @for span in &spans {
                    li.(span.tone.class()) {
                        b { (span.name) } " " (show_ms(span.ms())) " "
                        span.note { (show_clock(span.from)) " to " (show_clock(span.until)) }
                    }
                }
            }
            @if let Some(run) = &evidence.run {
                p.note {
                    "Begun " (show_time(run.started_at))
                    @match run.finished_at { Some(at) => { ", ended " (show_time(at)) } None => { ", without an end so far" } }
                    ", by the lab's clock."
                    @if !evidence.signals.is_empty() { " Signals: " (evidence.signals.join(", ")) "." }
                    @if let Some(why) = &evidence.recovered { " Brought to its end by recover: " (why) "." }
                }
            }
        }
    }
}

fn bar(spans: &[CourseSpan], total: u64) -> Markup {
    // Whole thousandths, so that the bytes never depend on how a fraction is written.
    let mut at = 0;
    let parts: Vec<_> = spans
        .iter()
        .map(|span| {
            let width = (span.ms().saturating_mul(1000) / total).max(4);
            let from = at;
            at += width;
            (from, width, span.tone)
        })
        .collect();
    html! {
        svg.bar viewBox=(format!("0 0 {at} 40")) preserveAspectRatio="none" role="img" aria-label="The parts of the run, by their length; the list below has the same" {
            @for (from, width, tone) in parts {
                rect.(tone.class()) x=(from) y="0" width=(width) height="40" {}
            }
        }
    }
}

fn spans(evidence: &Evidence) -> Vec<CourseSpan> {
    let chapters = [
        (Chapter::Before, "look", Tone::Plain),
        (Chapter::Change, "change", Tone::Warn),
        (Chapter::Proof, "proof", Tone::Good),
        (Chapter::Back, "back and end", Tone::Bad),
    ];
    let mut spans: Vec<CourseSpan> = chapters
        .into_iter()
        .filter_map(|(chapter, name, tone)| {
            let all = || evidence.scenarios.iter().filter(move |it| it.chapter == Some(chapter));
            let from = all().filter_map(|it: &Scenario| it.started_at).min()?;
            let until = all().filter_map(|it: &Scenario| it.finished_at).max()?;
            Some(CourseSpan { name, tone, from, until })
        })
        .collect();
    let wait = evidence.waits.iter().find(|it| it.waited_for == WaitedFor::Go);
    if let Some(since) = wait.and_then(|it| it.since) {
        let until = wait.and_then(|it| it.until).map(|it| it.at);
        // Nobody knows how long a wait will be: it is shown up to the last record.
        let until = until.or(evidence.journal.last_at).unwrap_or(since.at);
        spans.push(CourseSpan {
            name: "the owner's decision",
            tone: Tone::Ask,
            from: since.at,
            until,
        });
    }
    // A preflight that was repeated, or a gate after the wait, would overlap with it.
    spans.sort_by_key(|span| (span.from, span.until));
    for index in 1..spans.len() {
        let from = spans[index].from;
        let before = &mut spans[index - 1];
        before.until = before.until.min(from);
    }
    spans.retain(|span| span.until >= span.from);
    spans
}

/// The silences of the captured address, in words.
pub fn out_of_reach(evidence: &Evidence) -> Markup {
    html! {
        section aria-labelledby="outage" {
            h2 #outage { "How long out of reach" }
            @if evidence.outages.is_empty() { p { "It was not measured: the address was not moved." } }
            ul {
                @for it in &evidence.outages {
                    @match &it.outage {
                        Outage::NotMeasured { reason } => { li { (it.scenario) ": not measured, since " (reason) } }
                        Outage::Measured { flows } => { @for flow in flows { li { (it.scenario) ", " (flow_in_words(flow)) } } }
                    }
                }
            }
        }
    }
}

fn flow_in_words(flow: &FlowOutage) -> String {
    let ms = |us: u64| format!("{}.{} ms", us / 1_000, us % 1_000 / 100);
    let mut parts = Vec::new();
    if let Some(us) = flow.reachable_after_us {
        parts.push(format!("reached for the first time {} after the change began", ms(us)));
    }
    match flow.outage_us {
        Some(0) => parts.push("no silence with losses".to_owned()),
        Some(us) => parts.push(format!(
            "silent for {}, with {} datagrams lost in it",
            ms(us),
            flow.lost_in_outage
        )),
        None => parts.push("never reached".to_owned()),
    }
    if let Some(us) = flow.unreachable_after_us {
        parts.push(format!("reached for the last time {} after the change began", ms(us)));
    }
    let noise = flow.noise_floor_us.map_or_else(|| "not known".to_owned(), ms);
    format!(
        "from {} to {}: {} (nothing finer than {} is seen; while nothing was changed, the longest silence was {noise})",
        flow.source,
        flow.destination,
        parts.join(", "),
        ms(flow.resolution_us)
    )
}
