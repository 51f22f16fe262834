//! Drives the probes on both clients while something is changed, and makes figures of what they
//! say. It never stands in the change's way: without a probe the change happens all the same, and
//! the reason is said.

use std::cell::Cell;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reports::record::{FlowOutage, Outage};
use tokio::sync::Notify;

use super::figures::{ProbeReport, Spans, compute_flow_outage};
use crate::Lab;
use crate::ec2::Answer;
use crate::node::Node;
use crate::shell::{NodeAnswer, Observe, Unread};

/// The quiet before and after a change: the longer is the control run.
#[derive(Clone, Copy, Debug)]
pub struct Margins {
    pub before: Duration,
    pub after: Duration,
}

/// The report of a probe, or why there is none.
type ProbeReading = Result<ProbeReport, Unread>;

/// The outcome of watching.
pub struct Watched {
    pub outage: Outage,
    /// The probes' own words.
    pub answers: Vec<Answer<ProbeReading>>,
}

impl Watched {
    fn not(reason: String) -> Self {
        Self { outage: Outage::NotMeasured { reason }, answers: Vec::new() }
    }
}

/// With it the watched says when it begins to change something.
pub struct ChangeMark<'a> {
    lab: &'a Lab,
    /// When the quiet before the change is over; none where nobody listens.
    quiet_until: Option<DateTime<Utc>>,
    began: Cell<Option<DateTime<Utc>>>,
}

impl ChangeMark<'_> {
    /// Waits until the quiet before the change has been long enough. To be called right before it.
    pub async fn begins(&self) {
        if let Some(until) = self.quiet_until {
            let left = (until - self.lab.clock.now()).to_std().unwrap_or_default();
            if !left.is_zero() {
                self.lab.clock.sleep(left).await;
            }
        }
        if self.began.get().is_none() {
            self.began.set(Some(self.lab.clock.now()));
        }
    }
}

/// Watches the way between the clients, in both directions, while `change` happens. `name` is
/// unique on the nodes.
pub async fn watch_change<T>(
    lab: &Lab,
    name: &str,
    margins: Margins,
    change: impl AsyncFnOnce(&ChangeMark<'_>) -> T,
) -> (T, Watched) {
    let probes = match Probes::of(lab, name) {
        Ok(probes) => probes,
        Err(reason) => {
            let mark = ChangeMark { lab, quiet_until: None, began: Cell::default() };
            let value = change(&mark).await;
            return (value, Watched::not(reason));
        }
    };
    let unheard = Notify::new();
    let watched = async {
        let listening = probes.each(&probes.ready).await.iter().all(succeeded);
        let ready = lab.clock.now();
        let mark = ChangeMark {
            lab,
            quiet_until: listening.then(|| ready + margins.before),
            began: Cell::default(),
        };
        let value = change(&mark).await;
        let ended = lab.clock.now();
        if listening {
            lab.clock.sleep(margins.after).await;
        }
        let stopped = lab.clock.now();
        // A probe that does not hear it ends by itself; nobody waits for that.
        if !probes.each(&probes.stop).await.iter().all(succeeded) {
            unheard.notify_one();
        }
        let began = mark.began.get().unwrap_or(ended);
        (value, Spans { ready, began, ended, stopped })
    };
    let run = async {
        tokio::select! {
            biased;
            told = probes.each(&probes.run) => Some(told),
            () = unheard.notified() => None,
        }
    };
    let (told, (value, spans)) = futures::join!(run, watched);
    let watched = match told {
        Some(told) => probes.watched(told, spans),
        None => Watched::not("a probe could not be told to stop".to_owned()),
    };
    (value, watched)
}

fn succeeded(told: &NodeAnswer<Result<(), Unread>>) -> bool {
    told.as_ref().is_ok_and(|answer| answer.value.is_ok())
}

const ENDS: [Node; 2] = [Node::CloudClient, Node::OnpremClient];

/// One command for each end.
type Commands<T> = [Observe<Result<T, Unread>>; 2];

struct Probes<'a> {
    lab: &'a Lab,
    run: Commands<ProbeReport>,
    ready: Commands<()>,
    stop: Commands<()>,
}

impl<'a> Probes<'a> {
    fn of(lab: &'a Lab, name: &str) -> Result<Self, String> {
        let program = |node: Node| {
            let program = lab.manifest.nodes[&node].outage_probe.as_deref();
            program.ok_or_else(|| format!("the manifest has no nodes.{node}.outage_probe"))
        };
        let address = |node: Node| lab.manifest.nodes[&node].address;
        let [near, far] = ENDS;
        let programs = [program(near)?, program(far)?];
        Ok(Self {
            lab,
            run: [
                Observe::outage_probe(programs[0], name, address(near), address(far)),
                Observe::outage_probe(programs[1], name, address(far), address(near)),
            ],
            ready: programs.map(|program| Observe::outage_probe_ready(program, name)),
            stop: programs.map(|program| Observe::outage_probe_stop(program, name)),
        })
    }

    async fn each<T>(&self, commands: &Commands<T>) -> Vec<NodeAnswer<Result<T, Unread>>> {
        let ends = ENDS.iter().zip(commands);
        let told = ends.map(|(node, command)| self.lab.shell.observe(*node, command));
        futures::future::join_all(told).await
    }

    fn watched(&self, told: Vec<NodeAnswer<ProbeReading>>, spans: Spans) -> Watched {
        let answers: Result<Vec<_>, _> = told.into_iter().collect();
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return Watched::not(error.to_string()),
        };
        let outage = match self.flows(&answers, spans) {
            Ok(flows) => Outage::Measured { flows },
            Err(reason) => Outage::NotMeasured { reason },
        };
        Watched { outage, answers }
    }

    fn flows(
        &self,
        answers: &[Answer<ProbeReading>],
        spans: Spans,
    ) -> Result<Vec<FlowOutage>, String> {
        let reports: Result<Vec<_>, _> = answers.iter().map(report).collect();
        let [near, far] = &reports?[..] else { return Err("an end said nothing".to_owned()) };
        for (node, report) in ENDS.iter().zip([near, far]) {
            let last = report.last_due_at();
            if last < spans.ended {
                return Err(format!("the probe on {node} ended at {last}, before the change"));
            }
        }
        let address = |node: Node| self.lab.manifest.nodes[&node].address.to_string();
        let [cloud, onprem] = ENDS.map(address);
        Ok(vec![
            compute_flow_outage(cloud.clone(), onprem.clone(), near, far, spans),
            compute_flow_outage(onprem, cloud, far, near, spans),
        ])
    }
}

fn report(answer: &Answer<ProbeReading>) -> Result<&ProbeReport, String> {
    let call = &answer.call;
    answer.value.as_ref().map_err(|why| match why {
        Unread::Ended { code, said } => format!("`{call}` ended with exit code {code}: {said}"),
        Unread::NoJson { why, .. } => format!("`{call}`: {why}"),
        other => format!("`{call}`: {other}"),
    })
}
