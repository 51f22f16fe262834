//! Echo requests: the commands that send them or wait for them, and what these print.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::Observe;
use super::observe::{QUICK, words};
use crate::node::Output;

/// A round of echo requests, as ping tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PingReport {
    /// ping's exit code: 2 says that it could not send.
    pub code: i32,
    /// The number of replies that ping counts; none where it did not come to count.
    pub received: Option<u32>,
    /// Lines of replies that are not what was asked for: from somebody else, a second time, or with
    /// other bytes than were sent. ping counts them as received.
    pub strange: Vec<String>,
    pub round_trip_ms: Option<RoundTripMs>,
    /// The words of ping on stderr.
    pub complaint: String,
}

/// The round trips of the replies, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RoundTripMs {
    pub min: f64,
    pub avg: f64,
    pub max: f64,
}

impl PingReport {
    /// Reads what ping printed of a round to `destination`.
    pub fn read(output: &Output, destination: Ipv4Addr) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        Self {
            code: output.code,
            received: count_received(&text),
            strange: strange_replies(&text, destination),
            round_trip_ms: round_trip_ms(&text),
            complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }

    /// Whether the requests left at all.
    pub fn was_sent(&self) -> bool {
        self.code <= 1
    }
}

/// From `3 packets transmitted, 3 received, 0% packet loss, time 2003ms`.
fn count_received(text: &str) -> Option<u32> {
    let line = text.lines().find(|line| line.contains(" packets transmitted, "))?;
    line.split(", ").find_map(|part| part.strip_suffix(" received"))?.parse().ok()
}

fn strange_replies(text: &str, destination: Ipv4Addr) -> Vec<String> {
    let sender = format!(" bytes from {destination}: ");
    let plain = |line: &str| line.contains(&sender) && line.ends_with(" ms");
    let strange = text.lines().map(str::trim_end).filter(|line| {
        line.contains("wrong data byte") || line.contains(" bytes from ") && !plain(line)
    });
    strange.map(str::to_owned).collect()
}

/// From `rtt min/avg/max/mdev = 80.702/81.204/82.003/0.421 ms`.
fn round_trip_ms(text: &str) -> Option<RoundTripMs> {
    let line = text.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "))?;
    let mut values = line.split(' ').next()?.split('/').map(|value| value.parse::<f64>().ok());
    let mut next = || values.next().flatten();
    Some(RoundTripMs { min: next()?, avg: next()?, max: next()? })
}

impl Observe<PingReport> {
    /// A ping that should be answered. It waits up to 2 seconds for an answer.
    pub fn ping(source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        Self::echoes(source, destination, "2")
    }

    /// A ping that should not be answered, while other things are asked for that take as long.
    pub fn ping_before(source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        Self::echoes(source, destination, "0.6")
    }

    /// A ping that should not be answered. It waits long enough for a neighbour to be asked twice,
    /// and for an answer then.
    pub fn ping_in_vain(source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        Self::echoes(source, destination, "1")
    }

    /// Three echo requests, as fast as every ping lets an ordinary user.
    fn echoes(source: Ipv4Addr, destination: Ipv4Addr, wait_seconds: &str) -> Self {
        let (from, to) = (source.to_string(), destination.to_string());
        let argv = ["ping", "-n", "-c", "3", "-i", "0.2", "-W", wait_seconds, "-I", &from, &to];
        Observe::quick(&argv).read_as(move |output| PingReport::read(&output, destination))
    }

    /// One echo request with these bytes behind ping's own; where a size is given it has that,
    /// headers included, and may not be cut.
    pub fn marked_ping(
        source: Ipv4Addr,
        destination: Ipv4Addr,
        mark: [u8; 8],
        bytes: Option<u16>,
    ) -> Self {
        let (from, to, mark) = (source.to_string(), destination.to_string(), hex::encode(mark));
        let mut argv = words(&["ping", "-n", "-c", "1", "-W", "1", "-p", &mark, "-I", &from]);
        if let Some(bytes) = bytes {
            let payload = bytes.saturating_sub(28).to_string();
            argv.extend(words(&["-M", "do", "-s", &payload]));
        }
        argv.push(to);
        Observe::new(argv, QUICK).read_as(move |output| PingReport::read(&output, destination))
    }
}

/// The canary's fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryAnswer {
    /// ping's line on a request whose time to live ended on its way; none where no such answer came
    /// back.
    pub expired: Option<String>,
}

impl Observe<CanaryAnswer> {
    /// Echo requests whose time to live ends on the far router: the answer comes from an address
    /// that the ENI does not own, so it passes only while source/dest check is off. One answer is
    /// enough, so that a packet may be lost.
    pub fn canary(destination: Ipv4Addr, ttl: u8) -> Self {
        let (to, ttl) = (destination.to_string(), ttl.to_string());
        let argv = ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", "-t", &ttl, &to];
        Observe::quick(&argv).read_as(|output| {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = text.lines().find(|line| line.contains("Time to live exceeded"));
            CanaryAnswer { expired: line.map(|line| line.trim().to_owned()) }
        })
    }
}

