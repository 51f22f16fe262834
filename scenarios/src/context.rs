//! The context that a scenario is given: the run so far, and the means to say what it saw. It writes
//! every assertion, stop and raw answer to the journal as it happens.

use lab::act::NotTried;
use lab::ec2::{Answer, ReadError};
use lab::permit::PermitRefused;
use lab::shell::ShellError;
use reports::digest::Digest;
use reports::journal::{JournalError, Writer};
use reports::record::{
    Assertion, AssertionStatus, Calls, Kind, LabUnavailable, Retried, ScenarioFinished,
    ScenarioStarted, ScenarioStatus, StopChecked, StopTripped,
};
use reports::redact::Form;
use serde_json::{Value, json};

use crate::run::Run;
use crate::sequence::Scenario;
use crate::stops;

mod draft;

pub use draft::Ruling;

/// How something was observed, with the raw answers behind it.
#[derive(Clone, Debug, Default)]
pub struct How {
    pub how: String,
    pub raw: Vec<Digest>,
}

impl How {
    /// Both, where one assertion rests on several answers.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        if !self.how.is_empty() && !other.how.is_empty() {
            self.how.push_str("; ");
        }
        self.how.push_str(&other.how);
        for digest in other.raw {
            if !self.raw.contains(&digest) {
                self.raw.push(digest);
            }
        }
        self
    }

    pub fn words(how: impl Into<String>) -> Self {
        Self { how: how.into(), raw: Vec::new() }
    }
}

/// The result of a scenario.
#[derive(Clone, Debug)]
pub struct Finished {
    pub status: ScenarioStatus,
    pub reason: Option<String>,
    /// Assertions that did not hold, for people: `id: message`.
    pub complaints: Vec<String>,
    /// The stops that it tripped.
    pub tripped: Vec<u8>,
}

pub struct Context<'a> {
    pub journal: &'a Writer,
    pub run: &'a Run,
    scenario: &'static Scenario,
    clock: lab::clock::Clock,
    assertions: Vec<Assertion>,
    tripped: Vec<u8>,
    not_applicable: Option<&'static str>,
    unavailable: Option<String>,
    /// Why a mutation was not begun any more: the run was told to stop.
    told_to_stop: Option<String>,
    calls: Calls,
    broken: Option<JournalError>,
}

impl<'a> Context<'a> {
    pub fn begin(
        scenario: &'static Scenario,
        clock: lab::clock::Clock,
        journal: &'a Writer,
        run: &'a Run,
    ) -> Self {
        let mut context = Self {
            journal,
            run,
            scenario,
            clock,
            assertions: Vec::new(),
            tripped: Vec::new(),
            not_applicable: None,
            unavailable: None,
            told_to_stop: None,
            calls: Calls::default(),
            broken: None,
        };
        context
            .write(Kind::ScenarioStarted(ScenarioStarted { scenario: scenario.name.to_owned() }));
        context
    }

    /// Keeps a raw answer and says how it was got. A repeated read is recorded as one.
    pub fn seen<T>(&mut self, answer: &Answer<T>) -> How {
        if answer.attempts == 0 {
            return How::words("there was nothing to ask for");
        }
        if answer.call.contains('$') {
            self.calls.node += 1;
        } else {
            self.calls.ec2 += u32::try_from(answer.raw.len().max(1)).unwrap_or(u32::MAX);
        }
        let pages = u32::try_from(answer.raw.len().max(1)).unwrap_or(u32::MAX);
        if answer.attempts > pages {
            self.write(Kind::Retried(Retried {
                scenario: self.scenario.name.to_owned(),
                call: answer.call.clone(),
                attempts: answer.attempts,
                error: "an attempt failed and was repeated".to_owned(),
            }));
        }
        self.seen_again(answer)
    }

    /// An answer on which another assertion rests too: it was counted there.
    pub fn seen_again<T>(&mut self, answer: &Answer<T>) -> How {
        let raw = answer
            .raw
            .iter()
            .filter_map(|bytes| self.attach(bytes, answer.form, &answer.call))
            .collect();
        How { how: answer.call.clone(), raw }
    }

