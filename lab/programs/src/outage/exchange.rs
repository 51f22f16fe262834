//! `outage-probe exchange`: datagrams and connections to the other client, for captures to compare
//! what was sent with what arrived. It says what it opened, and changes nothing.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use lab::clock::Clock;
use lab::outage::{ExchangeOrder, Exchanged, OpenedConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// How long the other end is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const AGAIN_AFTER: Duration = Duration::from_millis(10);
const HEADERS_BYTES: usize = 28;
const SMALL_BYTES: usize = 64;

pub(super) async fn run_exchange(order: &ExchangeOrder) -> io::Result<String> {
    let clock = Clock::System;
    let mut deaf = Vec::new();
    let mut listeners = Vec::new();
    for &port in &order.connections {
        // Where something listens already, that will do.
        match TcpListener::bind((order.from, port)).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(io::Error::other(format!("port {port}: {error}"))),
        }
    }
    for &port in &order.ports {
        // What arrives is taken, so that nobody is told that the port is closed.
        deaf.extend(UdpSocket::bind((order.from, port)).await);
    }
    let accepted = async {
        let all = listeners.iter().map(|listener| clock.timeout(PATIENCE, accept(listener)));
        futures::future::join_all(all).await;
    };
    let opened = async {
        let all = order.connections.iter().map(|port| connect(order, *port, clock));
        let opened = futures::future::join_all(all).await;
        (opened, datagrams(order).await)
    };
    let ((), (opened, sent)) = futures::join!(accepted, opened);
    let mut report = Exchanged::default();
    for (port, opened) in order.connections.iter().zip(opened) {
        match opened {
            Ok(local_port) => report.connections.push(OpenedConnection { local_port, port: *port }),
            Err(error) => report.failed.push(format!("a connection to port {port}: {error}")),
        }
    }
    report.failed.extend(sent.err().map(|error| format!("a datagram: {error}")));
    Ok(serde_json::to_string(&report)?)
}

/// One connection of the other end, whose words come back to it.
async fn accept(listener: &TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut words = [0; 8];
    stream.read_exact(&mut words).await?;
    stream.write_all(&words).await
}

/// The port of this end of a connection over which the words came back.
async fn connect(order: &ExchangeOrder, port: u16, clock: Clock) -> io::Result<u16> {
    let opening = async {
        loop {
            match open(order, port).await {
                // The other end does not listen yet: there is nothing to wait on.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    clock.sleep(AGAIN_AFTER).await;
                }
                opened => return opened,
            }
        }
    };
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let mut stream = clock.timeout(PATIENCE, opening).await.map_err(late)??;
    let words = order.token(false, port);
    let spoken = async {
        stream.write_all(&words).await?;
        let mut back = [0; 8];
        stream.read_exact(&mut back).await?;
        Ok::<_, io::Error>(back == words)
    };
    // Whoever listened before need not send anything back.
    let spoken = clock.timeout(PATIENCE, spoken).await;
    if matches!(spoken, Ok(Ok(false))) {
        return Err(io::Error::other("other words came back"));
    }
    Ok(stream.local_addr()?.port())
}

async fn open(order: &ExchangeOrder, port: u16) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(order.from, 0).into())?;
    socket.connect(SocketAddrV4::new(order.to, port).into()).await
}

/// A small and a full-sized one to each port; the kernel forbids to cut either.
async fn datagrams(order: &ExchangeOrder) -> io::Result<()> {
    let socket = UdpSocket::bind((order.from, 0)).await?;
    // What is sent a second time is another packet.
    let own = socket.local_addr()?.port().to_be_bytes();
    for &port in &order.ports {
        for (full, bytes) in [(false, SMALL_BYTES), (true, usize::from(order.bytes))] {
            let length = bytes.saturating_sub(HEADERS_BYTES);
            let token = order.token(full, port);
            let filling = token.into_iter().cycle();
            let payload: Vec<u8> =
                token.into_iter().chain(own).chain(filling).take(length).collect();
            socket.send_to(&payload, (order.to, port)).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(from: &str, to: &str) -> ExchangeOrder {
        let words = [from, to, "00c0ffee", "0", "200", "22,47443", "47443"];
        ExchangeOrder::read(&words).expect("an order")
    }

    /// Each end opens what it was asked for and is told its own ports.
    #[test]
    fn two_ends_exchange_connections_and_say_their_own_ports() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (near, far) = (order("127.0.0.2", "127.0.0.3"), order("127.0.0.3", "127.0.0.2"));
            let (a, b) = futures::join!(run_exchange(&near), run_exchange(&far));
            for said in [a, b] {
                let report: Exchanged =
                    serde_json::from_str(&said.expect("a report")).expect("JSON");
                assert_eq!(report.failed, Vec::<String>::new());
                assert_eq!(report.connections.len(), 1);
                assert_ne!(report.connections[0].local_port, 47_443);
            }
        });
    }
}
