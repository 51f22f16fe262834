//! Packets between the clients that carry a nonce, captured where they are sent, where they arrive
//! and on the routers between. What can be sent without a program of this project is: echo requests
//! by `ping`, a connection by `ssh`; the rest by `outage-probe`, where the manifest names one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use lab::Lab;
use lab::ec2::Answer;
use lab::node::{Node, Output};
use lab::outage::{ExchangeOrder, Exchanged, ProbeSilence};
use lab::shell::{Heard, Observe, PingReport, ShellError, Stream, ssh};
use reports::digest::Digest;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

use super::measure::{self, Captures, PathFindings, Ports};
use super::path::CapturedPath;
use super::plan::{PacketPlan, Token, Way};
use super::{LoggedIn, NodeAnswer, WAYS, wire};
use crate::context::{Context, How, Ruling};
use crate::observe;
use crate::ssh::make_target;

/// How long a capture may take to begin.
const BEGINS_WITHIN: Duration = Duration::from_secs(20);
/// How long what is on its way may take at the least once all is sent; else as long as sending took.
const GRACE_AT_LEAST: Duration = Duration::from_millis(500);
/// So many times as long may a capture take to tell what has arrived already.
const TOLD_AFTER_GRACES: u32 = 4;
/// A packet may be lost.
const ROUNDS: usize = 4;

/// The packets that were captured, and what the senders said.
pub struct Probed {
    plan: PacketPlan,
    heard: Vec<(Node, NodeAnswer)>,
    /// Why nothing was sent.
    unready: Option<String>,
    sent: Sent,
    links: Vec<(Node, NodeAnswer)>,
}

/// The packets that this run sends: nonce and ports are its id's.
pub fn plan_probe(lab: &Lab, ctx: &Context<'_>) -> PacketPlan {
    let address = |node| lab.manifest.nodes[&node].address;
    let way = |(near, far)| Way { near, far, source: address(near), destination: address(far) };
    let probed = program(lab).is_some();
    PacketPlan {
        nonce: drawn(&ctx.run.id, 0),
        ways: WAYS.map(way),
        ports: if probed { ports(&ctx.run.id).to_vec() } else { Vec::new() },
        hops: lab.manifest.capture.hops,
        mtu_bytes: lab.manifest.capture.path_mtu_bytes,
        clamps_mss: clamps_mss(ctx),
    }
}

/// A number of this run.
fn drawn(run_id: &str, at: usize) -> u32 {
    let digest = Digest::of(format!("no-nat {run_id}"));
    u32::from_str_radix(&digest.as_str()[at..at + 8], 16).unwrap_or(7)
}

fn ports(run_id: &str) -> [u16; 4] {
    let port = |at, from: u16| from + u16::try_from(drawn(run_id, at) % 5_000).unwrap_or(0);
    [22, 443, port(8, 20_000), port(16, 25_000)]
}

/// On which a run's own programs may listen on its clients.
pub fn listening_ports(run_id: &str) -> [u16; 5] {
    let [ssh, https, one, other] = ports(run_id);
    [ssh, https, one, other, lab::outage::PORT]
}

/// Where the program lies, if on both clients.
fn program(lab: &Lab) -> Option<[&str; 2]> {
    let program = |node: Node| lab.manifest.nodes[&node].probe();
    Some([program(WAYS[0].0)?, program(WAYS[1].0)?])
}

/// Whether the baseline names what lowers the MSS of what a router passes on.
fn clamps_mss(ctx: &Context<'_>) -> bool {
    let baseline = ctx.run.baseline();
    let rules = baseline.iter().flat_map(|baseline| baseline.rulesets.values().flatten());
    rules.into_iter().any(|rule| {
        let text = rule.to_string();
        text.contains("maxseg") || text.contains("TCPMSS")
    })
}

impl PacketPlan {
    /// ssh's port is connected to by ssh.
    fn connections(&self) -> Vec<u16> {
        self.ports.iter().copied().filter(|port| *port != ssh::PORT).collect()
    }

    fn capture(&self) -> Observe {
        let mut ports = self.connections();
        ports.push(ssh::PORT);
        Observe::capture(self.nonce, &ports)
    }

