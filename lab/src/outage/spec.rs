//! Recorded sequences, and the figures that they give.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_000_000 + ms)
}

/// A change from 300 ms to 700 ms, with 300 ms of quiet on either side.
fn spans() -> Spans {
    Spans { ready: at(0), began: at(300), ended: at(700), stopped: at(1000) }
}

/// One datagram a millisecond for a second, each half a millisecond on its way; `heard` says which
/// arrive.
fn flow(heard: impl Fn(i64) -> bool) -> FlowOutage {
    reports(|ms| heard(ms).then_some(500))
}

/// The same with each one's own delay in microseconds.
fn reports(delay_us: impl Fn(i64) -> Option<i64>) -> FlowOutage {
    let mut sender = ProbeReport::beginning(at(0), Duration::from_millis(1));
    sender.sent = 1000;
    let mut hearer = ProbeReport::beginning(at(0), Duration::from_millis(1));
    hearer.arrivals = (0..1000)
        .filter_map(|ms| {
            let at_us = at(ms).timestamp_micros() + delay_us(ms)?;
            Some(Arrival { sequence: ms.unsigned_abs(), at_us })
        })
        .collect();
    compute_flow_outage("10.88.60.7".into(), "10.88.60.9".into(), &sender, &hearer, spans())
}

#[test]
fn a_path_that_is_always_up_has_no_outage() {
    let figures = flow(|_| true);
    assert_eq!(figures.outage_us, Some(0));
    assert_eq!(figures.noise_floor_us, Some(0));
    assert_eq!((figures.reachable_after_us, figures.unreachable_after_us), (None, None));
    assert_eq!(figures.change, Datagrams { sent: 400, received: 400 });
    assert_eq!(figures.resolution_us, 1000);
}

#[test]
fn an_outage_is_as_long_as_the_silence_and_as_what_was_lost() {
    for (from, until) in [(400, 600), (310, 311), (650, 720), (290, 350)] {
        let figures = flow(|ms| !(from..until).contains(&ms));
        let length = (until - from).unsigned_abs();
        assert_eq!(figures.outage_us, Some(length * 1000), "{from}..{until}");
        assert_eq!(figures.lost_in_outage, length, "{from}..{until}");
    }
}

#[test]
fn the_longest_of_several_outages_counts() {
    let figures = flow(|ms| !(320..330).contains(&ms) && !(400..450).contains(&ms));
    assert_eq!((figures.outage_us, figures.lost_in_outage), (Some(50_000), 50));
}

#[test]
fn what_is_lost_in_the_quiet_is_no_outage_but_noise() {
    let figures = flow(|ms| !(100..107).contains(&ms));
    assert_eq!(figures.outage_us, Some(0));
    assert_eq!(figures.noise_floor_us, Some(7_000));
    assert_eq!(figures.control, Some(Datagrams { sent: 300, received: 293 }));
}

/// A sender or a receiver that the scheduler leaves alone loses nothing.
#[test]
fn lateness_is_noise_and_no_outage() {
    let figures = reports(|ms| Some(if (500..508).contains(&ms) { 8_000 } else { 500 }));
    assert_eq!(figures.outage_us, Some(0));
}

#[test]
fn an_address_that_comes_says_when() {
    let figures = flow(|ms| ms >= 450);
    assert_eq!(figures.reachable_after_us, Some(150_500));
    assert_eq!((figures.outage_us, figures.unreachable_after_us), (Some(0), None));
    assert_eq!(figures.control, Some(Datagrams { sent: 300, received: 300 }), "the quiet after");
    assert_eq!(figures.change, Datagrams { sent: 400, received: 250 });
}

#[test]
fn an_address_that_goes_says_when() {
    let figures = flow(|ms| ms < 450);
    assert_eq!(figures.unreachable_after_us, Some(149_500));
    assert_eq!((figures.outage_us, figures.reachable_after_us), (Some(0), None));
    assert!(figures.noise_floor_us.is_some(), "from the quiet before");
}

#[test]
fn a_path_that_was_never_up_has_no_figure() {
    let figures = flow(|_| false);
    assert_eq!((figures.outage_us, figures.noise_floor_us), (None, None));
    assert_eq!((figures.reachable_after_us, figures.unreachable_after_us), (None, None));
    assert_eq!(figures.change, Datagrams { sent: 400, received: 0 });
}

/// The kernel keeps some datagrams while it asks for a neighbour, and sends them all at once.
#[test]
fn what_waited_for_a_neighbour_counts_from_its_arrival() {
    let figures = reports(|ms| match ms {
        ..400 => None,
        400..450 => Some((450 - ms) * 1000),
        _ => Some(500),
    });
    assert_eq!(figures.reachable_after_us, Some(150_000));
    assert_eq!(figures.outage_us, Some(0));
}

/// The kernel keeps an old one, drops those after it, and sends it once the neighbour answers.
#[test]
fn what_was_dropped_before_the_path_came_up_is_no_outage() {
    let figures = reports(|ms| match ms {
        200 => Some(250_200),
        ..450 => None,
        _ => Some(500),
    });
    assert_eq!((figures.outage_us, figures.lost_in_outage), (Some(0), 0));
    assert_eq!(figures.reachable_after_us, Some(150_200));
    let figures = reports(|ms| match ms {
        200 => Some(250_200),
        ..450 | 500..520 => None,
        _ => Some(500),
    });
    assert_eq!((figures.outage_us, figures.lost_in_outage), (Some(20_000), 20));
}

/// The kernel sends what waited behind what came later: another order, and nothing lost.
#[test]
fn another_order_is_no_outage() {
    let figures = reports(|ms| match ms {
        ..400 => None,
        400..450 => Some((452 - ms) * 1000),
        _ => Some(500),
    });
    assert_eq!((figures.outage_us, figures.lost_in_outage), (Some(0), 0));
    assert_eq!(figures.reachable_after_us, Some(150_500));
}

#[test]
fn a_report_is_read_as_it_was_printed() {
    let mut report = ProbeReport::beginning(at(0), Duration::from_millis(1));
    report.arrivals.push(Arrival { sequence: 7, at_us: 42 });
    let text = serde_json::to_string(&report).expect("JSON");
    assert!(text.contains("\"arrivals\":[[7,42]]"), "{text}");
    assert_eq!(serde_json::from_str::<ProbeReport>(&text).expect("a report"), report);
}
