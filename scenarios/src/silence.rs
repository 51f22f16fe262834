//! The captured address answers nobody before the run, and after its undo the clients do not reach
//! each other. What the acceptance sees is then the difference that the run makes. Asked by ICMP
//! and by TCP, for one may be let through without the other, and after the undo from both sides.
//!
//! After the undo one look says little: the cloud's dataplane lags behind what its API says, either way.
//! Two looks in a row have to be silent; one that is answered is repeated until the limit.

use std::time::Duration;

use lab::Lab;
use lab::node::Node;
use lab::shell::ssh::Knocked;
use lab::shell::{NodeAnswer, Observe, PingReport};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::observe;
use crate::ssh::make_target;

/// Who asks, and whom: the captured address first.
const WAYS: [(Node, Node); 2] =
    [(Node::CloudClient, Node::OnpremClient), (Node::OnpremClient, Node::CloudClient)];

/// The answers that came of asking one way.
#[derive(Clone)]
pub struct WayAnswers {
    source: Node,
    destination: Node,
    echoes: NodeAnswer<PingReport>,
    connection: NodeAnswer<Knocked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The captured address alone is asked: what a router's translation lets through the other way
    /// is `no-nat`'s matter. What answers has been there for long.
    Before,
    /// Both ways; a neighbour may have to be asked for twice first.
    After,
}

/// Asks at the same time.
pub async fn ask_all_ways(lab: &Lab, when: When) -> Vec<WayAnswers> {
    let ways = if when == When::Before { &WAYS[..1] } else { &WAYS[..] };
    let ask = async |&(asking, asked): &(Node, Node)| {
        let address = |node| lab.manifest.nodes[&node].address;
        let (source, destination) = (address(asking), address(asked));
        let echoes = match when {
            When::Before => Observe::ping_before(source, destination),
            When::After => Observe::ping_in_vain(source, destination),
        };
        let connection = Observe::connect_in_vain(&make_target(lab, asked));
        let (echoes, connection) = futures::join!(
            lab.shell.observe(asking, &echoes),
            lab.shell.observe(asking, &connection),
        );
        WayAnswers { source: asking, destination: asked, echoes, connection }
    };
    futures::future::join_all(ways.iter().map(ask)).await
}

/// How long the dataplane may take to do what the API has said.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// Looks again after the undo, until two looks in a row are alike and not answered, or the limit is over.
/// Answers all looks.
pub async fn ask_until_settled(
    lab: &Lab,
    first: Vec<WayAnswers>,
    second: Vec<WayAnswers>,
) -> Vec<Vec<WayAnswers>> {
    let since = lab.clock.stopwatch();
    let mut before = hear(&first);
    let mut looks = vec![first, second];
    loop {
        let heard = looks.last().map_or(Heard::Unread, |look| hear(look));
        let settled = heard == before && heard != Heard::Answer;
        if settled || since.elapsed() >= LIMIT {
            return looks;
        }
        before = heard;
        lab.clock.sleep(PAUSE).await;
        looks.push(ask_all_ways(lab, When::After).await);
    }
}

/// A look in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Silence,
    Answer,
    Unread,
}

/// An answer that came back, in words; or why it is not known whether one did.
type CameBack = Result<Option<String>, String>;

fn hear(look: &[WayAnswers]) -> Heard {
    let ways = look.iter();
    let one = |it: &WayAnswers| [hear_one(&it.echoes, echoed), hear_one(&it.connection, connected)];
    let all: Vec<Heard> = ways.flat_map(one).collect();
    let either = [Heard::Answer, Heard::Unread].into_iter().find(|heard| all.contains(heard));
    either.unwrap_or(Heard::Silence)
}

fn hear_one<T>(told: &NodeAnswer<T>, read: fn(&T) -> CameBack) -> Heard {
    match told.as_ref().map(|it| read(&it.value)) {
        Ok(Ok(None)) => Heard::Silence,
        Ok(Ok(Some(_))) => Heard::Answer,
        Ok(Err(_)) | Err(_) => Heard::Unread,
    }
}

/// Holds where nothing came back to the last look; what every look heard stands in the evidence.
pub fn judge(ctx: &mut Context<'_>, id: &'static str, looks: Vec<Vec<WayAnswers>>) {
    let expected = json!({ "answers": [] });
    let mut how = How::default();
    let mut heard = Vec::new();
    let (mut answers, mut unread) = (Vec::new(), Vec::new());
    for look in looks {
        (answers, unread) = read_look(ctx, look, &mut how);
        heard.push(json!({ "answers": answers, "unread": unread }));
    }
    if answers.is_empty() && !unread.is_empty() {
        return ctx.check(id).expects(expected).seen(how).unknown(unread.join("; "));
    }
    let message = (!answers.is_empty()).then(|| answers.join("; "));
    let observed = json!({ "answers": answers, "looks": heard });
    ctx.check(id).expects(expected).seen(how).comes_to(observed, Ruling::unless(message));
}

