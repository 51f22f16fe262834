//! Everything that can be observed on a node while things happen: its open connections and the
//! packets that passed. Nothing of it outlives the process.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use chrono::{DateTime, Utc};

use super::Transport;

/// An open TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    pub local: SocketAddrV4,
    pub peer: SocketAddrV4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// A packet as a capture on one interface sees it: before translation on the way in, after it on
/// the way out.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenPacket {
    pub at: DateTime<Utc>,
    pub dev: String,
    pub direction: Direction,
    pub transport: Transport,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    /// Ports, or the echo's id and sequence.
    pub ports: (u16, u16),
    pub kind: &'static str,
    pub bytes: u32,
    pub ttl: u8,
    pub may_be_cut: bool,
    pub mark: Mark,
}

/// The numbers that tell a packet from every other: in its payload, or between the two stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The number that a program put at the payload's beginning.
    pub nonce: u64,
    /// The sequence number of TCP; in an echo, what ping writes before the payload: when it was sent.
    pub sequence: u32,
    /// The sequence number that a SYN-ACK acknowledges.
    pub acknowledges: u32,
    /// The window scale that is offered.
    pub scale: u8,
}

/// The latest packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatestPackets {
    packets: VecDeque<SeenPacket>,
    /// How many there ever were.
    count: u64,
}

const CAPACITY: usize = 512;

impl LatestPackets {
    pub fn push(&mut self, packet: SeenPacket) {
        if self.packets.len() == CAPACITY {
            self.packets.pop_front();
        }
        self.packets.push_back(packet);
        self.count += 1;
    }

    /// A mark for [`Self::since`].
    pub fn mark(&self) -> u64 {
        self.count
    }

    /// The packets that came after the mark, the oldest first; the capacity bounds it.
    pub fn since(&self, mark: u64) -> impl Iterator<Item = &SeenPacket> {
        let new = usize::try_from(self.count.saturating_sub(mark)).unwrap_or(usize::MAX);
        self.packets.iter().skip(self.packets.len().saturating_sub(new))
    }

    pub fn clear(&mut self) {
        self.packets.clear();
    }
}
