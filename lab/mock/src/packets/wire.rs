//! A packet between two hops.

use std::net::Ipv4Addr;

use super::Fragment;
use crate::cloud::Crossing;
use crate::machines::{Mark, Transport, Tuple};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wire {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    pub bytes: u32,
    pub fragment: Fragment,
    pub mark: Mark,
    pub body: WireBody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireBody {
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
    Datagram {
        source_port: u16,
        destination_port: u16,
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

impl Wire {
    /// Its flow, in its own direction; an error's is that of what it is about.
    pub fn tuple(&self) -> Tuple {
        let (transport, source_port, destination_port) = match self.body {
            WireBody::Echo { id, .. } | WireBody::EchoReply { id, .. } => (Transport::Icmp, id, id),
            WireBody::Tcp { source_port, destination_port, .. } => {
                (Transport::Tcp, source_port, destination_port)
            }
            WireBody::Datagram { source_port, destination_port } => {
                (Transport::Udp, source_port, destination_port)
            }
            WireBody::Error { about, .. } => return about,
        };
        let (source, destination) = (self.source, self.destination);
        Tuple { transport, source, source_port, destination, destination_port }
    }

    pub fn transport(&self) -> Transport {
        match self.body {
            WireBody::Tcp { .. } => Transport::Tcp,
            WireBody::Datagram { .. } => Transport::Udp,
            WireBody::Echo { .. } | WireBody::EchoReply { .. } | WireBody::Error { .. } => {
                Transport::Icmp
            }
        }
    }

    pub fn tcp_destination_port(&self) -> Option<u16> {
        match self.body {
            WireBody::Tcp { destination_port, .. } => Some(destination_port),
            _ => None,
        }
    }

    /// The packet as a network ACL sees it, which looks at nothing but this packet.
    pub fn crossing(&self, peer: Ipv4Addr) -> Crossing {
        let port = match self.body {
            WireBody::Datagram { destination_port, .. } => Some(destination_port),
            _ => self.tcp_destination_port(),
        };
        let icmp = match self.body {
            WireBody::Tcp { .. } | WireBody::Datagram { .. } => None,
            WireBody::Echo { .. } => Some((8, 0)),
            WireBody::EchoReply { .. } => Some((0, 0)),
            WireBody::Error { error, .. } => Some(match error {
                IcmpError::TimeExceeded => (11, 0),
                IcmpError::NetworkUnreachable => (3, 0),
                IcmpError::HostUnreachable => (3, 1),
                IcmpError::FragmentationNeeded { .. } => (3, 4),
            }),
        };
        let protocol = match self.transport() {
            Transport::Icmp => 1,
            Transport::Tcp => 6,
            Transport::Udp => 17,
        };
        Crossing { protocol, peer, destination_port: port, icmp }
    }

    /// The answer of a host; none to an answer.
    pub fn reply(&self, listens: impl Fn(u16) -> bool) -> Option<Self> {
        let body = match self.body {
            WireBody::Echo { id, sequence } => WireBody::EchoReply { id, sequence },
            WireBody::Tcp { source_port, destination_port, segment } => {
                let segment = match segment {
                    Segment::Syn if listens(destination_port) => Segment::SynAck,
                    Segment::Syn => Segment::Reset,
                    Segment::Data => Segment::Ack,
                    Segment::SynAck | Segment::Reset | Segment::Ack => return None,
                };
                WireBody::Tcp {
                    source_port: destination_port,
                    destination_port: source_port,
                    segment,
                }
            }
            WireBody::EchoReply { .. } | WireBody::Datagram { .. } | WireBody::Error { .. } => {
                return None;
            }
        };
        let bytes = if matches!(body, WireBody::EchoReply { .. }) { self.bytes } else { 60 };
        Some(Self {
            source: self.destination,
            destination: self.source,
            ttl: 64,
            bytes,
            mark: self.mark.answer(self.transport()),
            body,
            ..*self
        })
    }

    /// Whether it belongs to a flow that another packet opened. An error about such a one does not:
    /// AWS's security groups do not track it.
    pub fn answers_something(&self) -> bool {
        match self.body {
            WireBody::EchoReply { .. } => true,
            WireBody::Tcp { segment, .. } => segment != Segment::Syn,
            WireBody::Echo { .. } | WireBody::Datagram { .. } | WireBody::Error { .. } => false,
        }
    }

    pub fn is_reset(&self) -> bool {
        matches!(self.body, WireBody::Tcp { segment: Segment::Reset, .. })
    }

    /// Whether the sender of `sent` takes this for its answer: ping by the id alone, TCP by all
    /// four fields.
    pub fn answers(&self, sent: Tuple) -> bool {
        match self.body {
            WireBody::EchoReply { id, .. } => id == sent.source_port,
            WireBody::Tcp { .. } => self.tuple() == sent.inverse(),
            WireBody::Echo { .. } | WireBody::Datagram { .. } | WireBody::Error { .. } => false,
        }
    }

    /// The name that a capture gives it, and its two numbers.
    pub fn seen(&self) -> (&'static str, (u16, u16)) {
        match self.body {
            WireBody::Echo { id, sequence } => ("echo request", (id, sequence)),
            WireBody::EchoReply { id, sequence } => ("echo reply", (id, sequence)),
            WireBody::Tcp { source_port, destination_port, segment } => {
                let flags = match segment {
                    Segment::Syn => "S",
                    Segment::SynAck => "S.",
                    Segment::Reset => "R.",
                    Segment::Data => "P.",
                    Segment::Ack => ".",
                };
                (flags, (source_port, destination_port))
            }
            WireBody::Datagram { source_port, destination_port } => {
                ("UDP", (source_port, destination_port))
            }
            WireBody::Error { error, about } => {
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

impl Mark {
    /// The mark of the answer: a payload comes back, and a connection's other end has numbers of
    /// its own.
    fn answer(self, transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self {
                sequence: self.sequence.rotate_left(7) ^ 0x5eed,
                acknowledges: self.sequence.wrapping_add(1),
                ..self
            },
            Transport::Icmp | Transport::Udp => self,
        }
    }

    /// The mark of the same connection beyond a proxy, which has its own with either end: what it
    /// makes of one end's numbers it makes of their acknowledgements too.
    #[must_use]
    pub fn reopened(self) -> Self {
        let other = |number: u32| number ^ 0x00ab_cdef;
        Self {
            sequence: other(self.sequence),
            acknowledges: other(self.acknowledges.wrapping_sub(1)).wrapping_add(1),
            scale: 9,
            ..self
        }
    }
}
