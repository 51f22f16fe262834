//! Packets that are sent between the clients, and how each is known again.

use std::net::Ipv4Addr;

use lab::node::Node;

use lab::shell::wire::{Packet, PacketBody};

/// One of the two ways between the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub near: Node,
    pub far: Node,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
}

/// The packets that were to be sent, and how they have to arrive.
#[derive(Clone, Debug)]
pub struct PacketPlan {
    /// In the payload of each packet.
    pub nonce: u32,
    pub ways: [Way; 2],
    /// Ports to which datagrams were sent; none where no probe is there.
    pub ports: Vec<u16>,
    pub hops: u8,
    pub mtu_bytes: u16,
    /// Whether the facts name something that lowers the MSS.
    pub clamps_mss: bool,
}

/// The content of a payload of the probe: the nonce, the way, whether it is full-sized, the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    pub way: u8,
    pub full: bool,
    /// 0 for ICMP.
    pub port: u16,
}

impl Token {
    pub fn bytes(self, nonce: u32) -> [u8; 8] {
        let ([a, b, c, d], [high, low]) = (nonce.to_be_bytes(), self.port.to_be_bytes());
        [a, b, c, d, self.way, u8::from(self.full), high, low]
    }

    fn read(nonce: u32, packet: &Packet) -> Option<Self> {
        // ping writes its time first.
        let at = if matches!(packet.body, PacketBody::Echo { .. }) { 16 } else { 0 };
        let bytes: [u8; 8] = packet.payload().get(at..at + 8)?.try_into().ok()?;
        let [a, b, c, d, way, full, high, low] = bytes;
        let full = match full {
            0 => false,
            1 => true,
            _ => return None,
        };
        let known = [a, b, c, d] == nonce.to_be_bytes() && way < 2;
        known.then(|| Self { way, full, port: u16::from_be_bytes([high, low]) })
    }
}

/// Each kind of packet with a payload that has to arrive at least once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketKind {
    pub token: Token,
    pub reply: bool,
}

impl std::fmt::Display for PacketKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = if self.token.full { "full-sized" } else { "small" };
        match (self.token.port, self.reply) {
            (0, false) => write!(f, "a {size} echo request"),
            (0, true) => write!(f, "a {size} echo reply"),
            (port, _) => write!(f, "a {size} datagram to port {port}"),
        }
    }
}

pub fn find_kind(plan: &PacketPlan, packet: &Packet) -> Option<PacketKind> {
    let reply = matches!(packet.body, PacketBody::Echo { reply: true, .. });
    Token::read(plan.nonce, packet).map(|token| PacketKind { token, reply })
}

pub fn list_kinds(plan: &PacketPlan, way: u8) -> Vec<PacketKind> {
    let ports = [0, 0].into_iter().zip([false, true]);
    let ports = ports.chain(plan.ports.iter().map(|port| (*port, false)));
    let both = |(port, reply)| {
        [false, true].map(|full| PacketKind { token: Token { way, full, port }, reply })
    };
    ports.flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(payload: &[u8]) -> Packet {
        let ends = [7, 9].map(|last| std::net::Ipv4Addr::new(10, 88, 60, last));
        Packet {
            source: ends[0],
            destination: ends[1],
            ttl: 64,
            may_be_cut: true,
            bytes: 100,
            body: PacketBody::Datagram {
                source_port: 1,
                destination_port: 443,
                payload: payload.to_vec(),
            },
        }
    }

    #[test]
    fn a_token_is_of_this_runs_nonce_and_one_of_its_two_ways() {
        for way in [0, 1, 2] {
            for full in [false, true] {
                let token = Token { way, full, port: 443 };
                let packet = datagram(&token.bytes(7));
                let read = Token::read(7, &packet);
                assert_eq!(read, (way < 2).then_some(token), "{token:?}");
                assert_eq!(Token::read(8, &packet), None);
            }
        }
    }

    #[test]
    fn a_kind_of_packet_is_said_in_words() {
        let kind = |full, port, reply| {
            PacketKind { token: Token { way: 0, full, port }, reply }.to_string()
        };
        assert_eq!(kind(true, 0, false), "a full-sized echo request");
        assert_eq!(kind(false, 0, true), "a small echo reply");
        assert_eq!(kind(false, 443, false), "a small datagram to port 443");
    }
}
