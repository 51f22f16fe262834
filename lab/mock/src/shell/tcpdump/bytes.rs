//! A packet of the model as bytes, from its IPv4 header on, and as tcpdump's `-x` prints them.
//! Checksums are left out, as they are where the hardware makes them.

use std::fmt::Write as _;

use crate::machines::{Mark, SeenPacket, Transport};

pub(super) fn dump(packet: &SeenPacket) -> String {
    let mut text = String::new();
    for (index, line) in bytes(packet).chunks(16).enumerate() {
        let _ = write!(text, "\t0x{:04x}: ", index * 16);
        for pair in line.chunks(2) {
            let _ = write!(text, " {}", hex::encode(pair));
        }
        text.push('\n');
    }
    text
}

fn bytes(packet: &SeenPacket) -> Vec<u8> {
    let length = usize::try_from(packet.bytes).unwrap_or(usize::MAX);
    let (protocol, body) = match packet.transport {
        Transport::Icmp => (1, echo(packet, length.saturating_sub(20))),
        Transport::Udp => (17, datagram(packet, length.saturating_sub(20))),
        Transport::Tcp => (6, segment(packet)),
    };
    let total = u16::try_from(body.len() + 20).unwrap_or(u16::MAX);
    let fragment: u16 = if packet.may_be_cut { 0 } else { 0x4000 };
    let mut all = vec![0x45, 0];
    all.extend(total.to_be_bytes());
    all.extend([0, 0]);
    all.extend(fragment.to_be_bytes());
    all.extend([packet.ttl, protocol, 0, 0]);
    all.extend(packet.source.octets());
    all.extend(packet.destination.octets());
    all.extend(body);
    all
}

/// ping's time, sixteen bytes, then the pattern.
fn echo(packet: &SeenPacket, length: usize) -> Vec<u8> {
    let (id, sequence) = packet.ports;
    let mut all = vec![if packet.kind == "echo request" { 8 } else { 0 }, 0, 0, 0];
    all.extend(id.to_be_bytes());
    all.extend(sequence.to_be_bytes());
    let time = packet.mark.sequence.to_be_bytes().into_iter().cycle().take(16);
    let pattern = packet.mark.nonce.to_be_bytes().into_iter().cycle();
    all.extend(time.chain(pattern).take(length.saturating_sub(8)));
    all
}

fn datagram(packet: &SeenPacket, length: usize) -> Vec<u8> {
    let (from, to) = packet.ports;
    let mut all = Vec::new();
    all.extend(from.to_be_bytes());
    all.extend(to.to_be_bytes());
    all.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    all.extend([0, 0]);
    let payload = packet.mark.nonce.to_be_bytes().into_iter().cycle();
    all.extend(payload.take(length.saturating_sub(8)));
    all
}

/// The header alone: no payload of TCP is modelled.
fn segment(packet: &SeenPacket) -> Vec<u8> {
    let (from, to) = packet.ports;
    let Mark { sequence, acknowledges, scale, .. } = packet.mark;
    let flags = match packet.kind {
        "S" => 0x02,
        "S." => 0x12,
        "R." => 0x14,
        "P." => 0x18,
        _ => 0x10,
    };
    let mut all = Vec::new();
    all.extend(from.to_be_bytes());
    all.extend(to.to_be_bytes());
    all.extend(sequence.to_be_bytes());
    all.extend(acknowledges.to_be_bytes());
    all.extend([0x80, flags]);
    all.extend(64_240_u16.to_be_bytes());
    all.extend([0, 0, 0, 0]);
    // The largest segment, selective acknowledgements, the window's scale.
    all.extend([2, 4, 5, 180, 4, 2, 1, 3, 3, scale, 1, 1]);
    all
}
