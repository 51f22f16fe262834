//! Where the faults come from: what real smokes of routerd ran into (contract §8.4), the SDK's
//! pitfalls (ec2-facts §4) and the translations that the kernel lab measured (netns-lab §4). Each of
//! them is covered by a fault, or it is said here why it cannot occur.

use harness::faults::{KnownFault, list_faults};

/// A source, and what was found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name as a fault has it: `contract F12`.
    pub name: &'static str,
    pub what: &'static str,
}

/// The sources that cannot occur in a smoke, with the reason.
const ABSENT: &[(&str, &str)] = &[
    ("ec2-facts §4.2", "each run has a retry partition of its own (`Connection::retry_partition`)"),
    (
        "ec2-facts §4.3",
        "the mock seeds the jitter, and a run repeats byte for byte (tests/program/run.rs)",
    ),
    ("ec2-facts §4.6", "no generated waiter is used: what is waited for is looked at every second"),
];

pub fn all() -> impl Iterator<Item = Source> {
    let rows = include_str!("../data/sources.tsv").lines();
    rows.filter_map(|row| row.split_once('\t')).map(|(name, what)| Source { name, what })
}

impl Source {
    /// The faults that come from here; a fault may have several sources, between semicolons.
    pub fn faults(self) -> impl Iterator<Item = &'static KnownFault> {
        list_faults().filter(move |fault| fault.source.split("; ").any(|it| it == self.name))
    }

    pub fn why_absent(self) -> Option<&'static str> {
        ABSENT.iter().find(|(name, _)| *name == self.name).map(|(_, why)| *why)
    }
}

/// Sources that are neither covered nor explained, or both; and faults that name none of them.
pub fn gaps() -> Vec<String> {
    let mut gaps = Vec::new();
    for source in all() {
        match (source.faults().next(), source.why_absent()) {
            (None, None) => gaps.push(format!("{}: no fault has it: {}", source.name, source.what)),
            (Some(fault), Some(why)) => {
                gaps.push(format!("{}: {} has it, against: {why}", source.name, fault.name));
            }
            _ => {}
        }
    }
    let unknown = ABSENT.iter().filter(|(name, _)| !all().any(|source| source.name == *name));
    gaps.extend(
        unknown.map(|(name, _)| format!("{name} is explained, and there is no such source")),
    );
    for fault in list_faults() {
        let numbered = |it: &&str| {
            ["contract F", "ec2-facts §4.", "netns-lab §4:"].iter().any(|head| it.starts_with(head))
        };
        for named in fault.source.split("; ").filter(numbered) {
            if !all().any(|source| source.name == named) {
                gaps.push(format!("{} comes from {named}, which there is not", fault.name));
            }
        }
    }
    gaps
}

/// Whether an observation sees a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    Yes,
    No,
    /// The fault is narrower than what was measured.
    Untold,
}

/// A row of the kernel lab's table: which observation sees which translation.
#[derive(Clone, Copy, Debug)]
pub struct NatRow {
    pub source: &'static str,
    pub fault: &'static str,
    /// All four fields of a TCP connection at both ends, towards on-prem.
    pub tcp: Sees,
    /// The source of echo requests at the far end, towards on-prem.
    pub far_end: Sees,
    pub conntrack: Sees,
    pub tables: Sees,
}

const fn row(
    source: &'static str,
    fault: &'static str,
    [tcp, far_end, conntrack, tables]: [Sees; 4],
) -> NatRow {
    NatRow { source, fault, tcp, far_end, conntrack, tables }
}

/// The rows as they were measured. `tables` reads legacy iptables too, so that it sees what
/// `nft list ruleset` misses.
pub const NAT_ROWS: &[NatRow] = {
    use Sees::{No, Untold, Yes};
    &[
        row("netns-lab §4: masquerade", "masquerade", [Yes, Yes, Yes, Yes]),
        row("netns-lab §4: masquerade by iptables-legacy", "masquerade-legacy", [Yes; 4]),
        // The fault rewrites echo requests alone; that they are unanswered was no sign then.
        row("netns-lab §4: stateless rewrite", "stateless-rewrite", [Untold, Yes, Untold, Yes]),
        row("netns-lab §4: ICMP-only masquerade", "masquerade-icmp", [No, Yes, Yes, Yes]),
        row(
            "netns-lab §4: double SNAT that restores the source at the far router",
            "double-snat",
            [No, No, Yes, Yes],
        ),
        row("netns-lab §4: masquerade added while a ping runs", "masquerade-meanwhile", [Yes; 4]),
        row("netns-lab §4: no NAT, no ct rule", "conntrack-unarmed", [No, No, No, No]),
    ]
};

impl NatRow {
    /// Where what turns for the fault is not what was measured.
    pub fn contradictions(&self) -> Vec<String> {
        let Some(fault) = list_faults().find(|fault| fault.name == self.fault) else {
            return vec![format!("{}: there is no fault {}", self.source, self.fault)];
        };
        let turns =
            |id: &str| fault.primary.assertion() == Some(id) || fault.answer.also.contains(&id);
        let columns = [
            (self.tcp, "no-nat.tcp.cloud-to-onprem"),
            (self.far_end, "no-nat.icmp.cloud-to-onprem"),
            (self.conntrack, "no-nat.conntrack.routerd-cloud"),
            (self.tables, "no-nat.tables.routerd-cloud"),
        ];
        let wrong = |(sees, id): &(Sees, &'static str)| match sees {
            Sees::Yes => !turns(id),
            Sees::No => turns(id),
            Sees::Untold => false,
        };
        columns
            .into_iter()
            .filter(wrong)
            .map(|(sees, id)| format!("{}: {id} {sees:?}, and {}", self.source, fault.name))
            .collect()
    }
}
