//! The clients ping each other, both ways, with all replies received. A first packet may wait for
//! a neighbour entry (contract §8.4, F12), and the path may lose one packet or another: so a round
//! that was not whole is repeated, within bounds. Every round is kept, with what it took.

use std::net::Ipv4Addr;

use lab::Lab;
use lab::node::Node;
use lab::shell::{NodeAnswer, Observe, PingReport};
use serde_json::json;

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

type Round = NodeAnswer<PingReport>;

async fn rounds(lab: &Lab, node: Node, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<Round> {
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        let round = lab.shell.observe(node, &Observe::ping(source, destination)).await;
        let enough = round.as_ref().is_ok_and(|answer| answer.value.received == Some(SENT));
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
            Ok((round, one)) => {
                how = how.and(one);
                seen.push(round.received);
                strange.extend(round.strange);
                round_trip = round.round_trip_ms.or(round_trip);
                if round.received.is_none() {
                    let PingReport { code, complaint, .. } = round;
                    unread = Some(format!("ping ended with exit code {code}: {complaint}"));
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

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    /// A round to [`CLOUD`].
    fn round(told: NodeAnswer) -> Round {
        read_by(&Observe::ping(ONPREM, CLOUD), told)
    }

    /// A round in which so many replies came.
    fn replies(count: u32) -> Round {
        let text = format!("3 packets transmitted, {count} received, 0% packet loss\n");
        round(example_answer(0, &text, ""))
    }

    #[test]
    fn the_last_round_counts_and_all_are_told() {
        let unread = || round(example_answer(2, "", "connect: Network is unreachable"));
        let silence = || round(example_silence());
        let cannot = "ping ended with exit code 2: connect: Network is unreachable";
        let table = [
            ("at once", vec![replies(3)], A::Passed, None),
            ("at last", vec![replies(1), replies(3)], A::Passed, None),
            ("never", vec![replies(0), replies(2)], A::Failed, Some("2 of 3 replies received")),
            ("cannot be sent", vec![unread()], A::Unknown, Some(cannot)),
            ("no answer", vec![silence()], A::Unknown, Some("no answer")),
            ("no answer at first", vec![silence(), replies(3)], A::Passed, None),
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
    const ONPREM: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);

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
            let rounds = vec![round(example_answer(0, &text, ""))];
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
}