    /// Calls whose answers are kept only where something was found.
    pub fn looked(&mut self, ec2: u32, node: u32) {
        self.calls.ec2 += ec2;
        self.calls.node += node;
    }

    /// The watchdog looked for a detector and saw nothing; `looks` in a row.
    pub fn blind(&mut self, detector: &stops::Detector, looks: u32, why: &str) {
        self.write(Kind::Retried(Retried {
            scenario: self.scenario.name.to_owned(),
            call: format!("the watchdog's look for {}", detector.name),
            attempts: looks,
            error: why.to_owned(),
        }));
    }

    /// Keeps what was made of several answers, in a form that a reader can compare.
    pub fn keep(&mut self, text: &str, form: Form, source: &str) -> How {
        let raw = self.attach(text.as_bytes(), form, source);
        How { how: source.to_owned(), raw: raw.into_iter().collect() }
    }

    fn attach(&mut self, bytes: &[u8], form: Form, source: &str) -> Option<Digest> {
        match self.journal.attach(self.clock.now(), bytes, form, source) {
            Ok(digest) => Some(digest),
            Err(error) => {
                self.broken.get_or_insert(error);
                None
            }
        }
    }

    /// Keeps what a read that failed got after all.
    pub fn seen_error(&mut self, error: &ReadError) -> How {
        self.calls.ec2 += 1;
        let raw = error.raw().map(<[u8]>::to_vec).unwrap_or_default();
        let raw = self.attach(&raw, Form::Xml, &error.to_string());
        How { how: error.to_string(), raw: raw.into_iter().collect() }
    }

    pub fn seen_shell_error(&mut self, error: &ShellError) -> How {
        self.calls.node += 1;
        How::words(error.to_string())
    }

    fn assert(
        &mut self,
        id: &'static str,
        status: AssertionStatus,
        expected: Value,
        observed: Value,
        how: How,
        message: Option<String>,
    ) {
        debug_assert!(self.scenario.asserts.contains(&id), "{id} is not in the scenario's table");
        let assertion = Assertion {
            scenario: self.scenario.name.to_owned(),
            id: id.to_owned(),
            status,
            expected,
            observed,
            how: how.how,
            raw: how.raw,
            message,
        };
        self.write(Kind::AssertionMade(assertion.clone()));
        self.assertions.push(assertion);
    }

    /// A mutation that was not tried: that the run was told to stop is no failure of the lab's, and
    /// every other reason is one.
    pub fn not_tried(&mut self, id: &'static str, expected: Value, how: How, error: &NotTried) {
        let why = format!("not tried: {error}");
        if matches!(error, NotTried::Refused(PermitRefused::ToldToStop)) {
            self.check(id).seen(how).skipped(Value::Null, why.clone());
            self.told_to_stop = Some(why);
        } else {
            self.check(id).expects(expected).seen(how).fails(json!("not-tried"), why);
        }
    }

    /// The whole scenario is without meaning here. Only for a reason from its own table.
    pub fn not_applicable(&mut self, reason: &'static str) {
        debug_assert!(self.scenario.not_applicable.contains(&reason), "{reason} is not listed");
        self.not_applicable = Some(reason);
    }

    /// The lab cannot be used and nothing of it was touched: the run ends without a judgement.
    pub fn unavailable(&mut self, reason: impl Into<String>, held_by: Option<String>) {
        let reason = reason.into();
        self.write(Kind::LabUnavailable(LabUnavailable { reason: reason.clone(), held_by }));
        self.unavailable = Some(reason);
    }

    /// A detector of a hard stop looked; `tripped` is what it found.
    pub fn stop(
        &mut self,
        detector: &'static stops::Detector,
        tripped: Option<String>,
        resource: &str,
    ) -> bool {
        let scenario = self.scenario.name.to_owned();
        self.write(Kind::StopChecked(StopChecked {
            stop: detector.stop,
            detector: detector.name.to_owned(),
            scenario: scenario.clone(),
        }));
        #[cfg(feature = "sabotage")]
        let tripped = tripped.filter(|_| self.run.detector_off != Some(detector.name));
        let Some(reason) = tripped else { return false };
        self.write(Kind::StopTripped(StopTripped {
            stop: detector.stop,
            detector: detector.name.to_owned(),
            scenario,
            reason,
            resource: resource.to_owned(),
        }));
        self.tripped.push(detector.stop);
        self.run.brake.pull();
        true
    }

