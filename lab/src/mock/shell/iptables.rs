//! `iptables-legacy -t nat -S`.

use super::{Io, Session};
use crate::mock::machines::{Action, Match, Rule};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    if !session.is_root() {
        return io.fail(4, "iptables v1.8.9 (legacy): can't initialize iptables table `nat': Permission denied (you must be root)\nPerhaps iptables or your kernel needs to be upgraded.");
    }
    let ["-t", "nat", "-S"] = args else {
        let word = args.first().copied().unwrap_or("");
        return io.fail(2, &format!("iptables v1.8.9 (legacy): unknown option \"{word}\"\nTry `iptables -h' or 'iptables --help' for more information."));
    };
    for chain in ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"] {
        io.out(&format!("-P {chain} ACCEPT\n"));
    }
    let table = session.machine(|machine| machine.legacy_nat.clone());
    for (chain, rules) in [("PREROUTING", &table.prerouting), ("POSTROUTING", &table.postrouting)] {
        for rule in rules {
            io.out(&format!("-A {chain}{}\n", words(rule)));
        }
    }
    0
}

fn words(rule: &Rule) -> String {
    let conditions = rule.matches.iter().map(|condition| match condition {
        Match::Source(net) => format!(" -s {net}"),
        Match::Destination(net) => format!(" -d {net}"),
        Match::Protocol(transport) => format!(" -p {}", transport.as_str()),
        Match::InInterface(name) => format!(" -i {name}"),
        Match::OutInterface(name) => format!(" -o {name}"),
        Match::EstablishedOrRelated => " -m state --state RELATED,ESTABLISHED".into(),
    });
    let target = match &rule.action {
        Action::Accept => " -j ACCEPT".into(),
        Action::Drop => " -j DROP".into(),
        Action::Masquerade => " -j MASQUERADE".into(),
        Action::Snat(to) => format!(" -j SNAT --to-source {to}"),
        Action::Dnat(to) => format!(" -j DNAT --to-destination {to}"),
        Action::Counter | Action::Notrack | Action::SetSource(_) | Action::SetDestination(_) => {
            String::new()
        }
    };
    conditions.chain([target]).collect()
}
