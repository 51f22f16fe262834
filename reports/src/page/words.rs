//! The words of the page: its verdict for people, times, durations and counts.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::digest::Digest;
use crate::evidence::{ChangeState, Evidence, GateStatus, Restored, TeardownState};
use crate::record::{AssertionStatus, LabKind, Verdict};

/// How a part of the page looks: its colour, which is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Warn,
    Ask,
    Plain,
}

impl Tone {
    /// The class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Plain => "plain",
        }
    }
}

/// The verdict in words.
pub struct PageHead {
    pub tone: Tone,
    pub title: String,
    pub sentence: String,
}

/// Whether the run waits for its owner's go.
pub fn is_asking(evidence: &Evidence) -> bool {
    matches!(evidence.verdict.verdict, Verdict::AwaitingGo | Verdict::Parked)
}

/// The verdict for people, and one sentence with the first cause.
pub fn describe_head(evidence: &Evidence) -> PageHead {
    let (tone, title) = title(evidence);
    let cause = evidence.cause.as_ref().map(|cause| in_a_sentence(&cause.sentence));
    let reason = || evidence.verdict.reasons.first().map(|reason| in_a_sentence(reason));
    let sentence = match evidence.verdict.verdict {
        Verdict::Pass => passed(evidence),
        Verdict::AwaitingGo | Verdict::Parked => asked(evidence),
        Verdict::Partial => format!("{} {}", passed(evidence), reason().unwrap_or_default()),
        _ => cause.or_else(reason).unwrap_or_else(|| "Nothing says why.".to_owned()),
    };
    PageHead { tone, title, sentence }
}

fn title(evidence: &Evidence) -> (Tone, String) {
    let back = back(evidence);
    let (tone, title) = match evidence.verdict.verdict {
        Verdict::Pass => (Tone::Good, "It works, and the lab is as it was".to_owned()),
        Verdict::Fail => (Tone::Bad, format!("It does not work; {back}")),
        Verdict::AwaitingGo | Verdict::Parked => (Tone::Ask, "Your decision is needed".to_owned()),
        Verdict::Stopped => match evidence.gate.status {
            GateStatus::Refused => (Tone::Warn, format!("The go was refused; {back}")),
            _ => (Tone::Warn, format!("Stopped by a safety rule; {back}")),
        },
        Verdict::Unknown => (Tone::Bad, format!("Not everything could be established; {back}")),
        Verdict::Residue if evidence.restored == Restored::No => {
            (Tone::Bad, "The lab is not as it was".to_owned())
        }
        Verdict::Residue => (Tone::Bad, format!("Something is left behind; {back}")),
        Verdict::Partial => {
            (Tone::Warn, "What was judged works; it is not the whole smoke".to_owned())
        }
        Verdict::Unavailable => (Tone::Warn, format!("The lab could not be used; {back}")),
        Verdict::Interrupted if evidence.recovered.is_some() => {
            (Tone::Warn, format!("Broken off and brought to its end; {back}"))
        }
        Verdict::Interrupted => (Tone::Warn, format!("Broken off; {back}")),
        Verdict::Bug => (Tone::Bad, format!("lab-smoke itself broke; {back}")),
    };
    (tone, title)
}

fn back(evidence: &Evidence) -> &'static str {
    match evidence.restored {
        Restored::Yes => "everything was taken back",
        Restored::No => "the lab is not as it was",
        Restored::Unknown => "whether the lab is as it was is not known",
        Restored::Untouched => "nothing was changed",
    }
}

fn passed(evidence: &Evidence) -> String {
    let address = evidence.target.as_ref().map_or("The address", |it| &it.address);
    let count = count_assertions(evidence);
    match evidence.restored {
        Restored::Yes => format!(
            "{address} was moved to the cloud router and taken back. All {} checks that apply passed.",
            count.passed
        ),
        _ => format!("All {} checks that apply passed.", count.passed),
    }
}

