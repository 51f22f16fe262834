//! A node's power: the supervisor's orders to stop and to start, and a boot that comes in stages.

use std::io;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::node::{Orders, READY, Sshd, end_processes, say};
use super::{run, topology};
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::boot::BootTimes;

/// Said by the supervisor, after the node's specification.
pub const STOP: &str = "stop";
const START: &str = "start";

/// The order to start, with the times of the boot's stages where there are any.
pub fn format_start(boot: BootTimes) -> String {
    if boot.is_at_once() {
        return START.to_owned();
    }
    let BootTimes { sshd_ms, overlay_ms, routerd_ms } = boot;
    format!("{START} {sshd_ms} {overlay_ms} {routerd_ms}")
}

fn read_start(order: &str) -> Option<BootTimes> {
    let mut words = order.split(' ');
    if words.next() != Some(START) {
        return None;
    }
    let times: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    Some(match times.as_slice() {
        [sshd_ms, overlay_ms, routerd_ms] => {
            BootTimes { sshd_ms: *sshd_ms, overlay_ms: *overlay_ms, routerd_ms: *routerd_ms }
        }
        _ => BootTimes::default(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BootStage {
    Sshd,
    Overlay,
    Routerd,
}

/// A node that is switched on and off.
struct Powered<'a> {
    node: Node,
    power: &'a watch::Sender<PowerState>,
    sshd: Option<Sshd>,
    is_on: bool,
    /// The stages that are still to come, the next one last.
    to_come: Vec<(DateTime<Utc>, BootStage)>,
}

/// A stopped instance has no processes and no devices; started, it is there again, with its files.
pub async fn obey(
    node: Node,
    orders: &mut Orders,
    power: &watch::Sender<PowerState>,
) -> io::Result<()> {
    let sshd = Some(Sshd::start().await?);
    let mut powered = Powered { node, power, sshd, is_on: true, to_come: Vec::new() };
    power.send_replace(PowerState::On);
    say(READY).await?;
    loop {
        let order = tokio::select! {
            order = orders.next_line() => order?,
            () = wait_for(powered.to_come.last()) => {
                powered.next_stage().await?;
                continue;
            }
        };
        let Some(order) = order else { return Ok(()) };
        match (order.as_str(), read_start(&order)) {
            (STOP, _) => powered.stop().await?,
            (_, Some(boot)) if !powered.is_on => powered.start(boot).await?,
            (other, _) => tracing::debug!(order = other, "nothing to do"),
        }
    }
}

async fn wait_for(next: Option<&(DateTime<Utc>, BootStage)>) {
    match next {
        Some((at, _)) => {
            let left = (*at - Clock::System.now()).to_std().unwrap_or(Duration::ZERO);
            Clock::System.sleep(left).await;
        }
        None => std::future::pending().await,
    }
}

/// Folders that a start of the machine would find empty: the dead man's switch.
fn forget_volatile() {
    // A node that was never armed has none.
    let _ = std::fs::remove_file("/run/lab-smoke/stop-at");
    let _ = std::fs::remove_dir_all("/run/lab-smoke/units");
}

impl Powered<'_> {
    async fn stop(&mut self) -> io::Result<()> {
        self.power.send_replace(PowerState::Off);
        (self.sshd, self.is_on) = (None, false);
        self.to_come.clear();
        end_processes()?;
        forget_volatile();
        run::ip_batch(&topology::power_off(self.node)).await
    }

    async fn start(&mut self, boot: BootTimes) -> io::Result<()> {
        self.is_on = true;
        if boot.is_at_once() {
            run::ip_batch(&topology::power_on(self.node)).await?;
            return self.raise(BootStage::Sshd).await;
        }
        let (_, rest) = topology::split_power_on(self.node);
        self.forget_routerd().await?;
        run::ip_batch(&rest).await?;
        let now = Clock::System.now();
        let at = |ms| now + TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX));
        self.to_come = vec![
            (at(boot.sshd_ms), BootStage::Sshd),
            (at(boot.overlay_ms), BootStage::Overlay),
            (at(boot.routerd_ms), BootStage::Routerd),
        ];
        self.to_come.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(())
    }

    async fn next_stage(&mut self) -> io::Result<()> {
        match self.to_come.pop() {
            Some((_, stage)) => self.raise(stage).await,
            None => Ok(()),
        }
    }

    async fn raise(&mut self, stage: BootStage) -> io::Result<()> {
        match stage {
            BootStage::Sshd => {
                self.sshd = Some(Sshd::start().await?);
                self.power.send_replace(PowerState::On);
                Ok(())
            }
            BootStage::Overlay => run::ip_batch(&topology::split_power_on(self.node).0).await,
            BootStage::Routerd if topology::is_router(self.node) => {
                run::apply_nft(topology::ROUTER_NFT).await?;
                run::set_sysctl(FORWARDS, "1")
            }
            BootStage::Routerd => Ok(()),
        }
    }

    /// A router's rules and its forwarding do not outlive its kernel.
    async fn forget_routerd(&self) -> io::Result<()> {
        if !topology::is_router(self.node) {
            return Ok(());
        }
        run::apply_nft("flush ruleset\n").await?;
        run::set_sysctl(FORWARDS, "0")
    }
}

/// Below `/proc/sys/net`.
const FORWARDS: &str = "ipv4/ip_forward";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_to_start_says_the_times() {
        let slow = BootTimes { sshd_ms: 5, overlay_ms: 20, routerd_ms: 40 };
        for (boot, order) in [(BootTimes::default(), "start"), (slow, "start 5 20 40")] {
            assert_eq!((format_start(boot).as_str(), read_start(order)), (order, Some(boot)));
        }
        assert_eq!((read_start(STOP), read_start("stars")), (None, None));
    }
}
