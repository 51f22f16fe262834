//! The commands, one file each, and what they print alike.

mod action;
mod doctor;
mod dynamic;
mod inspect;
mod mobility;
mod plugin;

use super::go::doc::Doc;
use super::go::{json, table};
use super::{CommandResult, RouterctlCall};
use lab::golang::quote;

/// The release whose words these are.
const VERSION: &str = "v20260822.1715";

/// Commands of routerd that have no part in provider actions.
const OTHERS: [&str; 15] = [
    "federation",
    "fed",
    "ledger",
    "firewall",
    "render",
    "vpn",
    "ingress",
    "validate",
    "plan",
    "apply",
    "delete",
    "rollback",
    "adopt",
    "log-level",
    "restart",
];

pub(super) async fn run(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let Some((command, args)) = args.split_first() else {
        return Err("missing command".into());
    };
    match command.as_str() {
        "version" | "--version" => {
            call.line(&format!("routerctl {VERSION} (stand-in of lab-smoke)"));
            Ok(())
        }
        "action" => action::run(call, args).await,
        "plugin" => plugin::run(call, args).await,
        "dynamic" => dynamic::run(call, args),
        "mobility" => mobility::run(call, args),
        "doctor" => doctor::run(call, args),
        "get" => inspect::run_get(call, args),
        "describe" => inspect::run_describe(call, args),
        other if OTHERS.contains(&other) => not_here(&format!("routerctl {other}")),
        "help" | "-h" | "--help" => not_here("routerctl help"),
        other => Err(format!("unknown command {}", quote(other))),
    }
}

/// Refuses something that routerd has and this stand-in has not: it is never answered as if it were
/// done.
fn not_here(what: &str) -> CommandResult {
    Err(format!("{what} is not part of this stand-in routerctl; use routerd's own"))
}

/// Where somebody reads the table, too.
fn print(
    call: &mut RouterctlCall<'_>,
    what: &str,
    output: &str,
    doc: &Doc,
    table_text: &str,
) -> CommandResult {
    if !matches!(output, "" | "table") {
        return print_json(call, what, output, doc);
    }
    call.stdout.push_str(&table::align(table_text));
    Ok(())
}

/// The form that the harness reads; routerd has others.
fn print_json(call: &mut RouterctlCall<'_>, what: &str, output: &str, doc: &Doc) -> CommandResult {
    match output {
        "json" => call.stdout.push_str(&json::print_pretty(doc)),
        "" | "table" | "yaml" => not_here(&format!("routerctl {what} without -o json"))?,
        other => return Err(format!("unsupported output {}", quote(other))),
    }
    Ok(())
}

/// Where a subcommand takes options alone.
fn no_arguments(what: &str, rest: &[String]) -> CommandResult {
    match rest.first() {
        Some(extra) => Err(format!("unexpected {what} argument {}", quote(extra))),
        None => Ok(()),
    }
}

/// A list of rows as Go's `append` makes it.
fn rows(items: Vec<Doc>) -> Doc {
    super::go::doc::make_appended_list(items)
}
