//! Tracked connections: what `conntrack -L` lists and what translation remembers.

use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    Icmp,
    Tcp,
    Udp,
}

impl Transport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One direction of a flow. For ICMP both ports are the echo's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuple {
    pub transport: Transport,
    pub source: Ipv4Addr,
    pub source_port: u16,
    pub destination: Ipv4Addr,
    pub destination_port: u16,
}

impl Tuple {
    #[must_use]
    pub fn inverse(self) -> Self {
        Self {
            transport: self.transport,
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    pub original: Tuple,
    /// The flow of an answer: the original's inverse where nothing is translated.
    pub reply: Tuple,
    /// An answer was seen.
    pub replied: bool,
    pub expires_at: DateTime<Utc>,
}

impl Tracked {
    pub fn new(original: Tuple, now: DateTime<Utc>) -> Self {
        let mut entry =
            Self { original, reply: original.inverse(), replied: false, expires_at: now };
        entry.refresh(now);
        entry
    }

    /// Starts its timeout again, with the kernel's default figures.
    pub fn refresh(&mut self, now: DateTime<Utc>) {
        let seconds = match (self.original.transport, self.replied) {
            (Transport::Icmp | Transport::Udp, _) => 30,
            (Transport::Tcp, false) => 120,
            (Transport::Tcp, true) => 432_000,
        };
        self.expires_at = now + chrono::TimeDelta::seconds(seconds);
    }
}
