//! `ping`, as iputils prints it.

mod options;
mod print;

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Io, Session};
use crate::machines::Machine;
use crate::packets::{self, Delivery, IcmpError, Packet, Payload};
use options::{PingOptions, parse};
use print::{format_milliseconds, format_percent, format_statistics};

/// How long the kernel asks by ARP before it gives up.
const ARP_GIVES_UP_MS: i64 = 3_060;
const HEADERS_BYTES: u32 = 28;

/// Something that comes back, at its time.
struct PingEvent {
    at: DateTime<Utc>,
    sequence: u16,
    what: What,
}

enum What {
    Reply { from: Ipv4Addr, ttl: u8, round_trip: Duration },
    Error { from: Ipv4Addr, text: String },
}

#[derive(Default)]
struct Tally {
    sent: u32,
    received: u32,
    errors: u32,
    round_trips_us: Vec<u64>,
    /// Errors that came at one time for packets under way: what ping calls a pipe.
    pipe: usize,
}

pub async fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let options = match parse(args) {
        Ok(options) => options,
        Err((code, text)) => return io.fail(code, &text),
    };
    let (source, shown) = match session.machine(|machine| bind(machine, &options)) {
        Ok(bound) => bound,
        Err(text) => return io.fail(2, &text),
    };
    let (to, size) = (options.destination, options.size);
    let total = size + HEADERS_BYTES;
    if let Some(pattern) = options.pattern {
        io.out(&format!("PATTERN: 0x{pattern:016x}\n"));
    }
    io.out(&format!("PING {to} ({to}) {shown}{size}({total}) bytes of data.\n"));
    let run = PingRun { session, io, options: &options, source, id: ping_id(session) };
    run.to_end().await
}

struct PingRun<'a> {
    session: &'a Session,
    io: &'a Io,
    options: &'a PingOptions,
    source: Option<Ipv4Addr>,
    id: u16,
}

