//! `tcpdump -n`: packets from the moment it starts, until it has its count or is killed.

use std::net::Ipv4Addr;
use std::time::Duration;

mod bytes;

use super::{Io, Session};
use crate::machines::{Direction, SeenPacket, Transport};

/// How often it looks: what passed is recorded with its time.
const LOOK: Duration = Duration::from_millis(5);

struct TcpdumpOptions {
    count: Option<u64>,
    interface: String,
    direction: Option<Direction>,
    times: bool,
    hexadecimal: bool,
    /// One of them has to hold; none is no filter.
    filter: Vec<Vec<Term>>,
}

/// Terms of a filter, joined by `and`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Transport(Transport),
    EchoRequest,
    EchoReply,
    /// Bytes 24 to 27 of ICMP: the first of a payload behind ping's own.
    EchoNonce(u32),
    /// Bytes 8 to 11 of UDP: the first of its payload.
    DatagramNonce(u32),
    Syn,
    Host(Ipv4Addr),
    Source(Ipv4Addr),
    Destination(Ipv4Addr),
    Port(u16),
    SourcePort(u16),
    DestinationPort(u16),
}

pub async fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let options = match parse(args) {
        Ok(options) => options,
        Err(text) => return io.fail(1, &text),
    };
    let name = &options.interface;
    if !session.is_root() {
        let text = format!(
            "tcpdump: {name}: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)"
        );
        return io.fail(1, &text);
    }
    if name != "any" && session.machine(|machine| machine.interface(name).is_none()) {
        return io
            .fail(1, &format!("tcpdump: {name}: No such device exists\n(No such device exists)"));
    }
    let link = if name == "any" { "LINUX_SLL2 (Linux cooked v2)" } else { "EN10MB (Ethernet)" };
    if name == "any" {
        io.err("tcpdump: data link type LINUX_SLL2\n");
    }
    io.err(&format!("tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\nlistening on {name}, link-type {link}, snapshot length 262144 bytes\n"));
    let mut summary = Summary { io, count: 0, end: CaptureEnd::Killed };
    watch(session, &options, &mut summary).await;
    summary.end = CaptureEnd::Counted;
    0
}

/// The lines that it says last, also when it is killed.
struct Summary<'a> {
    io: &'a Io,
    count: u64,
    end: CaptureEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CaptureEnd {
    Counted,
    Killed,
}

impl Drop for Summary<'_> {
    fn drop(&mut self) {
        let Self { io, count, end } = self;
        let plural = if *count == 1 { "" } else { "s" };
        let before = if *end == CaptureEnd::Killed { "\n" } else { "" };
        io.err(&format!("{before}{count} packet{plural} captured\n{count} packet{plural} received by filter\n0 packets dropped by kernel\n"));
    }
}

async fn watch(session: &Session, options: &TcpdumpOptions, summary: &mut Summary<'_>) {
    let mut mark = session.machine(|machine| machine.capture.mark());
    loop {
        let (seen, offset_ms) = session.machine(|machine| {
            let new: Vec<SeenPacket> = machine.capture.since(mark).cloned().collect();
            mark = machine.capture.mark();
            (new, machine.clock_offset_ms)
        });
        for packet in seen.iter().filter(|packet| options.wants(packet)) {
            summary.io.out(&options.line(packet, offset_ms));
            summary.count += 1;
            if Some(summary.count) == options.count {
                return;
            }
        }
        session.clock.sleep(LOOK).await;
    }
}

impl TcpdumpOptions {
    fn wants(&self, packet: &SeenPacket) -> bool {
        (self.interface == "any" || self.interface == packet.dev)
            && self.direction.is_none_or(|direction| direction == packet.direction)
            && (self.filter.is_empty()
                || self.filter.iter().any(|terms| terms.iter().all(|term| term.holds(packet))))
    }

    fn line(&self, packet: &SeenPacket, offset_ms: i64) -> String {
        let at = packet.at + chrono::TimeDelta::milliseconds(offset_ms);
        let time =
            if self.times { format!("{} ", at.format("%H:%M:%S%.6f")) } else { String::new() };
        let direction = match packet.direction {
            Direction::In => "In ",
            Direction::Out => "Out",
        };
        let device = if self.interface == "any" {
            format!("{:<5} {direction} ", packet.dev)
        } else {
            String::new()
        };
        let dump = if self.hexadecimal { bytes::dump(packet) } else { String::new() };
        let SeenPacket { source, destination, kind, ports: (a, b), bytes, .. } = packet;
        let length = bytes.saturating_sub(20);
        let line = match packet.transport {
            Transport::Icmp if kind.starts_with("echo") => format!(
                "{time}{device}IP {source} > {destination}: ICMP {kind}, id {a}, seq {b}, length {length}\n"
            ),
            Transport::Icmp => {
                format!("{time}{device}IP {source} > {destination}: ICMP {kind}, length {length}\n")
            }
            Transport::Tcp => format!(
                "{time}{device}IP {source}.{a} > {destination}.{b}: Flags [{kind}], length {}\n",
                bytes.saturating_sub(60)
            ),
            Transport::Udp => {
                format!("{time}{device}IP {source}.{a} > {destination}.{b}: UDP, length {length}\n")
            }
        };
        line + &dump
    }
}

