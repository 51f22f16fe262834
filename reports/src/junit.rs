//! The JUnit report of a run, for CI: a suite a scenario, a case an assertion, and one suite for the run
//! itself, so that no run that did not pass is a green report.

#[cfg(test)]
mod tests;

use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite,
};
use serde_json::Value;

use crate::evidence::{Assertion, Evidence, HardStop, Scenario};
use crate::record::{AssertionStatus, Part, ScenarioStatus, Verdict};
use crate::verdict::Judgement;

/// The suite of what is true of the run and of no scenario.
const RUN_SUITE: &str = "lab-smoke";

/// The result of one case, in JUnit's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CaseEnd {
    Passed,
    Skipped,
    /// Something does not hold.
    Failure,
    /// It could not be established, or was stopped.
    Error,
}

/// Renders the report of a run that left evidence. The judgement is the command's own: it is the answer
/// even where the journal could say no more.
pub fn render_run(evidence: &Evidence, judgement: &Judgement) -> Result<String, SerializeError> {
    let mut report = begin_report();
    let mut run = run_suite(judgement);
    if let Some(it) = &evidence.run {
        run.set_timestamp(it.started_at);
        let seed = it.seed.map(|seed| seed.to_string());
        let known =
            [("run", Some(it.id.clone())), ("lab", Some(it.lab_name.clone())), ("seed", seed)];
        for (name, value) in known {
            run.add_properties(value.map(|value| Property::new(name, value)));
        }
    }
    run.add_property(Property::new("journal-head", evidence.journal.head.as_str()));
    run.add_test_cases(evidence.hard_stops.iter().map(stop_case));
    report.add_test_suite(run);
    report.add_test_suites(evidence.scenarios.iter().map(scenario_suite));
    report.to_string()
}

/// Renders the report of a command that ended before its run left any evidence: one case, which is an error.
pub fn render_refusal(reason: &str) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(RUN_SUITE);
    suite.add_test_case(case(RUN_SUITE, "setup", CaseEnd::Error, "no run", reason));
    let mut report = begin_report();
    report.add_test_suite(suite);
    report.to_string()
}

fn begin_report() -> Report {
    Report::new("lab-smoke")
}

fn run_suite(judgement: &Judgement) -> TestSuite {
    let mut suite = TestSuite::new(RUN_SUITE);
    let end = match judgement.verdict {
        // A part of the smoke that passed: the exit code says that it is a part.
        Verdict::Pass | Verdict::Partial => CaseEnd::Passed,
        Verdict::AwaitingGo | Verdict::Parked => CaseEnd::Skipped,
        Verdict::Fail => CaseEnd::Failure,
        _ => CaseEnd::Error,
    };
    let words = format!("{} (exit {})", judgement.verdict.word(), judgement.exit_code);
    suite.add_test_case(case(RUN_SUITE, "verdict", end, &words, &judgement.reasons.join("\n")));
    suite
}

/// A stop that tripped is an error; one that never looked shows nothing.
fn stop_case(stop: &HardStop) -> TestCase {
    let name = format!("hard-stop-{}", stop.number);
    let trips: Vec<_> = stop
        .tripped
        .iter()
        .map(|it| format!("{} in {}: {} ({})", it.detector, it.scenario, it.reason, it.resource))
        .collect();
    if !trips.is_empty() {
        return case(RUN_SUITE, &name, CaseEnd::Error, &stop.words, &trips.join("\n"));
    }
    match (stop.armed, stop.checks) {
        (false, _) => {
            let why = stop.reason.as_deref().unwrap_or("it was not armed");
            case(RUN_SUITE, &name, CaseEnd::Skipped, why, &stop.words)
        }
        (true, 0) => case(RUN_SUITE, &name, CaseEnd::Skipped, "it never looked", &stop.words),
        (true, _) => case(RUN_SUITE, &name, CaseEnd::Passed, "", ""),
    }
}