impl PingRun<'_> {
    async fn to_end(&self) -> i32 {
        let clock = self.session.clock;
        let start = clock.now();
        let mut tally = Tally::default();
        let mut pending: Vec<PingEvent> = Vec::new();
        let mut next_send = Some(start);
        let mut end = self.options.deadline.map(|deadline| start + deadline);
        let mut last_send = start;
        let mut arp_since: Option<DateTime<Utc>> = None;
        loop {
            if let Some(at) = next_send.filter(|at| *at <= clock.now()) {
                last_send = at;
                tally.sent += 1;
                pending.extend(self.send(tally.sent, at, &mut arp_since));
                pending.sort_by_key(|event| (event.at, event.sequence));
                let more = self.options.count.is_none_or(|count| tally.sent < count);
                next_send = more.then(|| at + self.options.interval);
                tally.pipe = tally.pipe.max(pending.len());
            }
            while pending.first().is_some_and(|event| event.at <= clock.now()) {
                self.take(&pending.remove(0), &mut tally);
            }
            if self.options.count.is_some_and(|count| tally.received + tally.errors >= count) {
                break;
            }
            if next_send.is_none() && self.options.deadline.is_none() && end.is_none() {
                end = Some(last_send + self.wait(&tally));
            }
            let event = pending.first().map(|event| event.at);
            let Some(next) = [next_send, event, end].into_iter().flatten().min() else { break };
            if end.is_some_and(|end| end <= clock.now()) {
                break;
            }
            let pause = (next - clock.now()).to_std().unwrap_or_default();
            // The runtime's timer counts whole milliseconds and never wakes early.
            clock.sleep(pause).await;
        }
        self.summary(&tally, last_send - start);
        let enough = self.options.deadline.is_none()
            || self.options.count.is_none_or(|count| tally.received >= count);
        i32::from(tally.received == 0 || !enough)
    }

    /// How long it waits after the last packet.
    fn wait(&self, tally: &Tally) -> Duration {
        match tally.round_trips_us.iter().max() {
            Some(longest) => Duration::from_micros(2 * longest).max(self.options.interval),
            None => self.options.linger,
        }
    }

    fn send(
        &self,
        sequence: u32,
        now: DateTime<Utc>,
        arp_since: &mut Option<DateTime<Utc>>,
    ) -> Option<PingEvent> {
        let sequence = u16::try_from(sequence % 65_536).unwrap_or(0);
        let packet = Packet {
            from: self.session.node,
            source: self.source,
            destination: self.options.destination,
            ttl: self.options.ttl,
            bytes: self.options.size + HEADERS_BYTES,
            fragment: self.options.fragment,
            payload: Payload::Echo { id: self.id, sequence },
        };
        let delivery = packets::send_marked(
            &mut self.session.shared.lock(),
            now,
            packet,
            self.options.pattern.unwrap_or(0),
        );
        let arp_ends = |since: &mut Option<DateTime<Utc>>| {
            let fails_after = TimeDelta::milliseconds(ARP_GIVES_UP_MS);
            let began = since.filter(|began| *began + fails_after > now).unwrap_or(now);
            *since = Some(began);
            began + fails_after
        };
        let event = |at, what| Some(PingEvent { at, sequence, what });
        let error = |at, from, text: &str| event(at, What::Error { from, text: text.into() });
        match delivery {
            Delivery::Answered(answer) => event(
                now + answer.round_trip,
                What::Reply { from: answer.source, ttl: answer.ttl, round_trip: answer.round_trip },
            ),
            Delivery::HostUnreachable { from } => {
                error(arp_ends(arp_since), from, "Destination Host Unreachable")
            }
            Delivery::Error { from, error: kind, round_trip } => match kind {
                IcmpError::TimeExceeded => error(now + round_trip, from, "Time to live exceeded"),
                IcmpError::HostUnreachable => {
                    error(arp_ends(arp_since) + round_trip, from, "Destination Host Unreachable")
                }
                IcmpError::NetworkUnreachable => {
                    error(now + round_trip, from, "Destination Net Unreachable")
                }
                IcmpError::FragmentationNeeded { mtu } => {
                    let text = format!("Frag needed and DF set (mtu = {mtu})");
                    error(now + round_trip, from, &text)
                }
            },
            Delivery::TooLong { mtu } => {
                let text = format!("message too long, mtu={mtu}");
                error(now, Ipv4Addr::UNSPECIFIED, &text)
            }
            Delivery::NetworkUnreachable | Delivery::Refused(_) | Delivery::Lost(_) => None,
        }
    }

    fn take(&self, event: &PingEvent, tally: &mut Tally) {
        let PingEvent { sequence, .. } = event;
        let line = match &event.what {
            What::Reply { from, ttl, round_trip } => {
                tally.received += 1;
                let us = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
                tally.round_trips_us.push(us);
                let bytes = self.options.size + 8;
                let strange =
                    if *from == self.options.destination { "" } else { " (DIFFERENT ADDRESS!)" };
                let time = format_milliseconds(us);
                format!(
                    "{bytes} bytes from {from}: icmp_seq={sequence} ttl={ttl} time={time} ms{strange}\n"
                )
            }
            What::Error { from, text } => {
                tally.errors += 1;
                if from.is_unspecified() {
                    self.io.err(&format!("ping: local error: {text}\n"));
                    return;
                }
                format!("From {from} icmp_seq={sequence} {text}\n")
            }
        };
        if !self.options.quiet {
            self.io.out(&line);
        }
    }

    fn summary(&self, tally: &Tally, elapsed: TimeDelta) {
        let &Tally { sent, received, errors, ref round_trips_us, pipe } = tally;
        let errors = if errors > 0 { format!(", +{errors} errors") } else { String::new() };
        let loss = format_percent(u64::from(sent - received), u64::from(sent));
        let ms = elapsed.num_milliseconds();
        self.io.out(&format!(
            "\n--- {} ping statistics ---\n{sent} packets transmitted, {received} received{errors}, {loss}% packet loss, time {ms}ms\n",
            self.options.destination
        ));
        let mut parts = Vec::new();
        if !round_trips_us.is_empty() {
            parts.push(format_statistics(round_trips_us));
        }
        if pipe > 1 {
            parts.push(format!("pipe {pipe}"));
        }
        self.io.out(&format!("{}\n", parts.join(", ")));
    }
}

/// The source that `-I` asks for, and how the first line shows it.
fn bind(machine: &Machine, options: &PingOptions) -> Result<(Option<Ipv4Addr>, String), String> {
    let Some(wanted) = &options.source else {
        return match machine.next_hop(options.destination) {
            Some(_) => Ok((None, String::new())),
            None => Err("ping: connect: Network is unreachable".into()),
        };
    };
    if let Ok(address) = wanted.parse() {
        if !machine.has_address(address) {
            return Err("ping: bind: Cannot assign requested address".into());
        }
        return Ok((Some(address), format!("from {address} : ")));
    }
    let interface = machine
        .interface(wanted)
        .ok_or_else(|| format!("ping: SO_BINDTODEVICE {wanted}: No such device"))?;
    let address = interface.addresses.first().map(ipnet::Ipv4Net::addr);
    let shown = address.map(|a| format!("from {a} {wanted}: ")).unwrap_or_default();
    Ok((address, shown))
}

/// An echo id of its own for each run.
fn ping_id(session: &Session) -> u16 {
    session.change(|machine| {
        machine.ports_used = machine.ports_used.wrapping_add(1);
        machine.ports_used
    })
}
