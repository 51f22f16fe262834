//! What a run says, word for word: all of it for a run that passes, and for each fault what did not
//! go as it should. A message, a count or a reason that changes is seen here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use reports::evidence::{Assertion, Evidence, Mutation, Scenario};
use reports::record::{AssertionStatus, Outcome, ResidueItem, ScenarioStatus};
use serde::Serialize;
use serde_json::{Value, json};

use crate::sensitivity::Case;
use crate::smoke::{Prior, Ran, run};

const HEAD: &str = "# What a run says\n\n\
Written by tests/sensitivity.rs with LAB_SMOKE_BLESS=1. First all that a passing run says; then, of each fault,\n\
what did not go as it should.\n";

/// A run without a fault, for each lab.
static PASSING: LazyLock<BTreeMap<Prior, Vec<String>>> = LazyLock::new(|| {
    Prior::BOTH.map(|prior| (prior, lines(&run(1, &[], prior), Kept::All))).into()
});

/// The kept words, by the name of the case.
static KEPT: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let sections = text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    let lines =
        |body: &str| body.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    sections.map(|(name, body)| (name.to_owned(), lines(body))).collect()
});

pub fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "said.md"].iter().collect()
}

/// The whole file, of what every case said.
pub fn render(cases: &[(String, Vec<String>)]) -> String {
    let mut text = HEAD.to_owned();
    let passing = Prior::BOTH.map(|prior| (passing_name(prior), PASSING[&prior].clone()));
    for (name, lines) in passing.iter().chain(cases) {
        let _ = write!(text, "\n## {name}\n\n{}\n", lines.join("\n"));
    }
    text
}

fn passing_name(prior: Prior) -> String {
    format!("no fault ({prior:?})")
}

/// What the passing run on this lab says now and did not say when it was kept, or the reverse.
pub fn passing_changes(prior: Prior) -> Option<String> {
    changes(&passing_name(prior), &PASSING[&prior])
}

/// The first difference between what is kept under this name and what was said.
pub fn changes(name: &str, said: &[String]) -> Option<String> {
    let kept = KEPT.get(name).map(Vec::as_slice).unwrap_or_default();
    if kept == said {
        return None;
    }
    let lost = kept.iter().find(|line| !said.contains(line));
    let new = said.iter().find(|line| !kept.contains(line));
    Some(format!("kept: {lost:?}\n  said: {new:?}\n  (LAB_SMOKE_BLESS=1 keeps the new words)"))
}

/// The faults whose words are kept: with the check off, most say the same once more.
pub fn is_kept(case: &Case) -> bool {
    case.prior == Prior::CheckOn
}

/// What of this run did not go as it should, and is not so in a passing run either.
pub fn of_case(case: &Case, ran: &Ran) -> Vec<String> {
    let usual: BTreeSet<&String> = PASSING[&case.prior].iter().collect();
    lines(ran, Kept::WhatTurned).into_iter().filter(|line| !usual.contains(line)).collect()
}

/// How much of a run is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    All,
    /// Only what did not go as it should.
    WhatTurned,
}

fn lines(ran: &Ran, kept: Kept) -> Vec<String> {
    let evidence = &ran.evidence;
    let mut lines =
        vec![format!("{} (exit {})", word(&ran.judgement.verdict), ran.judgement.exit_code)];
    lines.extend(ran.judgement.reasons.iter().map(|reason| format!("because {reason}")));
    for scenario in &evidence.scenarios {
        lines.extend(of_scenario(scenario, kept));
    }
    lines.extend(of_gate(evidence));
    let turned = |it: &&Mutation| kept == Kept::All || it.outcome != Outcome::Done;
    lines.extend(evidence.mutations.iter().filter(turned).map(of_mutation));
    for stop in &evidence.hard_stops {
        let looked: Vec<_> = stop.detectors.iter().map(|it| it.name.as_str()).collect();
        let armed = if stop.armed { "armed" } else { "not armed" };
        let reason = stop.reason.as_deref().unwrap_or_default();
        if kept == Kept::All {
            lines.push(format!("stop {} {armed} {reason} {}", stop.number, looked.join(" ")));
        }
        for trip in &stop.tripped {
            let (detector, scenario) = (&trip.detector, &trip.scenario);
            lines.push(format!(
                "tripped {detector} in {scenario} at {}: {}",
                trip.resource, trip.reason
            ));
        }
    }
    lines.extend(evidence.residue.iter().flatten().map(|item| of_item("left", item)));
    lines.extend(evidence.kept.iter().map(|item| of_item("kept", item)));
    lines.extend(evidence.cost.iter().map(|cost| format!("cost {}", json!(cost))));
    lines.extend(evidence.retries.iter().map(|it| format!("repeated {}", json!(it))));
    // A message of several lines is one here, so that a line is a statement.
    lines.into_iter().map(|line| line.trim().replace('\n', "⏎")).collect()
}

fn of_scenario(scenario: &Scenario, kept: Kept) -> Vec<String> {
    let reason = scenario.reason.as_deref().unwrap_or_default();
    let calls = scenario.calls.map(|it| format!("{} of EC2, {} of nodes", it.ec2, it.node));
    let (name, status) = (&scenario.name, word(&scenario.status));
    let first = format!("{name} {status} after {}: {reason}", calls.unwrap_or_default());
    let went_well = matches!(scenario.status, ScenarioStatus::Passed | ScenarioStatus::NotRun);
    let first = (kept == Kept::All || !went_well).then_some(first);
    let turned = |it: &&Assertion| kept == Kept::All || it.status != AssertionStatus::Passed;
    let assertions = scenario.assertions.iter().filter(turned).map(of_assertion);
    first.into_iter().chain(assertions).collect()
}

fn of_assertion(it: &Assertion) -> String {
    let message = it.message.as_deref().unwrap_or_default();
    format!(
        "{} {}: {} of {}, by {} ({} raw): {message}",
        it.id,
        word(&it.status),
        short(&it.observed),
        short(&it.expected),
        it.how,
        it.raw.len(),
    )
}

fn of_gate(evidence: &Evidence) -> Vec<String> {
    let gate = &evidence.gate;
    let refused = gate.refused.iter().map(|it| format!("refused {}: {}", it.rule, it.reason));
    let status = format!("gate {} self-granted {}", word(&gate.status), gate.self_granted);
    std::iter::once(status).chain(refused).collect()
}

fn of_mutation(it: &Mutation) -> String {
    let (permit, outcome) = (word(&it.permit), word(&it.outcome));
    let undone = it.undone.map(|outcome| word(&outcome)).unwrap_or_default();
    let undo = it.undo.as_deref().unwrap_or_default();
    let (what, resource, detail) = (&it.what, &it.resource, &it.detail);
    format!("{} {permit} {what} on {resource} {outcome}: {detail} [{undo} {undone}]", it.scenario)
}

fn of_item(how: &str, item: &ResidueItem) -> String {
    let money = if item.costs_money { "costs" } else { "costs nothing" };
    let commands = item.owner_commands.join("; ");
    format!("{how} {} {} {money}: {}: {commands}", item.resource, item.id, item.why)
}

/// A value's JSON; of a long one its digest.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= 300 { text } else { reports::digest::Digest::of_json(value).to_string() }
}

/// The word that the journal has for it.
fn word(value: &impl Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}
