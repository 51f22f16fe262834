//! `outage-probe exchange`, in process and in virtual time: what the program sends, as packets of
//! the model. It measures no outage here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Io, Session};
use crate::packets::{self, Delivery, Fragment, Packet, Payload};
use lab::outage::{ExchangeOrder, Exchanged, OpenedConnection};

/// Where it lies on the clients.
pub const PROBE: &str = "/usr/local/sbin/outage-probe";

/// For all connections together.
const PATIENCE: TimeDelta = TimeDelta::seconds(3);
const AGAIN_AFTER: Duration = Duration::from_millis(10);
const SMALL_BYTES: u32 = 64;

pub async fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let ["exchange", words @ ..] = args else {
        return io.fail(1, "outage-probe: this node measures no outage");
    };
    let Some(order) = ExchangeOrder::read(words) else {
        return io.fail(
            1,
            "outage-probe: usage: outage-probe exchange FROM TO NONCE WAY BYTES PORTS CONNECTIONS",
        );
    };
    if let Some(port) = order.connections.iter().find(|port| **port < 1024)
        && !session.is_root()
    {
        return io.fail(1, &format!("outage-probe: port {port}: Permission denied (os error 13)"));
    }
    session.change(|machine| machine.listening.extend(&order.connections));
    let mut report = Exchanged::default();
    let until = session.clock.now() + PATIENCE;
    for &port in &order.connections {
        match connect(session, &order, port, until).await {
            Ok(connection) => report.connections.push(connection),
            Err(why) => report.failed.push(format!("a connection to port {port}: {why}")),
        }
    }
    for &port in &order.ports {
        for (full, bytes) in [(false, SMALL_BYTES), (true, u32::from(order.bytes))] {
            let mark = u64::from_be_bytes(order.token(full, port));
            let payload = Payload::Datagram { source_port: 7312, destination_port: port };
            send(session, &order, bytes, payload, mark);
        }
    }
    io.out(&serde_json::to_string(&report).unwrap_or_default());
    0
}

fn send(
    session: &Session,
    order: &ExchangeOrder,
    bytes: u32,
    payload: Payload,
    mark: u64,
) -> Delivery {
    let packet = Packet {
        from: session.node,
        source: Some(order.from),
        destination: order.to,
        ttl: 64,
        bytes,
        fragment: Fragment::Never,
        payload,
    };
    packets::send_marked(&mut session.shared.lock(), session.clock.now(), packet, mark)
}

/// The other end may not listen yet, and a packet may be lost.
async fn connect(
    session: &Session,
    order: &ExchangeOrder,
    port: u16,
    until: DateTime<Utc>,
) -> Result<OpenedConnection, String> {
    let local_port = session.change(|machine| {
        machine.ports_used = machine.ports_used.wrapping_add(1);
        32_768 + machine.ports_used % 28_000
    });
    loop {
        let payload = Payload::Syn { source_port: local_port, destination_port: port };
        match send(session, order, 60, payload, 0) {
            Delivery::Answered(answer) => {
                session.clock.sleep(answer.round_trip).await;
                return Ok(OpenedConnection { local_port, port });
            }
            other if session.clock.now() >= until => return Err(format!("{other:?}")),
            _ => {}
        }
        session.clock.sleep(AGAIN_AFTER).await;
    }
}
