//! From what one end sent and the other heard to figures. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reports::record::{Datagrams, FlowOutage};
use serde::{Deserialize, Serialize};

/// The report that `outage-probe` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    pub interval_us: u64,
    /// By the node's clock, since 1970; number `n` was due `n` intervals later.
    pub first_sent_at_us: i64,
    pub sent: u64,
    /// In the order in which they were heard.
    pub arrivals: Vec<Arrival>,
}

/// A datagram of the other end: its number, and when the kernel received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, i64)", into = "(u64, i64)")]
pub struct Arrival {
    pub sequence: u64,
    /// Since 1970, by the node's clock.
    pub at_us: i64,
}

impl From<(u64, i64)> for Arrival {
    fn from((sequence, at_us): (u64, i64)) -> Self {
        Self { sequence, at_us }
    }
}

impl From<Arrival> for (u64, i64) {
    fn from(arrival: Arrival) -> Self {
        (arrival.sequence, arrival.at_us)
    }
}

impl ProbeReport {
    /// The report of a probe that begins now and sends a datagram each `interval`: nothing is sent
    /// or heard yet.
    pub fn beginning(now: DateTime<Utc>, interval: Duration) -> Self {
        let interval_us = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        let first_sent_at_us = now.timestamp_micros();
        Self { interval_us, first_sent_at_us, sent: 0, arrivals: Vec::new() }
    }

    /// When its last datagram was due.
    pub(super) fn last_due_at(&self) -> DateTime<Utc> {
        let last = self.due_at_us(self.sent.saturating_sub(1));
        DateTime::from_timestamp_micros(last).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn due_at_us(&self, sequence: u64) -> i64 {
        let after_us = sequence.saturating_mul(self.interval_us);
        self.first_sent_at_us.saturating_add(i64::try_from(after_us).unwrap_or(i64::MAX))
    }

    /// The first number that would have arrived after `at_us`, as fast as the fastest did. So the
    /// clocks of the two nodes need not agree.
    fn number_after(&self, at_us: i64, arrivals: &[Arrival]) -> u64 {
        let taken = arrivals.iter().map(|it| it.at_us - self.due_at_us(it.sequence));
        let since = at_us - taken.min().unwrap_or(0) - self.first_sent_at_us;
        u64::try_from(since).unwrap_or(0) / self.interval_us.max(1) + 1
    }

    /// How many were due in a span.
    fn due(&self, span: Span) -> u64 {
        let interval = i64::try_from(self.interval_us).unwrap_or(i64::MAX).max(1);
        // The first number due at that time or later.
        let number = |at_us: i64| {
            let since = (at_us - self.first_sent_at_us).max(0);
            u64::try_from((since + interval - 1) / interval).unwrap_or(0).min(self.sent)
        };
        number(span.until_us).saturating_sub(number(span.from_us))
    }
}

/// When something was changed, and the quiet before and after it, by the harness's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    pub ready: DateTime<Utc>,
    pub began: DateTime<Utc>,
    pub ended: DateTime<Utc>,
    pub stopped: DateTime<Utc>,
}

#[derive(Clone, Copy)]
struct Span {
    from_us: i64,
    until_us: i64,
}

impl Span {
    fn new(from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        Self { from_us: from.timestamp_micros(), until_us: until.timestamp_micros() }
    }

    fn has(self, at_us: i64) -> bool {
        (self.from_us..self.until_us).contains(&at_us)
    }

    /// The second half alone: what is sent in the first half has arrived by then, or is lost.
    fn second_half(self) -> Self {
        Self { from_us: i64::midpoint(self.from_us, self.until_us), ..self }
    }
}

/// The figures of one flow: what `sender` sent and `hearer` heard.
pub fn compute_flow_outage(
    source: String,
    destination: String,
    sender: &ProbeReport,
    hearer: &ProbeReport,
    spans: Spans,
) -> FlowOutage {
    let (head, change, tail) = (
        Span::new(spans.ready, spans.began),
        Span::new(spans.began, spans.ended),
        Span::new(spans.ended, spans.stopped),
    );
    let mut arrivals = hearer.arrivals.clone();
    arrivals.sort_by_key(|arrival| arrival.at_us);
    let inside = |span: Span| arrivals.iter().filter(move |arrival| span.has(arrival.at_us));
    let count = |span: Span| Datagrams {
        sent: sender.due(span),
        received: u64::try_from(inside(span).count()).unwrap_or(u64::MAX),
    };
    let since_began = |at_us: i64| u64::try_from(at_us - change.from_us).unwrap_or(0);
    let up_before = inside(head.second_half()).next().is_some();
    let up_after = inside(tail.second_half()).next().is_some();
    let first = inside(change).chain(inside(tail)).next();
    let last = arrivals.iter().rfind(|arrival| arrival.at_us < tail.until_us);
    // The longer of the two in which the path was up all the time.
    let control = match (up_before, up_after) {
        (true, true) if count(head).sent >= count(tail).sent => Some(head),
        (_, true) => Some(tail),
        (true, false) => Some(head),
        (false, false) => None,
    };
    let silence = |pair: &[Arrival]| {
        u64::try_from(pair[1].at_us - pair[0].at_us).unwrap_or(0).saturating_sub(sender.interval_us)
    };
    let noise = control.map(|span| {
        let heard: Vec<Arrival> = inside(span).copied().collect();
        heard.windows(2).map(silence).max().unwrap_or(0)
    });
    let heard: BTreeSet<u64> = arrivals.iter().map(|arrival| arrival.sequence).collect();
    // What was sent before the path came up is not lost in an outage, though the kernel may have
    // kept an older one for so long.
    let came_at = first.filter(|_| !up_before).map(|arrival| arrival.at_us);
    let first_number = came_at.map_or(0, |at_us| sender.number_after(at_us, &arrivals));
    // Those that came in another order are not lost.
    let lost = |pair: &[Arrival]| {
        let (from, until) = ((pair[0].sequence + 1).max(first_number), pair[1].sequence);
        let came = heard.range(from..until.max(from)).count();
        until.saturating_sub(from).saturating_sub(u64::try_from(came).unwrap_or(u64::MAX))
    };
    let longest = arrivals
        .windows(2)
        .filter(|pair| pair[1].at_us >= change.from_us && pair[0].at_us < change.until_us)
        .filter(|pair| lost(pair) > 0)
        .max_by_key(|pair| silence(pair));
    let reached = up_before || first.is_some();
    FlowOutage {
        source,
        destination,
        resolution_us: sender.interval_us,
        noise_floor_us: noise,
        control: control.map(count),
        change: count(change),
        outage_us: reached.then(|| longest.map_or(0, silence)),
        lost_in_outage: longest.map_or(0, lost),
        reachable_after_us: first.filter(|_| !up_before).map(|it| since_began(it.at_us)),
        unreachable_after_us: last.filter(|_| reached && !up_after).map(|it| since_began(it.at_us)),
    }
}

#[cfg(test)]
#[path = "spec.rs"]
mod spec;
