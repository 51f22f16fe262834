//! `conntrack -L -o extended [-p PROTO] [-s A] [-d B]`.

use std::net::Ipv4Addr;

use super::{Io, Session};
use crate::machines::{Tracked, Transport, Tuple};

const NAME: &str = "conntrack v1.4.7 (conntrack-tools)";

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    if !session.is_root() {
        return io.fail(1, &format!("{NAME}: Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this"));
    }
    let filter =
        match parse(args) {
            Ok(filter) => filter,
            Err(text) => return io.fail(
                2,
                &format!(
                    "{NAME}: {text}\nTry `conntrack -h' or 'conntrack --help' for more information."
                ),
            ),
        };
    let now = session.clock.now();
    let entries = session.machine(|machine| machine.conntrack.clone());
    let mut count = 0;
    for entry in entries.iter().filter(|entry| entry.expires_at > now && filter.wants(entry)) {
        let left = (entry.expires_at - now).num_seconds();
        io.out(&format!("{}\n", line(entry, left, filter.extended)));
        count += 1;
    }
    io.err(&format!("{NAME}: {count} flow entries have been shown.\n"));
    0
}

struct ConntrackFilter {
    extended: bool,
    source: Option<Ipv4Addr>,
    destination: Option<Ipv4Addr>,
    transport: Option<Transport>,
}

impl ConntrackFilter {
    fn wants(&self, entry: &Tracked) -> bool {
        self.source.is_none_or(|source| entry.original.source == source)
            && self.destination.is_none_or(|to| entry.original.destination == to)
            && self.transport.is_none_or(|transport| entry.original.transport == transport)
    }
}

fn parse(args: &[&str]) -> Result<ConntrackFilter, String> {
    let mut filter =
        ConntrackFilter { extended: false, source: None, destination: None, transport: None };
    let ["-L", rest @ ..] = args else { return Err("You need to supply a command".into()) };
    let mut words = rest.strip_prefix(&["conntrack"]).unwrap_or(rest);
    while let [option, value, tail @ ..] = words {
        let bad = || format!("Invalid IP address `{value}'");
        match *option {
            "-o" if *value == "extended" => filter.extended = true,
            "-s" => filter.source = Some(value.parse().map_err(|_| bad())?),
            "-d" => filter.destination = Some(value.parse().map_err(|_| bad())?),
            "-p" => {
                filter.transport = Some(match *value {
                    "icmp" => Transport::Icmp,
                    "tcp" => Transport::Tcp,
                    "udp" => Transport::Udp,
                    other => return Err(format!("`{other}' unsupported protocol")),
                });
            }
            option => return Err(format!("unknown argument `{option}'")),
        }
        words = tail;
    }
    match words {
        [] => Ok(filter),
        [word, ..] => Err(format!("unknown argument `{word}'")),
    }
}

fn line(entry: &Tracked, left_seconds: i64, extended: bool) -> String {
    let (name, number) = match entry.original.transport {
        Transport::Icmp => ("icmp", 1),
        Transport::Tcp => ("tcp", 6),
        Transport::Udp => ("udp", 17),
    };
    let family = if extended { "ipv4     2 " } else { "" };
    let (state, unreplied, assured) = match (entry.original.transport, entry.replied) {
        (Transport::Tcp, true) => ("ESTABLISHED ", "", "[ASSURED] "),
        (Transport::Tcp, false) => ("SYN_SENT ", "[UNREPLIED] ", ""),
        (_, true) => ("", "", ""),
        (_, false) => ("", "[UNREPLIED] ", ""),
    };
    let (original, reply) = (tuple(entry.original, 8), tuple(entry.reply, 0));
    format!(
        "{family}{name:<8} {number} {left_seconds} {state}{original} {unreplied}{reply} {assured}mark=0 use=1"
    )
}

fn tuple(tuple: Tuple, icmp_type: u8) -> String {
    let Tuple { source, destination, source_port, destination_port, .. } = tuple;
    match tuple.transport {
        Transport::Icmp => {
            format!("src={source} dst={destination} type={icmp_type} code=0 id={source_port}")
        }
        Transport::Tcp | Transport::Udp => {
            format!("src={source} dst={destination} sport={source_port} dport={destination_port}")
        }
    }
}