fn asked(evidence: &Evidence) -> String {
    let count = count_assertions(evidence);
    let changes = evidence.changes.len();
    let ends = evidence.teardown.iter().filter(|it| it.for_good).count();
    format!(
        "Nothing of what the go is for has been done. The lab was looked at: {} of {} checks passed. \
         With your go the run makes {} to one network interface, tests {}, takes {} back, and then \
         ends {} for good.",
        count.passed,
        count.made(),
        plural(changes, "change"),
        if changes == 1 { "it" } else { "them" },
        if changes == 1 { "it" } else { "them" },
        if ends == 0 { "nothing".to_owned() } else { plural(ends, "thing") },
    )
}

/// The number of assertions by their results, of each scenario's last attempt.
#[derive(Clone, Copy, Default)]
pub struct Counted {
    pub passed: usize,
    pub failed: usize,
    pub unknown: usize,
    pub skipped: usize,
}

impl Counted {
    /// The number of those that came to a result, or should have.
    pub fn made(self) -> usize {
        self.passed + self.failed + self.unknown
    }

    /// Counts one more.
    pub fn add(&mut self, status: AssertionStatus) {
        match status {
            AssertionStatus::Passed => self.passed += 1,
            AssertionStatus::Failed => self.failed += 1,
            AssertionStatus::Unknown => self.unknown += 1,
            AssertionStatus::Skipped => self.skipped += 1,
        }
    }
}

/// Counts the assertions of all scenarios.
pub fn count_assertions(evidence: &Evidence) -> Counted {
    let mut count = Counted::default();
    for it in evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions) {
        count.add(it.status);
    }
    count
}

/// The kind of lab, and what that means.
pub fn describe_kind(kind: LabKind) -> &'static str {
    match kind {
        LabKind::Mock => "mock lab · virtual time · no AWS",
        LabKind::Netns => "kernel lab · real packets · no AWS",
        LabKind::Aws => "AWS",
    }
}

/// An absolute time, to the second.
pub fn show_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ").replace('Z', " UTC")
}

/// The time of a day, to the second.
pub fn show_clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

/// A duration with its unit.
pub fn show_ms(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => show_seconds(ms / 1_000),
    }
}

/// A duration of whole seconds with its units.
pub fn show_seconds(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A count with its noun.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The first digits of a digest; the whole of it stands elsewhere on the page, or in the evidence.
pub fn shorten(digest: &Digest) -> &str {
    digest.as_str().get(..16).unwrap_or_default()
}

/// A sentence begins with a capital and ends with a stop.
pub fn in_a_sentence(text: &str) -> String {
    let text = text.trim();
    let mut rest = text.chars();
    let first: String = rest.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) || text.is_empty() { "" } else { "." };
    format!("{first}{}{stop}", rest.as_str())
}

/// A value of the evidence as people read it, at most this long; the whole is in the evidence.
pub fn show_value(value: &Value, limit: usize) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    };
    cut(&text, limit)
}

/// A text of at most so many characters, with a mark where something was cut off.
pub fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{} … (cut; all of it is in evidence.json)", &text[..at]),
        None => text.to_owned(),
    }
}

/// How far a change has come, for people.
pub fn describe_change(state: ChangeState) -> (&'static str, Tone) {
    match state {
        ChangeState::NotBegun => ("not made", Tone::Plain),
        ChangeState::Made => ("made, not taken back", Tone::Bad),
        ChangeState::TakenBack => ("taken back", Tone::Good),
        ChangeState::NotTakenBack => ("not taken back", Tone::Bad),
        ChangeState::Unknown => ("not known", Tone::Bad),
    }
}

/// How far a step of the teardown has come, for people.
pub fn describe_teardown(state: TeardownState) -> (&'static str, Tone) {
    match state {
        TeardownState::Planned => ("not ended", Tone::Plain),
        TeardownState::Done => ("ended", Tone::Good),
        TeardownState::NotDone => ("tried, and not ended", Tone::Bad),
        TeardownState::Unknown => ("not known", Tone::Bad),
    }
}
