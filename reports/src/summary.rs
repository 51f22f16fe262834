//! The summary of a run in Markdown, for a page that shows it beside others: a CI's job, a ticket.

use std::fmt::Write as _;

use crate::evidence::{Evidence, Scenario};
use crate::record::{AssertionStatus, ScenarioStatus};
use crate::verdict::Judgement;

/// Renders the summary. The judgement is the command's own, as in the JUnit report.
pub fn render_summary(evidence: &Evidence, judgement: &Judgement) -> String {
    let mut text = format!("## lab-smoke: {}\n\n", in_words(judgement));
    for reason in &judgement.reasons {
        // A string takes everything.
        let _ = writeln!(text, "- {}", escape(reason));
    }
    if let Some(run) = &evidence.run {
        let (id, lab) = (escape(&run.id), escape(&run.lab_name));
        let _ = writeln!(text, "\nRun {id} on the lab {lab}, begun {}.\n", run.started_at);
    }
    text.push_str("| scenario | result | |\n|---|---|---|\n");
    for scenario in &evidence.scenarios {
        let status = word(scenario.status);
        let _ = writeln!(text, "| {} | {status} | {} |", escape(&scenario.name), why(scenario));
    }
    for stop in evidence.hard_stops.iter().filter(|stop| !stop.tripped.is_empty()) {
        let trips = stop.tripped.iter().map(|trip| escape(&trip.reason)).collect::<Vec<_>>();
        let words = escape(&stop.words);
        let _ = writeln!(text, "\nHard stop {} ({words}): {}", stop.number, trips.join("; "));
    }
    let left = evidence.residue.as_deref().unwrap_or_default();
    for item in left {
        let (resource, id, why) = (escape(&item.resource), escape(&item.id), escape(&item.why));
        let _ = writeln!(text, "\nLeft: {resource} {id}: {why}");
    }
    let _ = writeln!(
        text,
        "\nJournal: {} records, head {}.",
        evidence.journal.records, evidence.journal.head
    );
    text
}

/// Says a verdict with its exit code.
pub fn in_words(judgement: &Judgement) -> String {
    format!("{} (exit {})", judgement.verdict.word(), judgement.exit_code)
}

/// The first thing that is wrong, or why it did not run.
fn why(scenario: &Scenario) -> String {
    let bad = |status| matches!(status, AssertionStatus::Failed | AssertionStatus::Unknown);
    let first = scenario.assertions.iter().find(|it| bad(it.status));
    match first {
        Some(it) => {
            let message = it.message.as_deref().unwrap_or_default();
            format!("{}: {}", escape(&it.id), escape(message))
        }
        None => scenario.reason.as_deref().map(escape).unwrap_or_default(),
    }
}

fn word(status: ScenarioStatus) -> &'static str {
    match status {
        ScenarioStatus::Passed => "passed",
        ScenarioStatus::Failed => "**failed**",
        ScenarioStatus::Unknown => "**unknown**",
        ScenarioStatus::Skipped => "skipped",
        ScenarioStatus::NotApplicable => "not applicable",
        ScenarioStatus::NotRun => "not run",
    }
}

/// Text of the lab stays text: on one line, and neither HTML nor Markdown.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '@' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::evidence::fold_records;
    use crate::sample::whole_run;
    use crate::verdict::judge_journal;

    #[test]
    fn what_is_wrong_is_said_and_the_labs_text_stays_text() {
        let mut run = whole_run();
        run.assert("ping", "ping.answers", AssertionStatus::Failed);
        run.finish("ping", ScenarioStatus::Failed);
        let records = run.records_with_end();
        let mut evidence = fold_records(&records, &Digest::zero());
        evidence.scenarios[0].reason = Some("<script>|\n# `x`".into());
        let text = render_summary(&evidence, &judge_journal(&records));
        assert!(text.starts_with("## lab-smoke: fail (exit 1)\n"), "{text}");
        assert!(text.contains("| ping | **failed** | ping.answers: look at the route |"), "{text}");
        assert!(text.contains("| preflight | passed | &lt;script&gt;\\| \\# \\`x\\` |"), "{text}");
    }
}