    fn pings(&self, way: usize) -> [Observe<PingReport>; 2] {
        let Way { source, destination, .. } = self.ways[way];
        let token =
            |full| Token { way: u8::try_from(way).unwrap_or(0), full, port: 0 }.bytes(self.nonce);
        [
            Observe::marked_ping(source, destination, token(false), None),
            Observe::marked_ping(source, destination, token(true), Some(self.mtu_bytes)),
        ]
    }

    fn order(&self, way: usize, connections: Vec<u16>) -> ExchangeOrder {
        let Way { source, destination, .. } = self.ways[way];
        ExchangeOrder {
            from: source,
            to: destination,
            nonce: self.nonce,
            way: u8::try_from(way).unwrap_or(0),
            bytes: self.mtu_bytes,
            ports: self.ports.clone(),
            connections,
        }
    }
}

/// Captures on all nodes, sends, and ends once all that was sent has been seen or will not be.
pub async fn run(lab: &Lab, plan: PacketPlan) -> Probed {
    let more = Rc::new(Notify::new());
    let command = plan.capture();
    let heard: Vec<(Node, Heard)> =
        Node::ALL.into_iter().map(|node| (node, Heard::new(more.clone()))).collect();
    let ended: RefCell<Option<String>> = RefCell::default();
    let captures = futures::future::join_all(heard.iter().map(async |(node, heard)| {
        let why = match lab.shell.follow(*node, &command, heard).await {
            Ok(code) => {
                let said = heard.text(Stream::Err);
                format!("the capture on {node} ended with exit code {code}: {}", said.trim())
            }
            Err(error) => error.to_string(),
        };
        ended.borrow_mut().get_or_insert(why);
        more.notify_one();
    }));
    let sending = async {
        let begins = |heard: &Heard| heard.text(Stream::Err).contains("listening on");
        let listening = || heard.iter().all(|(_, heard)| begins(heard));
        let begun = until(&more, || listening() || ended.borrow().is_some());
        let in_time = lab.clock.timeout(BEGINS_WITHIN, begun).await.is_ok();
        if in_time && listening() {
            return Ok(send(lab, &plan, &heard, &more).await);
        }
        Err(ended.take().unwrap_or_else(|| "a capture did not begin in time".to_owned()))
    };
    let links = async {
        let command = Observe::links();
        let ask = async |node| (node, lab.shell.observe(node, &command).await);
        futures::future::join_all(super::ROUTERS.map(ask)).await
    };
    let both = std::pin::pin!(async { futures::join!(sending, links) });
    // A capture goes on until nobody listens.
    let (sent, links) = match select(both, std::pin::pin!(captures)).await {
        Either::Left((both, _)) => both,
        Either::Right((_, both)) => both.await,
    };
    let (unready, sent) = match sent {
        Ok(sent) => (None, sent),
        Err(why) => (Some(why), Sent::default()),
    };
    let answers = heard.iter().map(|(node, heard)| (*node, Ok(heard.answer(*node, &command))));
    Probed { heard: answers.collect(), plan: plan.clone(), unready, sent, links }
}

/// The senders' answers.
#[derive(Default)]
struct Sent {
    tcp: Vec<LoggedIn>,
    exchanged: Vec<Result<Answer<Result<Exchanged, ProbeSilence>>, ShellError>>,
    echoes: Vec<NodeAnswer<PingReport>>,
}

/// Waits for what is said to make it so.
async fn until(more: &Notify, holds: impl Fn() -> bool) {
    while !holds() {
        more.notified().await;
    }
}