    pub fn write(&mut self, kind: Kind) {
        if let Err(error) = self.journal.append(self.clock.now(), kind) {
            self.broken.get_or_insert(error);
        }
    }

    /// Whether anything failed so far.
    pub fn failed(&self) -> bool {
        !self.tripped.is_empty()
            || self.assertions.iter().any(|assertion| assertion.status == AssertionStatus::Failed)
    }

    /// Whether everything so far holds.
    pub fn holds(&self) -> bool {
        !self.failed()
            && !self.assertions.iter().any(|assertion| assertion.status == AssertionStatus::Unknown)
    }

    /// Ends the scenario. An assertion of its table that was never judged is skipped where
    /// something failed before it, and unknown otherwise: it never passes by being left out.
    pub fn finish(mut self) -> Finished {
        if self.not_applicable.is_none() {
            let failed = self.failed() || self.unavailable.is_some() || self.told_to_stop.is_some();
            let unjudged: Vec<_> = self
                .scenario
                .asserts
                .iter()
                .filter(|id| !self.assertions.iter().any(|made| made.id == **id))
                .copied()
                .collect();
            for id in unjudged {
                if failed {
                    let why = self.told_to_stop.clone();
                    let why = why.unwrap_or("not judged: something before it failed".to_owned());
                    self.check(id).skipped(Value::Null, why);
                } else {
                    self.check(id).unknown("not judged");
                }
            }
        }
        let status = self.status();
        let reason = self.reason(status);
        self.write(Kind::ScenarioFinished(ScenarioFinished {
            scenario: self.scenario.name.to_owned(),
            status,
            reason: reason.clone(),
            calls: self.calls,
        }));
        let complaints: Vec<String> = self
            .assertions
            .iter()
            .filter(|made| {
                matches!(made.status, AssertionStatus::Failed | AssertionStatus::Unknown)
            })
            .map(|made| {
                let message = made.message.as_deref().unwrap_or("does not hold");
                format!("{} {}: {message}", made.id, word(made.status))
            })
            .collect();
        let shown = |text: &String| self.journal.redacted(text);
        Finished {
            status,
            reason: reason.as_ref().map(shown),
            complaints: complaints.iter().map(shown).collect(),
            tripped: self.tripped,
        }
    }

    fn status(&self) -> ScenarioStatus {
        let any = |status| self.assertions.iter().any(|made| made.status == status);
        if self.failed() {
            ScenarioStatus::Failed
        } else if self.unavailable.is_some() {
            ScenarioStatus::Skipped
        } else if any(AssertionStatus::Unknown) || self.broken.is_some() {
            ScenarioStatus::Unknown
        } else if self.told_to_stop.is_some() {
            ScenarioStatus::Skipped
        } else if self.not_applicable.is_some() {
            ScenarioStatus::NotApplicable
        } else {
            ScenarioStatus::Passed
        }
    }

    fn reason(&self, status: ScenarioStatus) -> Option<String> {
        if let Some(error) = &self.broken {
            return Some(error.to_string());
        }
        match status {
            ScenarioStatus::NotApplicable => self.not_applicable.map(str::to_owned),
            ScenarioStatus::Skipped => {
                self.unavailable.clone().or_else(|| self.told_to_stop.clone())
            }
            ScenarioStatus::Failed | ScenarioStatus::Unknown => {
                let first = |status| {
                    self.assertions
                        .iter()
                        .find(|made| made.status == status)
                        .map(|made| made.message.clone().unwrap_or_else(|| made.id.clone()))
                };
                first(AssertionStatus::Failed).or_else(|| first(AssertionStatus::Unknown))
            }
            _ => None,
        }
    }
}

fn word(status: AssertionStatus) -> &'static str {
    match status {
        AssertionStatus::Passed => "passed",
        AssertionStatus::Failed => "failed",
        AssertionStatus::Unknown => "unknown",
        AssertionStatus::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests;
