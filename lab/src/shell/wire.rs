//! Packets as `tcpdump -t -n -x -i any` prints them: the interface and the direction in words, the
//! packet from its IPv4 header on in hexadecimal.

use std::net::Ipv4Addr;

use super::Observe;
use super::observe::{CAPTURE, words};

/// A packet where it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedPacket {
    pub device: String,
    pub direction: Direction,
    pub packet: Packet,
}

/// The way of a packet through a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// An IPv4 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    pub may_be_cut: bool,
    /// The length of the whole packet, by its header.
    pub bytes: u16,
    pub body: PacketBody,
}

/// The part of a packet behind its IPv4 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketBody {
    Echo { reply: bool, id: u16, sequence: u16, payload: Vec<u8> },
    Datagram { source_port: u16, destination_port: u16, payload: Vec<u8> },
    Opening(Opening),
}

/// SYN, or SYN and ACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub source_port: u16,
    pub destination_port: u16,
    pub sequence: u32,
    /// The number that a SYN-ACK acknowledges.
    pub acknowledges: Option<u32>,
    pub window: u16,
    /// The largest segment that is announced.
    pub mss: Option<u16>,
    /// The other options as they lie in the header.
    pub options: Vec<u8>,
}

impl Observe<Vec<CapturedPacket>> {
    /// Every packet whose payload begins with the nonce, and the first packets of connections to
    /// these ports, on all interfaces.
    pub fn capture(nonce: u32, ports: &[u16]) -> Self {
        // Each packet is told as it passes: else the kernel keeps a block of them for up to a second.
        // Its buffer has a place for each as long as the longest that is kept: by default for eight.
        let opening = ports.iter().map(|port| format!("( tcp[13] & 2 != 0 and port {port} )"));
        let marked = ["icmp[24:4]", "udp[8:4]"].map(|at| format!("( {at} = {nonce:#010x} )"));
        let filter = marked.into_iter().chain(opening).collect::<Vec<_>>().join(" or ");
        let mut argv = words(&["sudo", "-n", "timeout", "60", "tcpdump", "--immediate-mode"]);
        argv.extend(words(&["-s", "2048", "-B", "4096", "-t", "-n", "-l", "-x", "-i", "any"]));
        argv.push(filter);
        Observe::new(argv, CAPTURE).read_as(|output| read(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// All packets in tcpdump's words that are one of the three kinds and whole enough to be read.
fn read(text: &str) -> Vec<CapturedPacket> {
    let mut all = Vec::new();
    let mut head: Option<(String, Direction)> = None;
    let mut bytes = Vec::new();
    for line in text.lines().chain([""]) {
        if let Some(hexadecimal) = line.trim_start().strip_prefix("0x") {
            let words = hexadecimal.split_once(':').map_or("", |(_, words)| words);
            words.split_whitespace().for_each(|word| add_word(word, &mut bytes));
            continue;
        }
        if let Some((device, direction)) = head.take()
            && let Some(packet) = packet(&bytes)
        {
            all.push(CapturedPacket { device, direction, packet });
        }
        bytes.clear();
        head = heading(line);
    }
    all
}

/// Two bytes, or the last one.
fn add_word(word: &str, bytes: &mut Vec<u8>) {
    let mut two = [0; 2];
    if let Some(read) = two.get_mut(..word.len() / 2)
        && hex::decode_to_slice(word, read).is_ok()
    {
        bytes.extend_from_slice(read);
    }
}

/// `ens5  In  IP 10.88.60.7 > 10.88.60.9: …`
fn heading(line: &str) -> Option<(String, Direction)> {
    let mut words = line.split_whitespace();
    let device = words.next()?.to_owned();
    let direction = match words.next()? {
        "Out" => Direction::Out,
        "In" | "B" | "M" | "P" => Direction::In,
        _ => return None,
    };
    (words.next()? == "IP").then_some((device, direction))
}

fn packet(bytes: &[u8]) -> Option<Packet> {
    let first = *bytes.first()?;
    if first >> 4 != 4 {
        return None;
    }
    let header = usize::from(first & 0xf) * 4;
    let total = word(bytes, 2)?;
    // What the link added behind the packet is none of it.
    let rest = bytes.get(header..usize::from(total).min(bytes.len()))?;
    let body = match bytes.get(9)? {
        1 => echo(rest),
        6 => opening(rest),
        17 => datagram(rest),
        _ => None,
    }?;
    Some(Packet {
        source: address(bytes, 12)?,
        destination: address(bytes, 16)?,
        ttl: *bytes.get(8)?,
        may_be_cut: bytes.get(6)? & 0x40 == 0,
        bytes: total,
        body,
    })
}

fn echo(bytes: &[u8]) -> Option<PacketBody> {
    let reply = match bytes.first()? {
        0 => true,
        8 => false,
        _ => return None,
    };
    let payload = bytes.get(8..)?.to_vec();
    Some(PacketBody::Echo { reply, id: word(bytes, 4)?, sequence: word(bytes, 6)?, payload })
}

fn datagram(bytes: &[u8]) -> Option<PacketBody> {
    let payload = bytes.get(8..)?.to_vec();
    let (source_port, destination_port) = (word(bytes, 0)?, word(bytes, 2)?);
    Some(PacketBody::Datagram { source_port, destination_port, payload })
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn opening(bytes: &[u8]) -> Option<PacketBody> {
    let flags = *bytes.get(13)?;
    if flags & SYN == 0 {
        return None;
    }
    let end = usize::from(bytes.get(12)? >> 4) * 4;
    let (mss, options) = options(bytes.get(20..end)?);
    Some(PacketBody::Opening(Opening {
        source_port: word(bytes, 0)?,
        destination_port: word(bytes, 2)?,
        sequence: double_word(bytes, 4)?,
        acknowledges: if flags & ACK == 0 { None } else { Some(double_word(bytes, 8)?) },
        window: word(bytes, 14)?,
        mss,
        options,
    }))
}

/// The MSS apart from all other options.
fn options(bytes: &[u8]) -> (Option<u16>, Vec<u8>) {
    let (mut mss, mut others, mut rest) = (None, Vec::new(), bytes);
    while let [kind, tail @ ..] = rest {
        let length = match kind {
            0 | 1 => 1,
            _ => usize::from(tail.first().copied().unwrap_or(0)).clamp(1, rest.len()),
        };
        if let [2, 4, high, low, ..] = rest {
            mss = Some(u16::from_be_bytes([*high, *low]));
        } else if let [8, 10, ..] = rest {
            // A segment that is sent again has another time: that it has one is what counts.
            others.extend([8, 10]);
        } else {
            others.extend(&rest[..length]);
        }
        rest = &rest[length..];
    }
    (mss, others)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn double_word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    double_word(bytes, at).map(Ipv4Addr::from)
}

impl Packet {
    /// The bytes that whoever sent it put into it; none in what opens a connection.
    pub fn payload(&self) -> &[u8] {
        match &self.body {
            PacketBody::Echo { payload, .. } | PacketBody::Datagram { payload, .. } => payload,
            PacketBody::Opening(_) => &[],
        }
    }
}

impl std::fmt::Display for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, destination, bytes, .. } = self;
        match &self.body {
            PacketBody::Echo { reply, id, sequence, .. } => {
                let what = if *reply { "reply" } else { "request" };
                write!(
                    f,
                    "echo {what} {source} > {destination} id {id} seq {sequence}, {bytes} bytes"
                )
            }
            PacketBody::Datagram { source_port, destination_port, .. } => {
                write!(
                    f,
                    "UDP {source}:{source_port} > {destination}:{destination_port}, {bytes} bytes"
                )
            }
            PacketBody::Opening(it) => {
                let what = if it.acknowledges.is_some() { "SYN-ACK" } else { "SYN" };
                let (from, to) = (it.source_port, it.destination_port);
                write!(f, "{what} {source}:{from} > {destination}:{to} seq {}", it.sequence)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as tcpdump 4.99.3 printed them.
    const TEXT: &str = "\
ens5  Out IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 5, seq 1, length 12
\t0x0000:  4500 0020 abcd 4000 4001 0000 0a58 3c07
\t0x0010:  0a58 3c09 0800 0000 0005 0001 dead beef
ens5  In  IP 10.88.60.9.22 > 10.88.60.7.40000: Flags [S.], seq 7, ack 9, win 65160, options [mss 1380,sackOK,nop,wscale 7], length 0
\t0x0000:  4500 0034 0000 4000 3e06 0000 0a58 3c09
\t0x0010:  0a58 3c07 0016 9c40 0000 0007 0000 0009
\t0x0020:  8012 fe88 0000 0000 0204 0564 0402 0103
\t0x0030:  0307 0000
lo    In  IP 10.88.60.7.5353 > 10.88.60.9.443: UDP, length 2
\t0x0000:  4500 001e 0000 0000 4011 0000 0a58 3c07
\t0x0010:  0a58 3c09 14e9 01bb 000a 0000 0102 0000
ens5  In  ARP, Request who-has 10.88.60.9 tell 10.88.60.7, length 28
\t0x0000:  0001 0800
lan1  In  IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 5, seq 1, length 12
\t0x0000:  4500
";

    #[test]
    fn packets_are_read_with_their_place_and_what_is_cut_off_is_none() {
        let all = read(TEXT);
        let places: Vec<_> = all.iter().map(|it| (it.device.as_str(), it.direction)).collect();
        assert_eq!(
            places,
            [("ens5", Direction::Out), ("ens5", Direction::In), ("lo", Direction::In)]
        );
        let shown: Vec<_> = all.iter().map(|it| it.packet.to_string()).collect();
        assert_eq!(
            shown,
            [
                "echo request 10.88.60.7 > 10.88.60.9 id 5 seq 1, 32 bytes",
                "SYN-ACK 10.88.60.9:22 > 10.88.60.7:40000 seq 7",
                "UDP 10.88.60.7:5353 > 10.88.60.9:443, 30 bytes",
            ]
        );
        assert_eq!(all[0].packet.payload(), [0xde, 0xad, 0xbe, 0xef]);
        assert_eq!((all[0].packet.ttl, all[0].packet.may_be_cut), (64, false));
        assert_eq!((all[2].packet.payload(), all[2].packet.may_be_cut), (&[1, 2][..], true));
        let PacketBody::Opening(opening) = &all[1].packet.body else { panic!("{:?}", all[1]) };
        assert_eq!(
            (opening.mss, opening.acknowledges, opening.window),
            (Some(1380), Some(9), 65160)
        );
        assert_eq!(opening.options, [4, 2, 1, 3, 3, 7, 0, 0]);
    }

    #[test]
    fn what_opens_a_connection_has_a_syn_and_an_echo_is_asked_or_answered() {
        let opened = |flags: u8| {
            let mut segment = [0; 24];
            (segment[12], segment[13]) = (6 << 4, flags);
            match opening(&segment) {
                Some(PacketBody::Opening(it)) => Some(it.acknowledges.is_some()),
                _ => None,
            }
        };
        let table = [(SYN, Some(false)), (SYN | ACK, Some(true)), (ACK, None), (0, None)];
        for (flags, expected) in table {
            assert_eq!(opened(flags), expected, "{flags:#x}");
        }
        let echoed = |kind: u8| match echo(&[kind, 0, 0, 0, 0, 5, 0, 1]) {
            Some(PacketBody::Echo { reply, .. }) => Some(reply),
            _ => None,
        };
        assert_eq!([0, 8, 3].map(echoed), [Some(true), Some(false), None]);
        assert_eq!(options(&[1, 2, 4, 5, 100]), (Some(1380), vec![1]));
    }
}