/// Keeps the answers of one look: those that came back, and why the others are not known.
fn read_look(
    ctx: &mut Context<'_>,
    look: Vec<WayAnswers>,
    how: &mut How,
) -> (Vec<String>, Vec<String>) {
    let (mut answers, mut unread) = (Vec::new(), Vec::new());
    for WayAnswers { source: asking, destination: asked, echoes, connection } in look {
        let came =
            [keep(ctx, asking, echoes, echoed, how), keep(ctx, asking, connection, connected, how)];
        for came in came {
            match came {
                Ok(answer) => answers
                    .extend(answer.map(|answer| format!("{asked} answers {asking}: {answer}"))),
                Err(why) => unread.push(why),
            }
        }
    }
    (answers, unread)
}

/// Keeps one answer with how the others were seen.
fn keep<T>(
    ctx: &mut Context<'_>,
    asking: Node,
    told: NodeAnswer<T>,
    read: fn(&T) -> CameBack,
    how: &mut How,
) -> CameBack {
    let (came, one) = match observe::keep_answer(ctx, told) {
        Ok((value, one)) => (read(&value).map_err(|why| format!("{asking}: {why}")), one),
        Err((why, one)) => (Err(why), one),
    };
    *how = std::mem::take(how).and(one);
    came
}

fn echoed(round: &PingReport) -> CameBack {
    match round.received {
        Some(0) => Ok(None),
        Some(count) => Ok(Some(format!("{count} echo replies"))),
        None => Err(format!("ping's answer cannot be read: {}", round.complaint)),
    }
}

fn connected(knocked: &Knocked) -> CameBack {
    match knocked {
        Knocked::Silence(_) => Ok(None),
        Knocked::Answer(said) => Ok(Some(said.clone())),
        Knocked::NoProgram(said) => Err(said.clone()),
    }
}

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    const ID: &str = "preflight.captured-address-silent";

    #[test]
    fn one_answer_of_any_kind_from_any_side_is_one_too_many() {
        let echoes = |count: u32| {
            example_answer(1, &format!("3 packets transmitted, {count} received, x\n"), "")
        };
        let ssh = |code, why: &str| example_answer(code, "", &format!("{why}\r\n"));
        let nobody = || ssh(255, "ssh: connect to host 10.88.60.9 port 22: No route to host");
        let refused = || ssh(255, "ssh: connect to host 10.88.60.9 port 22: Connection refused");
        let no_ssh = || ssh(127, "sh: 1: ssh: not found");
        let table = [
            ("silence", echoes(0), nobody(), A::Passed),
            ("an echo", echoes(1), nobody(), A::Failed),
            ("a refusal", echoes(0), refused(), A::Failed),
            ("a login", echoes(0), ssh(0, ""), A::Failed),
            ("no words of ping", example_answer(2, "", "ping: no"), nobody(), A::Unknown),
            ("no ssh", echoes(0), no_ssh(), A::Unknown),
            ("no node", example_silence(), nobody(), A::Unknown),
            ("no node, and an answer", example_silence(), refused(), A::Failed),
        ];
        for (what, echoes, connection, status) in table {
            for turned in [false, true] {
                let (asking, asked) = WAYS[usize::from(turned)];
                let judged = judge_as_scenario("preflight", async |lab, ctx| {
                    let address = |node| lab.manifest.nodes[&node].address;
                    let ping = Observe::ping_in_vain(address(asking), address(asked));
                    let knock = Observe::connect_in_vain(&make_target(lab, asked));
                    let one = WayAnswers {
                        source: asking,
                        destination: asked,
                        echoes: read_by(&ping, echoes.clone()),
                        connection: read_by(&knock, connection.clone()),
                    };
                    judge(ctx, ID, vec![vec![one]]);
                });
                assert_eq!(judged.status(ID), status, "{what}");
            }
        }
    }

    /// On a lab to which nothing was done yet.
    #[test]
    fn before_the_run_nobody_answers() {
        for (when, ways) in [(When::Before, 1), (When::After, 2)] {
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                let asked = ask_all_ways(lab, when).await;
                assert_eq!(asked.len(), ways);
                judge(ctx, ID, vec![asked]);
            });
            assert_eq!(judged.status(ID), A::Passed, "{:?}", judged.assertion(ID));
        }
    }
}
