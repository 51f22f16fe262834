//! `routerctl get` and `describe`: they ask a daemon over its status socket, and there is none.

use std::path::Path;

use super::{not_here, usage};
use crate::routerctl::go::flags::{FlagSet, Parsed, Stop};
use crate::routerctl::go::quote::quote;
use crate::routerctl::kinds;
use crate::routerctl::paths::STATUS_SOCKET;
use crate::routerctl::{Call, Outcome};

const API: &str = "http://routerd/api/control.routerd.net/v1alpha1";
/// What is no kind.
const SUBJECTS: [&str; 7] =
    ["resources", "all", "status", "controllers", "runtime", "events", "ledger"];
/// Subjects of a home router, and their short names.
const TRAFFIC: [&str; 16] = [
    "connections",
    "connection",
    "conn",
    "dns-queries",
    "dns-query",
    "dns",
    "traffic-flows",
    "traffic-flow",
    "traffic",
    "flows",
    "flow",
    "firewall-logs",
    "firewall-log",
    "firewall",
    "dns_queries",
    "traffic_flows",
];
const GET_VALUES: [&str; 11] = [
    "-o",
    "--output",
    "--socket",
    "--timeout",
    "--limit",
    "--events-limit",
    "--since",
    "--topic",
    "--resource",
    "--kind",
    "--name",
];
const DESCRIBE_VALUES: [&str; 5] = ["-o", "--output", "--socket", "--timeout", "--events-limit"];

pub fn get(call: &mut Call<'_>, args: &[String]) -> Outcome {
    let flags = common("get")
        .int("limit", "100", "maximum rows for runtime subjects")
        .int("since", "0", "events with id greater than this value")
        .text("topic", "", "event topic filter")
        .text("resource", "", "event resource filter as <kind>/<name>")
        .text("kind", "", "event kind filter")
        .text("name", "", "event name filter");
    let missing = "get requires <subject> or <kind>/<name>";
    let Some(options) = options(call, &flags, args, &GET_VALUES, usage::GET, missing)? else {
        return Ok(());
    };
    let subject = target("get", &options.rest[0])?;
    let query = [
        ("events-limit", positive(options.text("events-limit"))),
        ("kind", options.text("kind")),
        ("limit", positive(options.text("limit"))),
        ("name", options.text("name")),
        ("resource", options.text("resource")),
        ("since-id", positive(options.text("since"))),
        ("subject", &subject),
        ("topic", options.text("topic")),
    ];
    ask(call, options.text("socket"), "get", &query)
}

pub fn describe(call: &mut Call<'_>, args: &[String]) -> Outcome {
    let missing = "describe requires <kind>/<name>";
    let flags = common("describe");
    let Some(options) = options(call, &flags, args, &DESCRIBE_VALUES, usage::DESCRIBE, missing)?
    else {
        return Ok(());
    };
    let target = target("describe", &options.rest[0]).inspect_err(|_| {
        call.stderr.push_str(usage::ROUTERCTL);
    })?;
    let query =
        [("events-limit", positive(options.text("events-limit"))), ("target", target.as_str())];
    ask(call, options.text("socket"), "describe", &query)
}

fn common(name: &'static str) -> FlagSet {
    FlagSet::new(name, "", "")
        .output()
        .text("socket", STATUS_SOCKET, "routerd read-only status Unix domain socket path")
        .duration("timeout", "30s", "request timeout")
        .int("events-limit", "10", "recent per-resource events in resource views")
}

fn options(
    call: &mut Call<'_>,
    flags: &FlagSet,
    args: &[String],
    with_values: &[&str],
    help: &str,
    missing: &str,
) -> Result<Option<Parsed>, String> {
    let parsed = normalized(args, with_values).and_then(|args| match flags.parse(&args) {
        Ok(parsed) if parsed.rest.len() == 1 => Ok(Some(parsed)),
        Ok(_) => Err(missing.to_owned()),
        Err(Stop::Help(_)) => Ok(None),
        Err(Stop::Wrong { error, .. }) => Err(error),
    });
    match parsed {
        Ok(Some(parsed)) => Ok(Some(parsed)),
        Ok(None) => {
            call.stdout.push_str(help);
            Ok(None)
        }
        Err(error) => {
            call.stderr.push_str(usage::ROUTERCTL);
            Err(error)
        }
    }
}

/// Options may stand anywhere: they are moved to the front.
fn normalized(args: &[String], with_values: &[&str]) -> Result<Vec<String>, String> {
    let (mut flags, mut positionals) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            positionals.push(arg.clone());
            continue;
        }
        flags.push(arg.clone());
        if with_values.contains(&arg.as_str()) {
            let value = args.next().ok_or_else(|| format!("{arg} requires a value"))?;
            flags.push(value.clone());
        }
    }
    flags.append(&mut positionals);
    Ok(flags)
}

fn target(verb: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    let subject = text.to_lowercase().replace('_', "-");
    if SUBJECTS.contains(&subject.as_str()) {
        return Ok(subject);
    }
    if TRAFFIC.contains(&subject.as_str()) {
        not_here(&format!("routerctl {verb} {text}"))?;
    }
    let (kind, name) = match text.split_once('/') {
        Some((kind, name)) => (kind, Some(name)),
        None => (text, None),
    };
    let kind = kinds::canonical(kind);
    match name {
        _ if kind.is_empty() => Err(format!("unknown resource kind {}", quote(text))),
        Some(name) if name.trim().is_empty() => {
            Err(format!("{verb} target {} has empty name", quote(text)))
        }
        Some(name) => Ok(format!("{kind}/{name}")),
        None => Ok(kind.to_owned()),
    }
}

/// Zero and less are not sent.
fn positive(number: &str) -> &str {
    if number.starts_with('-') || number == "0" { "" } else { number }
}

fn ask(call: &Call<'_>, socket: &str, verb: &str, query: &[(&str, &str)]) -> Outcome {
    if call.host.file_mode(Path::new(socket)).is_ok() {
        return not_here(&format!("speaking to the daemon at {socket}"));
    }
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
    let url = format!("{API}/{verb}?{}", encoded.finish());
    Err(format!("Get {}: dial unix {socket}: connect: no such file or directory", quote(&url)))
}
