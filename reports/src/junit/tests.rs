use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

use super::*;
use crate::digest::Digest;
use crate::evidence::fold_records;
use crate::record::{Kind, StopTripped};
use crate::sample::{Sample, pending_run, whole_run};
use crate::verdict::judge_journal;

/// A line for each case: suite, case, and how it ended.
fn cases(text: &str) -> Vec<String> {
    let report = Report::deserialize_from_str(text).expect("a report");
    let mut lines = Vec::new();
    for suite in &report.test_suites {
        for case in &suite.test_cases {
            let end = match &case.status {
                TestCaseStatus::Success { .. } => "ok",
                TestCaseStatus::Skipped { .. } => "skipped",
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => "failure",
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => "error",
            };
            lines.push(format!("{}/{}: {end}", suite.name.as_str(), case.name.as_str()));
        }
    }
    lines
}

fn rendered(run: &Sample) -> Vec<String> {
    let records = run.records();
    let judgement = judge_journal(&records);
    let evidence = fold_records(&records, &Digest::zero());
    cases(&render_run(&evidence, &judgement).expect("XML"))
}

fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|it| it == line), "{line}: {lines:#?}");
}

#[test]
fn a_run_that_passed_is_green_and_whatever_did_not_look_is_skipped() {
    let records = whole_run().records_with_end();
    let evidence = fold_records(&records, &Digest::zero());
    let lines = cases(&render_run(&evidence, &judge_journal(&records)).expect("XML"));
    assert_eq!(lines[0], "lab-smoke/verdict: ok");
    has(&lines, "lab-smoke/hard-stop-2: ok");
    has(&lines, "lab-smoke/hard-stop-1: skipped");
    has(&lines, "lab-smoke/hard-stop-7: skipped");
    has(&lines, "ping/ping.answers: ok");
    assert!(!lines.iter().any(|it| it.ends_with("failure") || it.ends_with("error")), "{lines:#?}");
}

#[test]
fn a_run_that_waits_is_skipped_and_one_that_died_is_an_error() {
    let lines = rendered(&pending_run());
    has(&lines, "lab-smoke/verdict: skipped");
    has(&lines, "ping/ping: skipped");
    let lines = rendered(&whole_run());
    has(&lines, "lab-smoke/verdict: error");
}

/// Each status by the assertion that has it, and by the scenario where no assertion has.
#[test]
fn a_failure_is_a_failure_and_unknown_and_a_stop_are_errors() {
    for (status, end) in [
        (AssertionStatus::Failed, "failure"),
        (AssertionStatus::Unknown, "error"),
        (AssertionStatus::Skipped, "skipped"),
    ] {
        let mut run = whole_run();
        run.start("ping");
        run.assert("ping", "ping.answers", status);
        run.finish("ping", ScenarioStatus::Failed);
        has(&rendered(&run), &format!("ping/ping.answers: {end}"));
    }
    let mut run = whole_run();
    run.unfinish("ping");
    has(&rendered(&run), "ping/ping: error");
    run.push(Kind::StopTripped(StopTripped {
        stop: 2,
        detector: "foreign-address-on-eni".into(),
        scenario: "ping".into(),
        reason: "an address of nobody's".into(),
        resource: "eni-0a".into(),
    }));
    has(&rendered(&run), "lab-smoke/hard-stop-2: error");
}

#[test]
fn what_died_in_setup_is_an_error_and_no_text_breaks_the_file() {
    let text = render_refusal("</error> & \u{1b}[31mred\u{0} ]]>").expect("XML");
    assert_eq!(cases(&text), ["lab-smoke/setup: error"]);
}
