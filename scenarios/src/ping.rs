//! The clients ping each other, both ways, with all replies received. A first packet may wait for
//! a neighbour entry (contract §8.4, F12), and the path may lose one packet or another: so a round
//! that was not whole is repeated, within bounds. Every round is kept, with what it took.

use std::net::Ipv4Addr;

use lab::Lab;
use lab::node::Node;
use lab::shell::Observe;
use serde_json::{Value, json};

use crate::context::{Context, How, Ruling};
use crate::observe;

pub const TO_ONPREM: &str = "ping.cloud-to-onprem";
pub const TO_CLOUD: &str = "ping.onprem-to-cloud";

pub const ASSERTS: &[&str] = &[TO_ONPREM, TO_CLOUD];
pub const NOT_APPLICABLE: &[&str] = &[];

/// Echo requests a round.
const SENT: u32 = 3;
const ROUNDS: usize = 4;

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let address = |node| lab.manifest.nodes[&node].address;
    let (cloud, onprem) = (address(Node::CloudClient), address(Node::OnpremClient));
    let (there, back) = futures::join!(
        rounds(lab, Node::CloudClient, cloud, onprem),
        rounds(lab, Node::OnpremClient, onprem, cloud),
    );
    judge(ctx, TO_ONPREM, onprem, there);
    judge(ctx, TO_CLOUD, cloud, back);
}

type Round = Result<lab::ec2::Answer<lab::node::Output>, lab::shell::ShellError>;

async fn rounds(lab: &Lab, node: Node, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<Round> {
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        let round = lab.shell.observe(node, &Observe::ping(source, destination)).await;
        let enough = round.as_ref().is_ok_and(|answer| count_received(&answer.value) == Some(SENT));
        rounds.push(round);
        if enough {
            break;
        }
    }
    rounds
}

fn judge(ctx: &mut Context<'_>, id: &'static str, destination: Ipv4Addr, rounds: Vec<Round>) {
    let expected = json!({ "received": SENT, "from": destination });
    let mut strange = Vec::new();
    let mut how = How::default();
    let mut seen = Vec::new();
    let mut round_trip = None;
    let mut unread = None;
    for round in rounds {
        match observe::keep_answer(ctx, round) {
            Ok((output, one)) => {
                how = how.and(one);
                seen.push(count_received(&output));
                strange.extend(strange_replies(&output, destination));
                round_trip = round_trip_ms(&output).or(round_trip);
                if seen.last() == Some(&None) {
                    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                    unread = Some(format!("ping ended with exit code {}: {text}", output.code));
                }
            }
            Err((why, one)) => {
                how = how.and(one);
                unread = Some(why);
            }
        }
    }
    match (seen.last().copied().flatten(), unread) {
        (Some(count), _) => {
            let message = strange
                .first()
                .map(|line| format!("not a plain reply of {destination}: {line}"))
                .or_else(|| (count != SENT).then(|| format!("{count} of {SENT} replies received")));
            let lost: u32 = seen.iter().flatten().map(|count| SENT.saturating_sub(*count)).sum();
            let observed = json!({
                "received": count, "rounds": seen, "lost": lost, "round_trip_ms": round_trip,
                "strange": strange,
            });
            ctx.check(id).expects(expected).seen(how).comes_to(observed, Ruling::unless(message));
        }
        (None, why) => ctx.check(id).expects(expected).seen(how).unknown(why.unwrap_or_default()),
    }
}

/// From `3 packets transmitted, 3 received, 0% packet loss, time 2003ms`.
pub fn count_received(output: &lab::node::Output) -> Option<u32> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains(" packets transmitted, "))?;
    line.split(", ").find_map(|part| part.strip_suffix(" received"))?.parse().ok()
}

/// Lines of replies that are not what was asked for: from somebody else, a second time, or with
/// other bytes than were sent. ping counts them as received.
pub fn strange_replies(output: &lab::node::Output, destination: Ipv4Addr) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let sender = format!(" bytes from {destination}: ");
    let plain = |line: &str| line.contains(&sender) && line.ends_with(" ms");
    let strange = text.lines().map(str::trim_end).filter(|line| {
        line.contains("wrong data byte") || line.contains(" bytes from ") && !plain(line)
    });
    strange.map(str::to_owned).collect()
}

