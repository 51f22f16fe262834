//! `--github`: what GitHub Actions shows of a run beside its log: annotations, and the job's summary.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use reports::evidence::Evidence;
use reports::record::{AssertionStatus, Verdict};
use reports::summary::{in_words, render_summary};
use reports::verdict::Judgement;

use crate::terminal::{Terminal, in_one_line};

/// The summary's name in the run's folder.
pub(super) const SUMMARY_FILE: &str = "summary.md";
/// The variable that says to which file of the runner the job's summary is appended.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Annotations go to stderr, which the runner reads as it reads stdout: the last line of that stays the
/// run's folder.
pub(super) fn annotate(evidence: &Evidence, judgement: &Judgement, terminal: &Terminal) {
    for line in annotations(evidence, judgement) {
        terminal.err(&(line + "\n"));
    }
}

/// A command that began no run.
pub(super) fn annotate_refusal(reason: &str, terminal: &Terminal) {
    terminal.err(&(annotation("error", "lab-smoke", reason) + "\n"));
}

/// Appends the summary to the job's, where the runner names a file for it.
pub(super) fn append_summary(evidence: &Evidence, judgement: &Judgement) -> io::Result<String> {
    let text = render_summary(evidence, judgement);
    if let Some(file) = env::var_os(STEP_SUMMARY).filter(|file| !file.is_empty()) {
        let mut file = OpenOptions::new().append(true).create(true).open(Path::new(&file))?;
        file.write_all(text.as_bytes())?;
    }
    Ok(text)
}

/// The verdict first: the runner shows ten of a step.
fn annotations(evidence: &Evidence, judgement: &Judgement) -> Vec<String> {
    let level = match judgement.verdict {
        Verdict::Pass | Verdict::AwaitingGo | Verdict::Parked => "notice",
        Verdict::Partial => "warning",
        _ => "error",
    };
    let title = format!("lab-smoke: {}", in_words(judgement));
    let mut lines = vec![annotation(level, &title, &judgement.reasons.join("\n"))];
    for stop in &evidence.hard_stops {
        let title = format!("hard stop {}", stop.number);
        lines.extend(stop.tripped.iter().map(|trip| annotation("error", &title, &trip.reason)));
    }
    let bad = |status| matches!(status, AssertionStatus::Failed | AssertionStatus::Unknown);
    for assertion in evidence.scenarios.iter().flat_map(|it| &it.assertions) {
        if bad(assertion.status) {
            let message = assertion.message.as_deref().unwrap_or("no message was recorded");
            lines.push(annotation("error", &assertion.id, message));
        }
    }
    lines
}

/// One workflow command: whatever the text is, it ends with its line and begins no other.
fn annotation(level: &str, title: &str, message: &str) -> String {
    let shown = |text: &str| {
        let lines: Vec<_> = text.lines().map(in_one_line).collect();
        lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
    };
    let title = shown(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{}", shown(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_the_lab_says() {
        let line = annotation("error", "a: b, c", "50%\n::set-env name=x::y\r\u{1b}[2J");
        assert_eq!(line, "::error title=a%3A b%2C c::50%25%0A::set-env name=x::y\\u000d\\u001b[2J");
    }
}