impl Term {
    fn holds(self, packet: &SeenPacket) -> bool {
        let port = |wanted| packet.transport != Transport::Icmp && wanted;
        match self {
            Self::Transport(transport) => packet.transport == transport,
            Self::EchoRequest => packet.kind == "echo request",
            Self::EchoReply => packet.kind == "echo reply",
            Self::EchoNonce(nonce) => {
                packet.kind.starts_with("echo") && packet.mark.nonce >> 32 == u64::from(nonce)
            }
            Self::DatagramNonce(nonce) => {
                packet.transport == Transport::Udp && packet.mark.nonce >> 32 == u64::from(nonce)
            }
            Self::Syn => matches!(packet.kind, "S" | "S."),
            Self::Host(host) => packet.source == host || packet.destination == host,
            Self::Source(host) => packet.source == host,
            Self::Destination(host) => packet.destination == host,
            Self::Port(n) => port(packet.ports.0 == n || packet.ports.1 == n),
            Self::SourcePort(n) => port(packet.ports.0 == n),
            Self::DestinationPort(n) => port(packet.ports.1 == n),
        }
    }
}

fn parse(args: &[&str]) -> Result<TcpdumpOptions, String> {
    let mut options = TcpdumpOptions {
        count: None,
        interface: "any".into(),
        direction: None,
        times: true,
        hexadecimal: false,
        filter: Vec::new(),
    };
    let mut rest = args;
    while let [word, tail @ ..] = rest {
        let Some(letters) = word.strip_prefix('-') else { break };
        rest = tail;
        if letters == "-immediate-mode" {
            continue;
        }
        for (at, letter) in letters.char_indices() {
            if "nlUpK".contains(letter) {
                continue;
            }
            if letter == 't' {
                options.times = false;
                continue;
            }
            if letter == 'x' {
                options.hexadecimal = true;
                continue;
            }
            if !"ciQsB".contains(letter) {
                return Err(format!("tcpdump: invalid option -- '{letter}'"));
            }
            let inline = &letters[at + 1..];
            let value = if inline.is_empty() {
                let [value, tail @ ..] = rest else {
                    return Err(format!("tcpdump: option requires an argument -- '{letter}'"));
                };
                rest = tail;
                value
            } else {
                inline
            };
            match letter {
                'c' => {
                    let count = value.parse().ok().filter(|n| *n > 0);
                    options.count =
                        Some(count.ok_or(format!("tcpdump: invalid packet count {value}"))?);
                }
                'i' => options.interface = value.into(),
                'Q' => {
                    options.direction = match value {
                        "in" => Some(Direction::In),
                        "out" => Some(Direction::Out),
                        "inout" => None,
                        other => {
                            return Err(format!("tcpdump: unknown capture direction `{other}'"));
                        }
                    }
                }
                _ => {}
            }
            break;
        }
    }
    let expression = rest.join(" ");
    options.filter = filter(&expression)
        .ok_or("tcpdump: can't parse filter expression: syntax error".to_owned())?;
    Ok(options)
}

fn filter(expression: &str) -> Option<Vec<Vec<Term>>> {
    if expression.trim().is_empty() {
        return Some(Vec::new());
    }
    expression.split(" or ").map(all_of).collect()
}

fn all_of(expression: &str) -> Option<Vec<Term>> {
    let spaced = expression
        .replace("icmp[icmptype]", " icmptype ")
        .replace("icmp[0]", " icmptype ")
        .replace("tcp[13] & 2 != 0", " syn ")
        .replace("&&", " and ")
        .replace("==", " = ")
        .replace('=', " = ");
    let words: Vec<&str> = spaced.split_whitespace().filter(|w| !matches!(*w, "(" | ")")).collect();
    if words.is_empty() {
        return Some(Vec::new());
    }
    words.split(|word| *word == "and").map(term).collect::<Option<Vec<_>>>().map(|t| t.concat())
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn term(words: &[&str]) -> Option<Vec<Term>> {
    Some(match words {
        ["syn"] => vec![Term::Syn],
        ["icmp[24:4]", "=", nonce] => vec![Term::EchoNonce(hexadecimal(nonce)?)],
        ["udp[8:4]", "=", nonce] => vec![Term::DatagramNonce(hexadecimal(nonce)?)],
        ["icmp"] => vec![Term::Transport(Transport::Icmp)],
        ["tcp"] => vec![Term::Transport(Transport::Tcp)],
        ["udp"] => vec![Term::Transport(Transport::Udp)],
        ["ip"] => vec![],
        ["icmptype", "=", "=", "icmp-echo" | "8"] | ["icmptype", "=", "icmp-echo" | "8"] => {
            vec![Term::EchoRequest]
        }
        ["icmptype", "=", "=", "icmp-echoreply" | "0"]
        | ["icmptype", "=", "icmp-echoreply" | "0"] => vec![Term::EchoReply],
        ["host", address] => vec![Term::Host(address.parse().ok()?)],
        ["src", "host", address] | ["src", address] => vec![Term::Source(address.parse().ok()?)],
        ["dst", "host", address] | ["dst", address] => {
            vec![Term::Destination(address.parse().ok()?)]
        }
        ["port", port] => vec![Term::Port(port.parse().ok()?)],
        ["src", "port", port] => vec![Term::SourcePort(port.parse().ok()?)],
        ["dst", "port", port] => vec![Term::DestinationPort(port.parse().ok()?)],
        ["tcp", rest @ ..] => [vec![Term::Transport(Transport::Tcp)], term(rest)?].concat(),
        ["icmp", rest @ ..] => [vec![Term::Transport(Transport::Icmp)], term(rest)?].concat(),
        _ => return None,
    })
}