async fn send(lab: &Lab, plan: &PacketPlan, heard: &[(Node, Heard)], more: &Notify) -> Sent {
    let captured = || read(heard.iter().map(|(node, heard)| (*node, heard.text(Stream::Out))));
    let mut sent = Sent::default();
    for round in 0..ROUNDS {
        let connections = || if round == 0 { plan.connections() } else { Vec::new() };
        let tcp = async {
            let ways = if round == 0 { &WAYS[..] } else { &[] };
            let connect = async |(near, far): &(Node, Node)| {
                lab.shell.observe(*near, &Observe::ssh_tuple(&make_target(lab, *far))).await
            };
            futures::future::join_all(ways.iter().map(connect)).await
        };
        let exchange = async {
            let Some(programs) = program(lab) else { return Vec::new() };
            let exchange = async |way: usize| {
                let command = Observe::exchange(programs[way], &plan.order(way, connections()));
                lab.shell.observe(WAYS[way].0, &command).await
            };
            futures::future::join_all([0, 1].map(exchange)).await
        };
        let echo = async |(way, size): (usize, usize)| {
            lab.shell.observe(WAYS[way].0, &plan.pings(way)[size]).await
        };
        let echoes = futures::future::join_all([(0, 0), (0, 1), (1, 0), (1, 1)].map(echo));
        let since = lab.clock.stopwatch();
        let (tcp, exchanged, echoes) = futures::join!(tcp, exchange, echoes);
        let grace = GRACE_AT_LEAST.max(since.elapsed());
        sent.tcp.extend(tcp);
        sent.exchanged.extend(exchanged);
        sent.echoes.extend(echoes);
        // What a capture saw is told after what it saw has arrived.
        let complete = until(more, || measure::is_complete(plan, &captured()));
        if lab.clock.timeout(grace, complete).await.is_ok() {
            let own = own_ports(&sent);
            let told = until(more, || measure::is_told_everywhere(plan, &own, &captured()));
            // What is not told by then was not on the way there: that is for the judge. A capture on a
            // busy machine is late by more than the packets are.
            let _ = lab.clock.timeout(grace * TOLD_AFTER_GRACES, told).await;
            break;
        }
    }
    sent
}

fn read(texts: impl Iterator<Item = (Node, String)>) -> Captures {
    texts.map(|(node, text)| (node, wire::read(&text))).collect()
}

impl Probed {
    /// The nested ssh, one for each way; none where nothing was sent.
    pub fn tcp(&self) -> &[LoggedIn] {
        &self.sent.tcp
    }

    /// Judges all six: payloads and handshakes by way, then the path by router.
    pub fn judge(self, lab: &Lab, ctx: &mut Context<'_>, ids: &[&'static str]) {
        let plan = self.plan;
        let own = own_ports(&self.sent);
        let mut how = How::default();
        let mut captures = Captures::new();
        let mut unknown = self.unready;
        for (node, told) in self.heard {
            match keep(ctx, told, &mut how) {
                Ok(output) => {
                    let text = String::from_utf8_lossy(&output.stdout);
                    captures.insert(node, wire::read(&text));
                }
                Err(why) => unknown = unknown.or(Some(why)),
            }
        }
        let mut failed = Vec::new();
        for told in self.sent.exchanged {
            match keep(ctx, told, &mut how) {
                Ok(Ok(report)) => failed.extend(report.failed),
                Ok(Err(silence)) => unknown = unknown.or(Some(silence.to_string())),
                Err(why) => unknown = unknown.or(Some(why)),
            }
        }
        for told in self.sent.echoes {
            // What did not come back is what the captures tell.
            let _ = keep(ctx, told, &mut how);
        }
        let mut members = BTreeMap::new();
        for (node, told) in self.links {
            match keep(ctx, told, &mut how).and_then(|output| parts(&output)) {
                Ok(parts) => drop(members.insert(node, parts)),
                Err(why) => unknown = unknown.or(Some(why)),
            }
        }
        let not_probed = not_probed(&plan);
        let mut settle = |id: &'static str, found: PathFindings| {
            let expected = json!({ "arrives": "as it was sent", "wrong": [] });
            let observed = json!({
                "as_sent": found.as_sent, "wrong": found.wrong, "nonce": format!("{:08x}", plan.nonce),
                "ports": plan.ports, "failed": failed, "not_probed": not_probed,
            });
            match (&unknown, found.wrong.first()) {
                (Some(why), _) => {
                    ctx.check(id).expects(expected).seen(how.clone()).unknown(why.clone());
                }
                (None, None) if found.as_sent == 0 => {
                    let why = "nothing of the probe arrived, so nothing was seen of it";
                    ctx.check(id).expects(expected).seen(how.clone()).unknown(why);
                }
                (None, first) => {
                    let more = found.wrong.len().saturating_sub(1);
                    let more =
                        if more == 0 { String::new() } else { format!(" (and {more} more)") };
                    let message = first.map(|first| format!("{first}{more}"));
                    let ruling = Ruling::unless(message);
                    ctx.check(id).expects(expected).seen(how.clone()).comes_to(observed, ruling);
                }
            }
        };
        for way in 0..2 {
            settle(ids[way], measure::measure_payloads(&plan, way, &captures));
            settle(ids[2 + way], measure::measure_handshakes(&plan, way, &own[way], &captures));
        }
        for (index, router) in super::ROUTERS.into_iter().enumerate() {
            let path = CapturedPath::through(lab, router);
            let none = BTreeMap::new();
            let members = members.get(&router).unwrap_or(&none);
            let found = measure::measure_passage(&plan, router, &path, members, &own, &captures);
            settle(ids[4 + index], found);
        }
    }
}

