//! A packet between two hops.

use std::net::Ipv4Addr;

use super::Fragment;
use crate::mock::cloud::Crossing;
use crate::mock::machines::{Transport, Tuple};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wire {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    pub bytes: u32,
    pub fragment: Fragment,
    pub body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Echo {
        id: u16,
        sequence: u16,
    },
    EchoReply {
        id: u16,
        sequence: u16,
    },
    Tcp {
        source_port: u16,
        destination_port: u16,
        segment: Segment,
    },
    /// About a packet of this flow, as the router saw it.
    Error {
        error: IcmpError,
        about: Tuple,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Syn,
    SynAck,
    Reset,
    Data,
    Ack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    TimeExceeded,
    HostUnreachable,
    NetworkUnreachable,
    FragmentationNeeded { mtu: u32 },
}

const SSH_PORT: u16 = 22;

impl Wire {
    /// Its flow, in its own direction; an error's is that of what it is about.
    pub fn tuple(&self) -> Tuple {
        let (transport, source_port, destination_port) = match self.body {
            Body::Echo { id, .. } | Body::EchoReply { id, .. } => (Transport::Icmp, id, id),
            Body::Tcp { source_port, destination_port, .. } => {
                (Transport::Tcp, source_port, destination_port)
            }
            Body::Error { about, .. } => return about,
        };
        let (source, destination) = (self.source, self.destination);
        Tuple { transport, source, source_port, destination, destination_port }
    }

    pub fn transport(&self) -> Transport {
        match self.body {
            Body::Tcp { .. } => Transport::Tcp,
            Body::Echo { .. } | Body::EchoReply { .. } | Body::Error { .. } => Transport::Icmp,
        }
    }

    /// As a network ACL sees it, which looks at nothing but this packet.
    pub fn crossing(&self, peer: Ipv4Addr) -> Crossing {
        let port = match self.body {
            Body::Tcp { destination_port, .. } => Some(destination_port),
            _ => None,
        };
        let icmp = match self.body {
            Body::Tcp { .. } => None,
            Body::Echo { .. } => Some((8, 0)),
            Body::EchoReply { .. } => Some((0, 0)),
            Body::Error { error, .. } => Some(match error {
                IcmpError::TimeExceeded => (11, 0),
                IcmpError::NetworkUnreachable => (3, 0),
                IcmpError::HostUnreachable => (3, 1),
                IcmpError::FragmentationNeeded { .. } => (3, 4),
            }),
        };
        let protocol = if icmp.is_some() { 1 } else { 6 };
        Crossing { protocol, peer, destination_port: port, icmp }
    }

    /// What a host answers; nothing to an answer.
    pub fn reply(&self, sshd_runs: bool) -> Option<Self> {
        let body = match self.body {
            Body::Echo { id, sequence } => Body::EchoReply { id, sequence },
            Body::Tcp { source_port, destination_port, segment } => {
                let segment = match segment {
                    Segment::Syn if sshd_runs && destination_port == SSH_PORT => Segment::SynAck,
                    Segment::Syn => Segment::Reset,
                    Segment::Data => Segment::Ack,
                    Segment::SynAck | Segment::Reset | Segment::Ack => return None,
                };
                Body::Tcp { source_port: destination_port, destination_port: source_port, segment }
            }
            Body::EchoReply { .. } | Body::Error { .. } => return None,
        };
        let bytes = if matches!(body, Body::EchoReply { .. }) { self.bytes } else { 60 };
        Some(Self {
            source: self.destination,
            destination: self.source,
            ttl: 64,
            bytes,
            body,
            ..*self
        })
    }

    /// Whether it opens a flow.
    pub fn opens(&self) -> bool {
        matches!(self.body, Body::Echo { .. } | Body::Tcp { segment: Segment::Syn, .. })
    }

    pub fn is_reset(&self) -> bool {
        matches!(self.body, Body::Tcp { segment: Segment::Reset, .. })
    }

    /// Whether the sender of `sent` takes this for its answer: ping by the id alone, TCP by all
    /// four fields.
    pub fn answers(&self, sent: Tuple) -> bool {
        match self.body {
            Body::EchoReply { id, .. } => id == sent.source_port,
            Body::Tcp { .. } => self.tuple() == sent.inverse(),
            Body::Echo { .. } | Body::Error { .. } => false,
        }
    }

    /// As a capture names it, with its two numbers.
    pub fn seen(&self) -> (&'static str, (u16, u16)) {
        match self.body {
            Body::Echo { id, sequence } => ("echo request", (id, sequence)),
            Body::EchoReply { id, sequence } => ("echo reply", (id, sequence)),
            Body::Tcp { source_port, destination_port, segment } => {
                let flags = match segment {
                    Segment::Syn => "S",
                    Segment::SynAck => "S.",
                    Segment::Reset => "R.",
                    Segment::Data => "P.",
                    Segment::Ack => ".",
                };
                (flags, (source_port, destination_port))
            }
            Body::Error { error, about } => {
                let kind = match error {
                    IcmpError::TimeExceeded => "time exceeded in-transit",
                    IcmpError::HostUnreachable => "host unreachable",
                    IcmpError::NetworkUnreachable => "net unreachable",
                    IcmpError::FragmentationNeeded { .. } => "unreachable - need to frag",
                };
                (kind, (about.source_port, about.destination_port))
            }
        }
    }
}
