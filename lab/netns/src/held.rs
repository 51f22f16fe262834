//! The world of a running lab, and the fabric that follows it: each change is in the kernel before
//! whoever made it is told.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::{Mutex, Notify};

use super::fabric::{self, Fabric, Wiring};
use super::moments::{Moment, Phase};
use super::power::{STOP, format_start};
use super::relay::Relays;
use super::{deeds, garp, run, topology};
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::cloud::Cloud;
use lab_mock::faults::{self, Deed, Happening};
use lab_mock::world::Shared;

pub struct Held {
    pub shared: Shared,
    pub clock: Clock,
    wiring: Wiring,
    kernel: Mutex<AppliedState>,
    changed: Notify,
    /// The run that the lab was made for has come to its end, and its process with it.
    pub run_ended: Notify,
    pids: Vec<(Node, u32)>,
}

/// The state that was last brought into the kernel.
struct AppliedState {
    fabric: Fabric,
    relays: Relays,
    nodes: BTreeMap<Node, PowerSwitch>,
}

/// A node's switch, and how it stands.
struct PowerSwitch {
    orders: ChildStdin,
    on: bool,
}

impl Held {
    pub fn new(
        shared: Shared,
        clock: Clock,
        wiring: Wiring,
        nodes: Vec<(Node, ChildStdin)>,
        pids: Vec<(Node, u32)>,
    ) -> Self {
        let nodes =
            nodes.into_iter().map(|(node, orders)| (node, PowerSwitch { orders, on: true }));
        let kernel = AppliedState {
            fabric: Fabric::default(),
            relays: Relays::default(),
            nodes: nodes.collect(),
        };
        let (kernel, changed, run_ended) = (Mutex::new(kernel), Notify::new(), Notify::new());
        Self { shared, clock, wiring, kernel, changed, run_ended, pids }
    }

    /// A process in the node's namespaces.
    pub fn pid(&self, node: Node) -> u32 {
        self.pids.iter().find(|(one, _)| *one == node).map_or(0, |(_, pid)| *pid)
    }

    /// Brings the kernel to where the world is.
    ///
    /// # Errors
    /// Where the kernel does not take the ruleset: then the old one holds.
    pub async fn settle(&self) -> io::Result<()> {
        let mut kernel = self.kernel.lock().await;
        let (fabric, running) = self.wanted();
        if fabric != kernel.fabric {
            let gateways = topology::new_gateways(&kernel.fabric, &fabric);
            if !gateways.is_empty() {
                run::ip_batch(&gateways).await?;
            }
            run::apply_nft(&fabric::render_ruleset(&fabric)).await?;
            announce(&kernel.fabric, &fabric)?;
            kernel.fabric = fabric;
        }
        let (underlay, boot) = {
            let world = self.shared.lock();
            (world.faults.underlay, world.faults.boot)
        };
        kernel.relays.follow(underlay, |node| self.pid(node)).await?;
        for (node, power) in &mut kernel.nodes {
            let on = running.get(node).copied().unwrap_or(true);
            if power.on != on {
                let order = if on { format_start(boot) } else { STOP.to_owned() };
                power.orders.write_all(format!("{order}\n").as_bytes()).await?;
                power.on = on;
            }
        }
        for deed in self.happened() {
            self.carry_out(&deed).await?;
        }
        self.changed.notify_one();
        Ok(())
    }

    /// The deeds that the world's events did to nodes since the last look.
    fn happened(&self) -> Vec<Deed> {
        let happened = std::mem::take(&mut self.shared.lock().faults.happened);
        happened.iter().flat_map(Happening::deeds).collect()
    }

    async fn carry_out(&self, deed: &Deed) -> io::Result<()> {
        let done = deeds::carry_out(deed, &self.pids, self.clock).await;
        done.map_err(|error| io::Error::other(format!("{}: {deed:?}: {error}", deed.node)))
    }

    /// Puts a fault into the world and does to the nodes what it does to them.
    ///
    /// # Errors
    /// Where it has no means here, or a node refuses.
    pub async fn inject(&self, fault: &str) -> io::Result<()> {
        let deeds = faults::find_deeds(fault).map_err(io::Error::other)?;
        let deeds = deeds.ok_or_else(|| io::Error::other("it is the mock's alone"))?;
        faults::inject_fault(&mut self.shared.lock(), fault).map_err(io::Error::other)?;
        for deed in deeds {
            self.carry_out(&deed).await?;
        }
        self.settle().await
    }

    /// Lets happen what waited for a command to begin or to end.
    ///
    /// # Errors
    /// Settles as [`Self::settle`] does.
    pub async fn moment(&self, moment: &Moment) -> io::Result<()> {
        let Moment { node, line, phase } = moment;
        let now = self.clock.now();
        if *phase == Phase::Begins {
            let latency_ms = self.shared.lock().faults.latency_ms;
            self.clock.sleep(Duration::from_millis(latency_ms)).await;
            faults::before_command(&mut self.shared.lock(), *node, line, now);
        } else {
            faults::after_command(&mut self.shared.lock(), *node, line, now);
        }
        self.settle().await
    }

    /// The fabric now, and which instances run.
    fn wanted(&self) -> (Fabric, BTreeMap<Node, bool>) {
        let now = self.clock.now();
        let mut world = self.shared.lock();
        world.now = now;
        hasten(&mut world.cloud, now);
        world.cloud.advance(now);
        let cloud = &world.cloud;
        let running = [Node::RouterdCloud, Node::CloudClient].map(|node| {
            let instance = cloud.instance_of(node);
            (node, instance.is_some_and(|instance| cloud.instance_running(&instance.id, now)))
        });
        (Fabric::of(cloud, &self.wiring, now), running.into())
    }

    /// Instances start and stop when their time has come, though nobody asks.
    pub async fn follow_time(&self) {
        loop {
            let wait = self.next_transition().map(|at| at - self.clock.now());
            let due = async {
                match wait {
                    Some(wait) => self.clock.sleep(wait.to_std().unwrap_or(Duration::ZERO)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => if let Err(error) = self.settle().await {
                    tracing::error!(%error, "the fabric does not follow the world");
                    return;
                },
                () = self.changed.notified() => {}
            }
        }
    }

    fn next_transition(&self) -> Option<DateTime<Utc>> {
        let world = self.shared.lock();
        world.cloud.instances.values().filter_map(|one| one.transition.map(|next| next.at)).min()
    }
}

/// Long enough for the state between to be seen, and over when somebody looks again.
const TRANSITION: TimeDelta = TimeDelta::milliseconds(100);

/// An instance is a process here; nobody need wait as long as on EC2.
fn hasten(cloud: &mut Cloud, now: DateTime<Utc>) {
    let soon = now + TRANSITION;
    for transition in cloud.instances.values_mut().filter_map(|one| one.transition.as_mut()) {
        transition.at = transition.at.min(soon);
    }
}

/// A new address is told to everyone in the subnet but its owner.
fn announce(before: &Fabric, after: &Fabric) -> io::Result<()> {
    for (owner, address) in after.gained(before) {
        for port in &after.ports {
            if port.subnet == owner.subnet && port.wire != owner.wire {
                garp::announce(&port.wire.device, address)?;
            }
        }
    }
    Ok(())
}
