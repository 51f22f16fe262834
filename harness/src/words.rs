//! The words that people read of a scenario's end and of a run's.

use libtest_mimic::{Completion, Failed};
use reports::record::{FlowOutage, Kind, Outage, OutageRecorded, Record, ScenarioStatus};
use reports::verdict::Judgement;
use scenarios::Finished;

use crate::engine::Announcement;
use crate::terminal;

/// How a scenario ended, in libtest's three words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Ok,
    Failed(String),
    Ignored(String),
}

impl From<Ending> for Result<Completion, Failed> {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Ok => Ok(Completion::Completed),
            Ending::Failed(message) => Err(terminal::make_presentable(&message).into()),
            Ending::Ignored(reason) => Ok(Completion::ignored_with(terminal::in_one_line(&reason))),
        }
    }
}

/// The scenario that an announcement ends, and how; none for one that only begins it.
pub fn describe_ending(announcement: &Announcement) -> Option<(&'static str, Ending)> {
    match announcement {
        Announcement::Started(_) | Announcement::Awaiting => None,
        Announcement::Finished { name, finished } => Some((name, of_finished(finished))),
        Announcement::NotRun { name, reason } => {
            Some((name, Ending::Ignored(one_line(&format!("not run: {reason}")))))
        }
    }
}

fn of_finished(finished: &Finished) -> Ending {
    let reason = finished.reason.as_deref().unwrap_or("no reason given");
    if !finished.tripped.is_empty() {
        let stops: Vec<_> = finished.tripped.iter().map(u8::to_string).collect();
        return Ending::Failed(complaint(
            &format!("hard stop {} tripped", stops.join(", ")),
            finished,
        ));
    }
    match finished.status {
        ScenarioStatus::Passed => Ending::Ok,
        ScenarioStatus::Failed => Ending::Failed(complaint("failed", finished)),
        ScenarioStatus::Unknown => Ending::Failed(complaint("unknown", finished)),
        ScenarioStatus::Skipped => Ending::Ignored(one_line(&format!("skipped: {reason}"))),
        ScenarioStatus::NotApplicable => {
            Ending::Ignored(one_line(&format!("not applicable: {reason}")))
        }
        ScenarioStatus::NotRun => Ending::Ignored(one_line(&format!("not run: {reason}"))),
    }
}

/// The status in a word, then everything that does not hold.
fn complaint(word: &str, finished: &Finished) -> String {
    let mut text = word.to_owned();
    let said = |reason: &str| finished.complaints.iter().any(|line| line.contains(reason));
    if let Some(reason) = finished.reason.as_deref().filter(|reason| !said(reason)) {
        text.push_str(": ");
        text.push_str(reason);
    }
    for line in &finished.complaints {
        text.push_str("\n  ");
        text.push_str(&line.replace('\n', "\n    "));
    }
    text
}

/// A reason stands in the scenario's own line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The run's verdict with all of its reasons.
pub fn describe_verdict(judgement: &Judgement) -> String {
    let (word, code) = (judgement.verdict.word(), judgement.exit_code);
    let mut text = format!("verdict: {word} (exit {code})\n");
    for reason in &judgement.reasons {
        text.push_str("  ");
        text.push_str(&reason.replace('\n', "\n    "));
        text.push('\n');
    }
    text
}

/// A line for each direction in which an outage was measured.
pub fn describe_outages(records: &[Record]) -> String {
    let measured = records.iter().filter_map(|record| match &record.kind {
        Kind::OutageRecorded(OutageRecorded { scenario, outage, .. }) => match outage {
            Outage::Measured { flows } => Some((scenario, flows)),
            Outage::NotMeasured { .. } => None,
        },
        _ => None,
    });
    measured.flat_map(|(scenario, flows)| flows.iter().map(|flow| outage(scenario, flow))).collect()
}

fn outage(scenario: &str, flow: &FlowOutage) -> String {
    let ms = |us: u64| format!("{}.{} ms", us / 1000, us % 1000 / 100);
    let mut what = match flow.outage_us {
        Some(us) => format!("interrupted for {}", ms(us)),
        None => "out of reach all the time".to_owned(),
    };
    if let Some(us) = flow.reachable_after_us {
        what = format!("reachable after {}, then {what}", ms(us));
    }
    if let Some(us) = flow.unreachable_after_us {
        what = format!("{what}, out of reach after {}", ms(us));
    }
    let noise = flow.noise_floor_us.map_or_else(|| "unknown".to_owned(), ms);
    format!(
        "outage: {scenario}: {} -> {}: {what} (resolution {}, noise {noise}; {} of {} received)\n",
        terminal::in_one_line(&flow.source),
        terminal::in_one_line(&flow.destination),
        ms(flow.resolution_us),
        flow.change.received,
        flow.change.sent,
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn finished(status: ScenarioStatus) -> Finished {
        Finished { status, reason: None, complaints: Vec::new(), tripped: Vec::new() }
    }

    #[test]
    fn every_status_has_its_word_in_libtest() {
        let with =
            |status, reason: &str| Finished { reason: Some(reason.to_owned()), ..finished(status) };
        let complaints = vec!["ping.reply failed: none".to_owned(), "ping.ttl unknown: ?".into()];
        for (finished, expected) in [
            (finished(ScenarioStatus::Passed), Ending::Ok),
            (
                Finished { complaints, ..with(ScenarioStatus::Failed, "none") },
                Ending::Failed("failed\n  ping.reply failed: none\n  ping.ttl unknown: ?".into()),
            ),
            (
                with(ScenarioStatus::Unknown, "the reply was lost"),
                Ending::Failed("unknown: the reply was lost".into()),
            ),
            (
                Finished { tripped: vec![2], ..finished(ScenarioStatus::Failed) },
                Ending::Failed("hard stop 2 tripped".into()),
            ),
            (
                with(ScenarioStatus::NotApplicable, "this routerd\nhas none"),
                Ending::Ignored("not applicable: this routerd has none".into()),
            ),
            (with(ScenarioStatus::Skipped, "held"), Ending::Ignored("skipped: held".into())),
            (with(ScenarioStatus::NotRun, "a stop"), Ending::Ignored("not run: a stop".into())),
        ] {
            assert_eq!(of_finished(&finished), expected);
        }
    }

    #[test]
    fn an_outage_is_told_in_milliseconds_with_its_noise() {
        let flow = FlowOutage {
            source: "10.88.60.7".into(),
            destination: "10.88.60.9".into(),
            resolution_us: 1000,
            noise_floor_us: Some(2149),
            control: None,
            change: reports::record::Datagrams { sent: 310, received: 178 },
            outage_us: Some(0),
            lost_in_outage: 0,
            reachable_after_us: Some(131_700),
            unreachable_after_us: None,
        };
        let head = "outage: execute: 10.88.60.7 -> 10.88.60.9:";
        let tail = "(resolution 1.0 ms, noise 2.1 ms; 178 of 310 received)\n";
        assert_eq!(
            outage("execute", &flow),
            format!("{head} reachable after 131.7 ms, then interrupted for 0.0 ms {tail}")
        );
        let gone = FlowOutage {
            reachable_after_us: None,
            unreachable_after_us: Some(90_000),
            ..flow.clone()
        };
        assert_eq!(
            outage("execute", &gone),
            format!("{head} interrupted for 0.0 ms, out of reach after 90.0 ms {tail}")
        );
        let never = FlowOutage { outage_us: None, reachable_after_us: None, ..flow };
        assert_eq!(outage("execute", &never), format!("{head} out of reach all the time {tail}"));
    }
}
