//! The order to `outage-probe exchange`, and its answer.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::node::Output;

/// The order to exchange datagrams and connections between two addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeOrder {
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    /// Stands at the beginning of each payload.
    pub nonce: u32,
    /// 0 from the cloud, 1 to it.
    pub way: u8,
    /// The size of a full-sized packet, with its headers.
    pub bytes: u16,
    /// To which datagrams are sent.
    pub ports: Vec<u16>,
    /// To which connections are opened.
    pub connections: Vec<u16>,
}

impl ExchangeOrder {
    /// `FROM TO NONCE WAY BYTES PORTS CONNECTIONS`, the last two joined by commas.
    pub fn words(&self) -> Vec<String> {
        let list = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        vec![
            self.from.to_string(),
            self.to.to_string(),
            format!("{:08x}", self.nonce),
            self.way.to_string(),
            self.bytes.to_string(),
            list(&self.ports),
            list(&self.connections),
        ]
    }

    /// Reads what [`words`](Self::words) writes; none for any other words.
    pub fn read(words: &[&str]) -> Option<Self> {
        let list = |text: &str| -> Option<Vec<u16>> {
            text.split(',').filter(|it| !it.is_empty()).map(|it| it.parse().ok()).collect()
        };
        let [from, to, nonce, way, bytes, ports, connections] = words else { return None };
        Some(Self {
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            nonce: u32::from_str_radix(nonce, 16).ok()?,
            way: way.parse().ok()?,
            bytes: bytes.parse().ok()?,
            ports: list(ports)?,
            connections: list(connections)?,
        })
    }

    /// The beginning of a payload: nonce, way, whether it is full-sized, port.
    pub fn token(&self, full: bool, port: u16) -> [u8; 8] {
        let ([a, b, c, d], [high, low]) = (self.nonce.to_be_bytes(), port.to_be_bytes());
        [a, b, c, d, self.way, u8::from(full), high, low]
    }
}

/// The outcome of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanged {
    pub connections: Vec<OpenedConnection>,
    /// The exchanges that did not come about, in words.
    pub failed: Vec<String>,
}

/// Why there is no report of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeSilence {
    #[error("outage-probe ended with exit code {code}: {said}")]
    Ended { code: i32, said: String },
    #[error("outage-probe's report cannot be read: {0}")]
    NoReport(String),
}

impl Exchanged {
    /// # Errors
    /// Where the program did not come to its end with a report.
    pub fn read(output: &Output) -> Result<Self, ProbeSilence> {
        if output.code != 0 {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(ProbeSilence::Ended { code: output.code, said });
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| ProbeSilence::NoReport(error.to_string()))
    }
}

/// A connection that this end opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedConnection {
    pub local_port: u16,
    pub port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(from: u8, to: u8, connections: Vec<u16>) -> ExchangeOrder {
        let local = |end| Ipv4Addr::new(127, 0, 0, end);
        ExchangeOrder {
            from: local(from),
            to: local(to),
            nonce: 0x00c0_ffee,
            way: 0,
            bytes: 200,
            ports: vec![22, 47_443],
            connections,
        }
    }

    #[test]
    fn an_order_is_read_as_it_is_written() {
        for connections in [vec![], vec![443, 47_443]] {
            let order = order(2, 3, connections);
            let words = order.words();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(ExchangeOrder::read(&words), Some(order));
        }
        for words in [&["127.0.0.1"][..], &["a", "b", "c", "d", "e", "f", "g"]] {
            assert_eq!(ExchangeOrder::read(words), None);
        }
    }
}