/// The echo requests that arrived somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SniffedEchoes {
    /// Each source once, as it is printed.
    pub sources: Vec<String>,
    /// The ids that ping gave them, each once.
    pub ids: Vec<u16>,
}

impl SniffedEchoes {
    /// Reads tcpdump's lines on the requests to `destination`.
    fn read(text: &str, destination: Ipv4Addr) -> Self {
        let needle = format!(" > {destination}: ICMP echo request");
        let requests = || text.lines().filter_map(|line| line.split_once(&needle));
        let mut sources: Vec<String> =
            requests().filter_map(|(lead, _)| lead.rsplit(' ').next().map(str::to_owned)).collect();
        sources.sort();
        sources.dedup();
        let id = |rest: &str| rest.strip_prefix(", id ")?.split(',').next()?.parse().ok();
        let mut ids: Vec<u16> = requests().filter_map(|(_, rest)| id(rest)).collect();
        ids.sort_unstable();
        ids.dedup();
        Self { sources, ids }
    }
}

impl Observe<SniffedEchoes> {
    /// Waits for three echo requests to `destination` that `source` did or did not send.
    pub fn echo_requests(destination: Ipv4Addr) -> Self {
        let filter = format!("icmp[icmptype] == icmp-echo and dst host {destination}");
        let argv =
            ["sudo", "-n", "timeout", "8", "tcpdump", "-n", "-l", "-c", "3", "-i", "any", &filter];
        Observe::quick(&argv).read_as(move |output| {
            SniffedEchoes::read(&String::from_utf8_lossy(&output.stdout), destination)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 7);
    const ONPREM: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);

    #[test]
    fn round_trips_are_read_from_the_last_line() {
        let text = |line: &str| format!("--- statistics ---\n{line}\n");
        let whole = text("rtt min/avg/max/mdev = 80.702/81.204/82.003/0.421 ms, pipe 2");
        let expected = RoundTripMs { min: 80.702, avg: 81.204, max: 82.003 };
        assert_eq!(round_trip_ms(&whole), Some(expected));
        for line in ["", "rtt min/avg/max/mdev = 80.702/x ms"] {
            assert_eq!(round_trip_ms(&text(line)), None, "{line}");
        }
    }

    #[test]
    fn the_statistics_line_is_read_in_all_its_forms() {
        let table = [
            ("3 packets transmitted, 3 received, 0% packet loss, time 2003ms", Some(3)),
            ("3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2ms", Some(0)),
            ("3 packets transmitted, 2 received, 33.3333% packet loss", Some(2)),
            ("ping: connect: Network is unreachable", None),
        ];
        for (line, expected) in table {
            let stdout = format!("PING 10.88.60.9\n\n--- statistics ---\n{line}\n").into_bytes();
            let output = Output { code: 0, stdout, stderr: Vec::new() };
            assert_eq!(PingReport::read(&output, ONPREM).received, expected, "{line}");
        }
    }

    #[test]
    fn what_could_not_be_sent_says_so_by_its_exit_code() {
        for (code, sent) in [(0, true), (1, true), (2, false)] {
            let output = Output { code, stdout: Vec::new(), stderr: b" why\n".to_vec() };
            let report = Observe::ping(CLOUD, ONPREM).read(output);
            assert_eq!((report.was_sent(), report.complaint.as_str()), (sent, "why"), "{code}");
        }
    }

    #[test]
    fn tcpdump_names_the_sources() {
        let text = "12:00:00.1 eth0  In  IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 1, seq 1, length 64\n\
                    12:00:01.1 eth0  In  IP 10.88.60.7 > 10.88.60.9: ICMP echo request, id 1, seq 2, length 64\n";
        let seen = SniffedEchoes::read(text, ONPREM);
        assert_eq!((seen.sources, seen.ids), (vec!["10.88.60.7".to_owned()], vec![1]));
        assert!(SniffedEchoes::read(text, CLOUD).sources.is_empty());
        assert_eq!(SniffedEchoes::read(&text.replace("id 1,", "id 7,"), ONPREM).ids, [7]);
    }

    #[test]
    fn the_canary_comes_back_where_a_router_says_that_its_time_is_over() {
        let read = |stdout: &str| {
            let output = Output { code: 1, stdout: stdout.into(), stderr: Vec::new() };
            Observe::canary(ONPREM, 2).read(output).expired
        };
        let line = "From 10.88.60.1 icmp_seq=1 Time to live exceeded";
        assert_eq!(read(&format!("PING 10.88.60.9\n{line} \n")).as_deref(), Some(line));
        assert_eq!(read("3 packets transmitted, 0 received\n"), None);
    }
}