fn scenario_suite(scenario: &Scenario) -> TestSuite {
    let mut suite = TestSuite::new(scenario.name.as_str());
    if let Some(at) = scenario.started_at {
        suite.set_timestamp(at);
    }
    if let Some(ms) = scenario.duration_ms {
        suite.set_time(Duration::from_millis(ms));
    }
    suite.add_property(Property::new("section", scenario.section.as_str()));
    suite.add_property(Property::new("part", name_part(scenario.part)));
    if scenario.attempts > 1 {
        suite.add_property(Property::new("attempts", scenario.attempts.to_string()));
    }
    let assertions = scenario.assertions.iter();
    suite.add_test_cases(assertions.map(|it| assertion_case(&scenario.name, it)));
    suite.add_test_cases(own_case(scenario));
    suite
}

fn name_part(part: Part) -> &'static str {
    match part {
        Part::Judged => "judged",
        Part::Prerequisite => "prerequisite",
        Part::Followup => "followup",
        Part::Excluded => "excluded",
    }
}

/// The scenario's own case, where none of its assertions says how it ended.
fn own_case(scenario: &Scenario) -> Option<TestCase> {
    let end = match scenario.status {
        ScenarioStatus::Passed => CaseEnd::Passed,
        ScenarioStatus::Failed => CaseEnd::Failure,
        ScenarioStatus::Unknown => CaseEnd::Error,
        ScenarioStatus::Skipped | ScenarioStatus::NotApplicable | ScenarioStatus::NotRun => {
            CaseEnd::Skipped
        }
    };
    let said = scenario.assertions.iter().any(|it| end_of(it.status) == end);
    let word = scenario_word(scenario.status);
    let reason = scenario.reason.as_deref().unwrap_or("no reason was recorded");
    let message = format!("{word}: {reason}");
    (!said).then(|| case(&scenario.name, &scenario.name, end, &message, ""))
}

fn scenario_word(status: ScenarioStatus) -> &'static str {
    match status {
        ScenarioStatus::Passed => "passed",
        ScenarioStatus::Failed => "failed",
        ScenarioStatus::Unknown => "unknown",
        ScenarioStatus::Skipped => "skipped",
        ScenarioStatus::NotApplicable => "not applicable",
        ScenarioStatus::NotRun => "not run",
    }
}

fn end_of(status: AssertionStatus) -> CaseEnd {
    match status {
        AssertionStatus::Passed => CaseEnd::Passed,
        AssertionStatus::Failed => CaseEnd::Failure,
        AssertionStatus::Unknown => CaseEnd::Error,
        AssertionStatus::Skipped => CaseEnd::Skipped,
    }
}

fn assertion_case(scenario: &str, assertion: &Assertion) -> TestCase {
    let message = assertion.message.as_deref().unwrap_or("no message was recorded");
    let raw = assertion.raw.iter().map(|digest| format!("attachments/{digest}"));
    let shown = |value: &Value| format!("{value:#}");
    let text = format!(
        "expected: {}\nobserved: {}\nhow: {}\nraw: {}",
        shown(&assertion.expected),
        shown(&assertion.observed),
        assertion.how,
        raw.collect::<Vec<_>>().join(" "),
    );
    let mut case = case(scenario, &assertion.id, end_of(assertion.status), message, &text);
    case.set_timestamp(assertion.at);
    case
}

fn case(class: &str, name: &str, end: CaseEnd, message: &str, text: &str) -> TestCase {
    let mut status = match end {
        CaseEnd::Passed => TestCaseStatus::success(),
        CaseEnd::Skipped => TestCaseStatus::skipped(),
        CaseEnd::Failure => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CaseEnd::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if end != CaseEnd::Passed {
        status.set_message(message);
        // Some readers take a skipped case with a text for none.
        if end != CaseEnd::Skipped {
            status.set_description(text);
        }
    }
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}
