//! A bad underlay between the routers: their overlay, else vxlan, becomes a TUN device on each, and
//! what it sends goes through a process that is late and loses packets. (Many kernels have no netem.)

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio_tun::Tun;

use super::node::READY;
use super::{run, topology};
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::faults::{Losses, Underlay};

/// `__netns-relay NODE DELAY_MS LOSS_PERCENT`, in the node's network namespace.
pub const RELAY_COMMAND: &str = "__netns-relay";
const ROUTERS: [Node; 2] = [Node::RouterdCloud, Node::OnpremRouter];
const PORT: u16 = 7312;

/// The relays that run, as the world wants them.
#[derive(Default)]
pub struct Relays {
    underlay: Underlay,
    running: Vec<Child>,
}

impl Relays {
    /// # Errors
    /// Where the kernel has no TUN device, in the relay's own words; the overlay is then away.
    pub async fn follow(&mut self, wanted: Underlay, pid: impl Fn(Node) -> u32) -> io::Result<()> {
        if wanted == self.underlay {
            return Ok(());
        }
        for relay in &mut self.running {
            // Its device goes with it.
            relay.kill().await?;
        }
        self.running.clear();
        for node in ROUTERS {
            if wanted == Underlay::default() {
                let mut ip = inside(pid(node), "ip");
                ip.args(["-batch", "-"]);
                let lines = topology::make_vxlan_lines(node) + topology::make_overlay_lines(node);
                run::run_checked(ip, &lines).await?;
            } else {
                self.running.push(start(node, pid(node), wanted).await?);
            }
        }
        self.underlay = wanted;
        Ok(())
    }
}

fn inside(pid: u32, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net")).arg("--").arg(program);
    command
}

/// Once its device is there.
async fn start(node: Node, pid: u32, underlay: Underlay) -> io::Result<Child> {
    let Underlay { delay_ms, loss_percent } = underlay;
    let mut relay = inside(pid, std::env::current_exe()?)
        .args([RELAY_COMMAND, node.as_str(), &delay_ms.to_string(), &loss_percent.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = relay.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
    if BufReader::new(stdout).lines().next_line().await?.as_deref() == Some(READY) {
        return Ok(relay);
    }
    let ended = relay.wait_with_output().await?;
    let words = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    Err(io::Error::other(format!("the relay on {node} ended with {}: {words}", ended.status)))
}

/// The words behind the command's name.
pub fn parse_underlay(words: &[&str]) -> Option<(Node, Underlay)> {
    let [node, delay_ms, loss_percent] = words else { return None };
    let node = ROUTERS.into_iter().find(|one| one.as_str() == *node)?;
    let underlay =
        Underlay { delay_ms: delay_ms.parse().ok()?, loss_percent: loss_percent.parse().ok()? };
    Some((node, underlay))
}

/// A relay's whole life: it ends when it is killed.
pub async fn main((node, underlay): (Node, Underlay)) -> io::Result<()> {
    let device = topology::OVERLAY;
    let mut away = Command::new("ip");
    away.args(["link", "del", device]);
    // It is gone already where another relay ran before.
    let _ = run::run_checked(away, "").await;
    let (near, far) = topology::underlay_addresses(node);
    let socket = UdpSocket::bind((near, PORT)).await?;
    let tun = tun(device)?;
    run::ip_batch(topology::make_overlay_lines(node)).await?;
    let mut stdout = tokio::io::stdout();
    stdout.write_all(format!("{READY}\n").as_bytes()).await?;
    stdout.flush().await?;
    carry(&tun, &socket, far, underlay).await
}

fn tun(device: &str) -> io::Result<Tun> {
    let made = Tun::builder().name(device).mtu(topology::OVERLAY_MTU).build();
    let failed = |error| io::Error::other(format!("a TUN device (/dev/net/tun): {error}"));
    made.map_err(failed)?.pop().ok_or_else(|| io::Error::other("no TUN device was made"))
}

/// Larger than any packet of the overlay.
const BUFFER_BYTES: usize = 2048;

async fn carry(tun: &Tun, socket: &UdpSocket, far: Ipv4Addr, underlay: Underlay) -> io::Result<()> {
    let clock = Clock::System;
    let delay = Duration::from_millis(underlay.delay_ms);
    let mut losses = Losses::default();
    // All wait equally long, so the first is due first.
    let mut waiting: VecDeque<(DateTime<Utc>, Vec<u8>)> = VecDeque::new();
    let (mut outgoing, mut incoming) = ([0; BUFFER_BYTES], [0; BUFFER_BYTES]);
    loop {
        let now = clock.now();
        while let Some((_, packet)) = waiting.pop_front_if(|(at, _)| *at <= now) {
            let _ = socket.send_to(&packet, (far, PORT)).await;
        }
        let left = waiting.front().map(|(at, _)| (*at - now).to_std().unwrap_or_default());
        let due = async {
            match left {
                Some(left) => clock.sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = tun.recv(&mut outgoing) => {
                let bytes = read?;
                if !losses.take(underlay) {
                    waiting.push_back((clock.now() + delay, outgoing[..bytes].to_vec()));
                }
            }
            heard = socket.recv(&mut incoming) => {
                let bytes = heard?;
                // A packet that the kernel does not take is lost, as on any link.
                let _ = tun.send(&incoming[..bytes]).await;
            }
            () = due => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_a_router_and_what_its_underlay_is_like() {
        let underlay = Underlay { delay_ms: 40, loss_percent: 5 };
        assert_eq!(
            parse_underlay(&["onprem-router", "40", "5"]),
            Some((Node::OnpremRouter, underlay))
        );
        for words in [&["cloud-client", "40", "5"][..], &["onprem-router", "40"], &[]] {
            assert_eq!(parse_underlay(words), None, "{words:?}");
        }
    }
}