/// From `rtt min/avg/max/mdev = 80.702/81.204/82.003/0.421 ms`.
fn round_trip_ms(output: &lab::node::Output) -> Option<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "))?;
    let mut values = line.split(' ').next()?.split('/').map(|value| value.parse::<f64>().ok());
    let mut next = || values.next().flatten();
    Some(json!({ "min": next()?, "avg": next()?, "max": next()? }))
}

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario};

    /// A round in which so many replies came.
    fn replies(count: u32) -> Round {
        example_answer(0, &format!("3 packets transmitted, {count} received, 0% packet loss\n"), "")
    }

    #[test]
    fn the_last_round_counts_and_all_are_told() {
        let unread = || example_answer(2, "", "connect: Network is unreachable");
        let cannot = "ping ended with exit code 2: connect: Network is unreachable";
        let table = [
            ("at once", vec![replies(3)], A::Passed, None),
            ("at last", vec![replies(1), replies(3)], A::Passed, None),
            ("never", vec![replies(0), replies(2)], A::Failed, Some("2 of 3 replies received")),
            ("cannot be sent", vec![unread()], A::Unknown, Some(cannot)),
            ("no answer", vec![example_silence()], A::Unknown, Some("no answer")),
            ("no answer at first", vec![example_silence(), replies(3)], A::Passed, None),
            ("unread at last", vec![replies(3), unread()], A::Unknown, Some(cannot)),
        ];
        for (what, rounds, status, message) in table {
            let judged =
                judge_as_scenario("ping", async |_, ctx| judge(ctx, TO_CLOUD, CLOUD, rounds));
            assert_eq!(judged.status(TO_CLOUD), status, "{what}");
            match message {
                Some(message) => assert!(judged.message(TO_CLOUD).contains(message), "{what}"),
                None => assert_eq!(judged.assertion(TO_CLOUD).message, None, "{what}"),
            }
        }
    }

    const CLOUD: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);

    /// All three were received, as ping counts.
    #[test]
    fn a_reply_from_somebody_else_or_a_second_one_is_none() {
        let plain = "64 bytes from 10.88.60.7: icmp_seq=1 ttl=62 time=4.31 ms";
        let table = [
            (String::new(), A::Passed),
            (" (DUP!)".to_owned(), A::Failed),
            (" (DIFFERENT ADDRESS!)".to_owned(), A::Failed),
            ("\nwrong data byte #16 should be 0x10 but was 0x11".to_owned(), A::Failed),
            ("\n64 bytes from 10.88.60.8: icmp_seq=2 ttl=62 time=4.31 ms".to_owned(), A::Failed),
            ("\nFrom 10.88.60.1: icmp_seq=2 Redirect Host".to_owned(), A::Passed),
        ];
        for (end, status) in table {
            let text =
                format!("{plain}{end}\n\n3 packets transmitted, 3 received, 0% packet loss\n");
            let rounds = vec![example_answer(0, &text, "")];
            let judged =
                judge_as_scenario("ping", async |_, ctx| judge(ctx, TO_CLOUD, CLOUD, rounds));
            assert_eq!(judged.status(TO_CLOUD), status, "{end}");
        }
    }

    /// Nobody has the address yet.
    #[test]
    fn rounds_without_all_replies_are_repeated_within_bounds() {
        judge_as_scenario("ping", async |lab, _| {
            let address = |node| lab.manifest.nodes[&node].address;
            let (cloud, onprem) = (address(Node::CloudClient), address(Node::OnpremClient));
            let vain = rounds(lab, Node::CloudClient, cloud, onprem).await;
            assert_eq!(vain.len(), ROUNDS);
            let itself = rounds(lab, Node::CloudClient, cloud, cloud).await;
            assert_eq!(itself.len(), 1, "{itself:?}");
        });
    }

    #[test]
    fn round_trips_are_read_from_the_last_line() {
        let output = |line: &str| lab::node::Output {
            code: 0,
            stdout: format!("--- statistics ---\n{line}\n").into_bytes(),
            stderr: Vec::new(),
        };
        let whole = output("rtt min/avg/max/mdev = 80.702/81.204/82.003/0.421 ms, pipe 2");
        let expected = json!({ "min": 80.702, "avg": 81.204, "max": 82.003 });
        assert_eq!(round_trip_ms(&whole), Some(expected));
        for line in ["", "rtt min/avg/max/mdev = 80.702/x ms"] {
            assert_eq!(round_trip_ms(&output(line)), None, "{line}");
        }
    }

    #[test]
    fn the_statistics_line_is_read_in_all_its_forms() {
        let table = [
            ("3 packets transmitted, 3 received, 0% packet loss, time 2003ms", Some(3)),
            ("3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2ms", Some(0)),
            ("3 packets transmitted, 2 received, 33.3333% packet loss", Some(2)),
            ("ping: connect: Network is unreachable", None),
        ];
        for (line, expected) in table {
            let stdout = format!("PING 10.88.60.9\n\n--- statistics ---\n{line}\n").into_bytes();
            let output = lab::node::Output { code: 0, stdout, stderr: Vec::new() };
            assert_eq!(count_received(&output), expected, "{line}");
        }
    }
}
