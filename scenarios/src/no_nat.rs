//! Nothing translates addresses on the captured path. No single observation sees every kind of
//! translation (a self-restoring double SNAT is clean at both ends, an ICMP-only masquerade is
//! clean for TCP), so there are independent proofs, and each says which failed: all four fields of
//! a fresh TCP connection at both ends, the ICMP source at the far end, the routers' own tables, and
//! packets of every kind compared, header by header, where they are sent, where they pass and where
//! they arrive.

use std::cell::Cell;

use lab::Lab;
use lab::ec2::Answer;
use lab::node::Node;
use lab::shell::{NodeAnswer, Observe, PingReport, ShellError, SniffedEchoes, ssh};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::observe;

mod chains;
mod conntrack;
mod measure;
mod path;
mod plan;
mod probe;
pub use probe::listening_ports;
mod tables;
mod wire;

use conntrack::Own;
use path::CapturedPath;

pub const TCP_TO_ONPREM: &str = "no-nat.tcp.cloud-to-onprem";
pub const TCP_TO_CLOUD: &str = "no-nat.tcp.onprem-to-cloud";
pub const ICMP_TO_ONPREM: &str = "no-nat.icmp.cloud-to-onprem";
pub const ICMP_TO_CLOUD: &str = "no-nat.icmp.onprem-to-cloud";
pub const TABLES_ROUTERD_CLOUD: &str = "no-nat.tables.routerd-cloud";
pub const TABLES_ONPREM_ROUTER: &str = "no-nat.tables.onprem-router";
pub const CONNTRACK_ROUTERD_CLOUD: &str = "no-nat.conntrack.routerd-cloud";
pub const CONNTRACK_ONPREM_ROUTER: &str = "no-nat.conntrack.onprem-router";
pub const PAYLOAD_TO_ONPREM: &str = "no-nat.payload.cloud-to-onprem";
pub const PAYLOAD_TO_CLOUD: &str = "no-nat.payload.onprem-to-cloud";
pub const HANDSHAKE_TO_ONPREM: &str = "no-nat.handshake.cloud-to-onprem";
pub const HANDSHAKE_TO_CLOUD: &str = "no-nat.handshake.onprem-to-cloud";
pub const PATH_ROUTERD_CLOUD: &str = "no-nat.path.routerd-cloud";
pub const PATH_ONPREM_ROUTER: &str = "no-nat.path.onprem-router";

pub const ASSERTS: &[&str] = &[
    TCP_TO_ONPREM,
    TCP_TO_CLOUD,
    ICMP_TO_ONPREM,
    ICMP_TO_CLOUD,
    TABLES_ROUTERD_CLOUD,
    TABLES_ONPREM_ROUTER,
    CONNTRACK_ROUTERD_CLOUD,
    CONNTRACK_ONPREM_ROUTER,
    PAYLOAD_TO_ONPREM,
    PAYLOAD_TO_CLOUD,
    HANDSHAKE_TO_ONPREM,
    HANDSHAKE_TO_CLOUD,
    PATH_ROUTERD_CLOUD,
    PATH_ONPREM_ROUTER,
];
pub const NOT_APPLICABLE: &[&str] = &[];

/// Both directions: who sends, who receives.
const WAYS: [(Node, Node); 2] =
    [(Node::CloudClient, Node::OnpremClient), (Node::OnpremClient, Node::CloudClient)];
const ROUTERS: [Node; 2] = [Node::RouterdCloud, Node::OnpremRouter];

/// The result of a nested ssh.
type LoggedIn = Result<Answer<ssh::Login>, ShellError>;

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let plan = probe::plan_probe(lab, ctx);
    let (probed, icmp, tables) = futures::join!(
        probe::run(lab, plan),
        futures::future::join_all(WAYS.map(|(near, far)| icmp(lab, near, far))),
        futures::future::join_all(ROUTERS.map(|router| tables::ask_tables(lab, router))),
    );
    // Once these flows are there to be tracked: before, an empty table would say nothing.
    let tracked = ROUTERS.map(|router| conntrack::ask_conntrack(lab, router));
    let tracked = futures::future::join_all(tracked).await;
    let own = own_flows(lab, probed.tcp(), &icmp);
    for (index, told) in probed.tcp().iter().enumerate() {
        judge_tcp(lab, ctx, ASSERTS[index], WAYS[index], told.clone());
    }
    for (index, sent) in icmp.into_iter().enumerate() {
        judge_icmp(lab, ctx, ASSERTS[2 + index], WAYS[index], sent);
    }
    for (index, (nft, legacy)) in tables.into_iter().enumerate() {
        let path = CapturedPath::through(lab, ROUTERS[index]);
        tables::judge(ctx, ASSERTS[4 + index], &path, nft, legacy);
    }
    for (index, tracked) in tracked.into_iter().enumerate() {
        let path = CapturedPath::through(lab, ROUTERS[index]);
        conntrack::judge(ctx, ASSERTS[6 + index], ROUTERS[index], &path, &own, tracked);
    }
    probed.judge(lab, ctx, &ASSERTS[8..]);
}