/// The list of what the evidence says was not sent.
fn not_probed(plan: &PacketPlan) -> Vec<&'static str> {
    let mut all = vec!["other ports than those named"];
    if plan.ports.is_empty() {
        all.push(
            "UDP, and TCP to other ports than 22: the manifest names no probe on both clients",
        );
    }
    all
}

/// Keeps one answer of several with how the others were seen.
fn keep<T>(
    ctx: &mut Context<'_>,
    told: Result<Answer<T>, ShellError>,
    how: &mut How,
) -> Result<T, String> {
    let (kept, one) = match observe::keep_answer(ctx, told) {
        Ok((value, one)) => (Ok(value), one),
        Err((why, one)) => (Err(why), one),
    };
    *how = std::mem::take(how).and(one);
    kept
}

/// The ports of the run's own connections, by way.
fn own_ports(sent: &Sent) -> [Vec<Ports>; 2] {
    let mut own: [Vec<Ports>; 2] = Default::default();
    for (index, told) in sent.tcp.iter().enumerate() {
        let Ok(answer) = told else { continue };
        let greeting = &answer.value.greeting;
        // The near end may have others to the same port; the far end's view is of this one, and is
        // where nothing translates the same.
        let flow = greeting.connection.filter(|flow| greeting.local_flows.contains(flow));
        let flow = flow.or_else(|| greeting.local_flows.first().copied());
        own[index % 2].extend(flow.map(|flow| (flow.client.port(), flow.server.port())));
    }
    for (index, told) in sent.exchanged.iter().enumerate() {
        let Ok(Answer { value: Ok(report), .. }) = told else { continue };
        own[index % 2].extend(report.connections.iter().map(|it| (it.local_port, it.port)));
    }
    own
}

/// The devices that are a part of another, as a bridge's ports are, with it.
fn parts(output: &Output) -> Result<BTreeMap<String, String>, String> {
    #[derive(Deserialize)]
    struct BridgeMember {
        ifname: String,
        master: Option<String>,
    }
    let links: Vec<BridgeMember> = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("`ip -j link` cannot be read: {error}"))?;
    Ok(links.into_iter().filter_map(|link| Some((link.ifname, link.master?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_draws_its_own_ports_each_from_its_own_range() {
        let ports_of = |run_id: &str| ports(run_id);
        for run_id in ["run-1", "run-2", "run-3"] {
            let [ssh, https, one, other] = ports_of(run_id);
            assert_eq!((ssh, https), (22, 443));
            assert!((20_000..25_000).contains(&one) && (25_000..30_000).contains(&other));
            assert_eq!(listening_ports(run_id), [ssh, https, one, other, lab::outage::PORT]);
        }
        assert_ne!(ports_of("run-1"), ports_of("run-2"));
        let digest = Digest::of("no-nat run-1");
        let hex = format!("{:08x}{:08x}", drawn("run-1", 0), drawn("run-1", 8));
        assert_eq!(hex, digest.as_str()[..16]);
        assert_eq!(u32::from(ports_of("run-1")[2]) - 20_000, drawn("run-1", 8) % 5_000);
    }

    #[test]
    fn the_parts_of_a_bridge_are_its_ports() {
        let said = |stdout: &str| Output { code: 0, stdout: stdout.into(), stderr: Vec::new() };
        let links = r#"[{"ifname":"lan1","master":"br-lan"},{"ifname":"ens5"}]"#;
        let expected: BTreeMap<_, _> = [("lan1".to_owned(), "br-lan".to_owned())].into();
        assert_eq!(parts(&said(links)), Ok(expected));
        parts(&said("")).expect_err("nothing is said");
    }
}
