//! `outage-probe`, on a node: sends one numbered datagram a millisecond to another node, and writes
//! down when the other's arrive, by the kernel's time of receipt. It reads and changes nothing.
//!
//! `run NAME FROM TO` does that until `stop NAME`, and prints a [`Report`]; `ready NAME` ends once it
//! sends and hears. It ends by itself, for whoever started it may have died. `exchange` is another
//! matter: see there.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram as StdUnixDatagram};
use std::time::Duration;

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::{UdpSocket, UnixDatagram};

use lab::clock::Clock;
use lab::node::Output;
use lab::outage::{Arrival, ExchangeOrder, LIFE, PORT, ProbeReport};

use super::exchange::run_exchange;
use crate::process::Process;

const INTERVAL: Duration = Duration::from_millis(1);
const READY_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

const USAGE: &str = "usage: outage-probe run NAME FROM TO | outage-probe ready NAME | outage-probe stop NAME | \
     outage-probe exchange FROM TO NONCE WAY BYTES PORTS CONNECTIONS";

/// One start of the program.
pub async fn main(process: Process<'_>) -> Output {
    let words: Vec<&str> = process.argv.iter().skip(1).map(String::as_str).collect();
    let ended = match words[..] {
        ["run", name, from, to] => match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => run(name, from, to).await,
            _ => Err(io::Error::other(USAGE)),
        },
        ["exchange", ref order @ ..] => match ExchangeOrder::read(order) {
            Some(order) => run_exchange(&order).await,
            None => Err(io::Error::other(USAGE)),
        },
        ["ready", name] => ready(name).await.map(|()| String::new()),
        ["stop", name] => stop(name).map(|()| String::new()),
        _ => Err(io::Error::other(USAGE)),
    };
    match ended {
        Ok(text) => Output { code: 0, stdout: text.into_bytes(), stderr: Vec::new() },
        Err(error) => {
            let stderr = format!("outage-probe: {error}\n").into_bytes();
            Output { code: 1, stdout: Vec::new(), stderr }
        }
    }
}

async fn run(name: &str, from: Ipv4Addr, to: Ipv4Addr) -> io::Result<String> {
    let clock = Clock::System;
    let socket = hearing((from, PORT).into(), (to, PORT).into())?;
    // Whoever can speak to it knows that it hears already.
    let orders = StdUnixDatagram::bind_addr(&address(name)?)?;
    orders.set_nonblocking(true)?;
    let orders = UnixDatagram::from_std(orders)?;
    let mut ticks = clock.ticks(INTERVAL);
    let mut life = std::pin::pin!(clock.sleep(LIFE));
    let mut report = ProbeReport::beginning(clock.now(), INTERVAL);
    let mut order = [0; 8];
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let datagram = report.sent.to_be_bytes();
                // What the kernel does not take is lost like any other: it counts as sent.
                let _ = socket.try_send(&datagram);
                report.sent += 1;
            }
            readable = socket.readable() => {
                readable?;
                hear_all(&socket, &mut report.arrivals)?;
            }
            ordered = orders.recv(&mut order) => {
                ordered?;
                break;
            }
            () = &mut life => break,
        }
    }
    Ok(serde_json::to_string(&report)?)
}

/// A socket whose datagrams have the kernel's time of receipt. It hears the other end alone: what
/// anybody else sends, the kernel does not hand to it.
fn hearing(own: SocketAddr, other: SocketAddr) -> io::Result<UdpSocket> {
    let socket = StdUdpSocket::bind(own)?;
    socket.connect(other)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    UdpSocket::from_std(socket)
}

/// Until nothing waits any more.
fn hear_all(socket: &UdpSocket, arrivals: &mut Vec<Arrival>) -> io::Result<()> {
    loop {
        match socket.try_io(Interest::READABLE, || heard(socket)) {
            Ok(arrival) => arrivals.push(arrival),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // What the way said of an earlier one that was sent: the other end may not be there yet.
            Err(error) if is_of_the_way(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_of_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

fn heard(socket: &UdpSocket) -> io::Result<Arrival> {
    let mut datagram = [0; 8];
    let at = {
        let mut space = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut datagram)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        message.cmsgs()?.find_map(|item| match item {
            ControlMessageOwned::ScmTimestampns(at) => Some(at),
            _ => None,
        })
    };
    let at = at.ok_or_else(|| io::Error::other("the kernel says no time of receipt"))?;
    let at_us = at.tv_sec() * 1_000_000 + at.tv_nsec() / 1_000;
    Ok(Arrival { sequence: u64::from_be_bytes(datagram), at_us })
}

/// In the abstract namespace, which each network namespace has of its own: there is no file to
/// leave behind.
fn address(name: &str) -> io::Result<UnixAddr> {
    UnixAddr::from_abstract_name(format!("outage-probe/{name}"))
}

async fn ready(name: &str) -> io::Result<()> {
    let clock = Clock::System;
    let address = address(name)?;
    let socket = StdUnixDatagram::unbound()?;
    let there = async {
        while let Err(error) = socket.connect_addr(&address) {
            if error.kind() != io::ErrorKind::ConnectionRefused {
                return Err(error);
            }
            // Another program's start: there is nothing to wait on.
            clock.sleep(LOOK_AGAIN_AFTER).await;
        }
        Ok(())
    };
    clock.timeout(READY_WITHIN, there).await.unwrap_or_else(|_| {
        Err(io::Error::other(format!("no probe {name} after {READY_WITHIN:?}")))
    })
}

fn stop(name: &str) -> io::Result<()> {
    let socket = StdUnixDatagram::unbound()?;
    socket.connect_addr(&address(name)?)?;
    socket.send(b"stop").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stranger's datagram, with a right number, is not the other end's.
    #[test]
    fn only_the_expected_sender_is_heard() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let bound = |address: &str| StdUdpSocket::bind((address, 0)).expect("a socket");
            let at = |socket: &StdUdpSocket| socket.local_addr().expect("an address");
            let (expected, stranger) = (bound("127.0.0.2"), bound("127.0.0.3"));
            let own = at(&bound("127.0.0.1"));
            let socket = hearing(own, at(&expected)).expect("a socket");
            for (sender, number) in [(&stranger, 1_u64), (&expected, 2), (&stranger, 3)] {
                sender.send_to(&number.to_be_bytes(), own).expect("it is sent");
            }
            socket.readable().await.expect("something to read");
            let mut arrivals = Vec::new();
            hear_all(&socket, &mut arrivals).expect("datagrams");
            assert_eq!(arrivals.iter().map(|it| it.sequence).collect::<Vec<_>>(), [2]);
        });
    }
}