/// The far end's capture of echo requests, and the pings meanwhile.
type Icmp = (NodeAnswer<SniffedEchoes>, Vec<NodeAnswer<PingReport>>);

/// The far end's capture, and fresh pings until it has seen enough or given up: nothing says when
/// a capture begins.
async fn icmp(lab: &Lab, near: Node, far: Node) -> Icmp {
    let address = |node| lab.manifest.nodes[&node].address;
    let (capture, ping) =
        (Observe::echo_requests(address(far)), Observe::ping(address(near), address(far)));
    let captured = Cell::new(false);
    let capture = async {
        let told = lab.shell.observe(far, &capture).await;
        captured.set(true);
        told
    };
    let pings = async {
        let mut pings = Vec::new();
        loop {
            pings.push(lab.shell.observe(near, &ping).await);
            let sent =
                pings.last().is_some_and(|told| told.as_ref().is_ok_and(|it| it.value.was_sent()));
            if captured.get() || !sent {
                return pings;
            }
        }
    };
    futures::join!(capture, pings)
}

/// This run's own connections and pings, as whoever tracks them sees them.
fn own_flows(lab: &Lab, tcp: &[LoggedIn], icmp: &[Icmp]) -> Vec<Own> {
    let connections = tcp.iter().flatten().flat_map(|answer| {
        let greeting = &answer.value.greeting;
        greeting.local_flows.iter().copied().chain(greeting.connection).map(Own::Connection)
    });
    let echoes = icmp.iter().zip(WAYS).filter_map(|((sniffed, _), (near, far))| {
        let address = |node| lab.manifest.nodes[&node].address;
        let (source, destination) = (address(near), address(far));
        let ids = &sniffed.as_ref().ok()?.value.ids;
        Some(ids.iter().map(move |id| Own::Echoes { source, destination, id: *id }))
    });
    connections.chain(echoes.flatten()).collect()
}

fn judge_tcp(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    (near, far): (Node, Node),
    told: LoggedIn,
) {
    let address = |node| lab.manifest.nodes[&node].address;
    let expected =
        json!({ "client": address(near), "server": address(far), "same_at_both_ends": true });
    let (ssh::Login { greeting, complaint, .. }, how) = match observe::keep_answer(ctx, told) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(id).expects(expected).seen(how).unknown(why),
    };
    let Some(flow) = greeting.connection else {
        let why = format!("no connection to look at: {complaint}");
        return ctx.check(id).expects(expected).seen(how).unknown(why);
    };
    let same = greeting.local_flows.contains(&flow);
    let right = *flow.client.ip() == address(near) && *flow.server.ip() == address(far);
    let near_view: Vec<String> = greeting.local_flows.iter().map(ToString::to_string).collect();
    let ruling = Ruling::when(
        same && right,
        format!("the far end sees {flow}, the near end {}", near_view.join(", ")),
    );
    ctx.check(id)
        .expects(expected)
        .seen(how)
        .comes_to(json!({ "far_end": flow.to_string(), "near_end": near_view }), ruling);
}

fn judge_icmp(
    lab: &Lab,
    ctx: &mut Context<'_>,
    id: &'static str,
    (near, far): (Node, Node),
    (sniffed, pings): Icmp,
) {
    let address = |node| lab.manifest.nodes[&node].address;
    let expected = json!({ "sources": [address(near)] });
    let ping_how =
        pings.into_iter().fold(How::default(), |how, pinged| {
            match observe::keep_answer(ctx, pinged) {
                Ok((_, one)) | Err((_, one)) => how.and(one),
            }
        });
    let (SniffedEchoes { sources, .. }, how) = match observe::keep_answer(ctx, sniffed) {
        Ok((seen, how)) => (seen, how.and(ping_how)),
        Err((why, how)) => {
            return ctx.check(id).expects(expected).seen(how.and(ping_how)).unknown(why);
        }
    };
    if sources.is_empty() {
        let why = "no echo request arrived at the far end, so its source is not known";
        return ctx.check(id).expects(expected).seen(how).unknown(why);
    }
    let message = format!("{far} sees echo requests from {}", sources.join(", "));
    let ruling = Ruling::when(sources == [address(near).to_string()], message);
    ctx.check(id).expects(expected).seen(how).comes_to(json!({ "sources": sources }), ruling);
}

#[cfg(test)]
mod tests;
