//! `routerctl action`: the journal, approvals, executions and undos.

use std::fmt::Write as _;

use super::{no_arguments, print, rows};
use crate::routerctl::config;
use crate::routerctl::engine;
use crate::routerctl::executor::ExecutorReport;
use crate::routerctl::go::doc::{Doc, DocMap};
use crate::routerctl::go::flags::{FlagSet, Parsed};
use crate::routerctl::go::json::string_map;
use crate::routerctl::go::numbers::parse_int;
use crate::routerctl::go::table::dash_if_blank;
use crate::routerctl::go::time;
use crate::routerctl::paths::{CONFIG_FILE, STATE_FILE};
use crate::routerctl::store::Database;
use crate::routerctl::store::actions::{self, StoredAction};
use crate::routerctl::{CommandResult, RouterctlCall};
use lab::golang::quote;

pub async fn run(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let Some((subcommand, args)) = args.split_first() else {
        return Err("action requires subcommand".into());
    };
    match subcommand.as_str() {
        "import" => import(call, args),
        "list" => list(call, args),
        "journal" => journal(call, args),
        "show" => show(call, args),
        "approve" => approve(call, args),
        "execute" => execute(call, args).await,
        "rollback" => rollback(call, args).await,
        other => Err(format!("unknown action subcommand {}", quote(other))),
    }
}

fn import(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new().text("config", CONFIG_FILE).text("state-file", STATE_FILE);
    let options = flags.parse(args)?;
    no_arguments("action import", &options.rest)?;
    let database = Database::new(call.host, options.text("state-file"));
    let counts = engine::import_plans(call, database)?;
    call.line(&format!(
        "imported {} action(s): {} inserted, {} duplicate, {} skipped (missing idempotencyKey)",
        counts.inserted + counts.duplicates,
        counts.inserted,
        counts.duplicates,
        counts.skipped
    ));
    Ok(())
}

fn list(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new()
        .text("state-file", STATE_FILE)
        .text("status", "")
        .text("provider", "")
        .output();
    let options = flags.parse(args)?;
    no_arguments("action list", &options.rest)?;
    print_list(call, &options)
}

fn journal(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new().text("state-file", STATE_FILE).output();
    let options = flags.parse(args)?;
    no_arguments("action journal", &options.rest)?;
    print_list(call, &options)
}

fn print_list(call: &mut RouterctlCall<'_>, options: &Parsed) -> CommandResult {
    let (status, provider) = (options.text("status"), options.text("provider"));
    let found = Database::new(call.host, options.text("state-file"))
        .read(|db| actions::list(db, status, provider))?;
    let mut table =
        "ID\tIDEMPOTENCY_KEY\tPROVIDER\tACTION\tSTATUS\tLIFECYCLE\tTARGET\tAPPROVED_BY\n"
            .to_owned();
    for action in &found {
        let target = string_map(&action.target_json);
        let _ = writeln!(
            table,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            action.id,
            dash_if_blank(&action.idempotency_key),
            dash_if_blank(&action.provider),
            dash_if_blank(&action.action),
            dash_if_blank(&action.status),
            lifecycle(&action.status),
            dash_if_blank(target.get("address").map_or("", String::as_str)),
            dash_if_blank(&action.approved_by),
        );
    }
    print(
        call,
        "action list",
        options.text("output"),
        &rows(found.iter().map(doc).collect()),
        &table,
    )
}

fn lifecycle(status: &str) -> &'static str {
    match status.trim() {
        "succeeded" | "failed" | "skipped" | "rolledBack" => "history",
        _ => "active",
    }
}

fn show(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new().text("state-file", STATE_FILE).output();
    let (id, args) = split_id(args)?;
    let options = flags.parse(&args)?;
    no_arguments("action show", &options.rest)?;
    let action = Database::new(call.host, options.text("state-file"))
        .read(|db| actions::get(db, id))?
        .ok_or_else(|| format!("action {id} not found"))?;
    print(call, "action show", options.text("output"), &doc(&action), &show_table(&action))
}

fn show_table(action: &StoredAction) -> String {
    let rows = [
        ("ID", action.id.to_string()),
        ("Idempotency Key", dash_if_blank(&action.idempotency_key).into()),
        ("Source", dash_if_blank(&action.source).into()),
        ("Provider", dash_if_blank(&action.provider).into()),
        ("Provider Ref", dash_if_blank(&action.provider_ref).into()),
        ("Action", dash_if_blank(&action.action).into()),
        ("Risk Level", dash_if_blank(&action.risk_level).into()),
        ("Status", dash_if_blank(&action.status).into()),
        ("Target", dash_if_blank(&action.target_json).into()),
        ("Parameters", dash_if_blank(&action.parameters_json).into()),
        ("Undo", dash_if_blank(&action.undo_json).into()),
        ("Approved By", dash_if_blank(&action.approved_by).into()),
        ("Approved At", time::format_cell(action.approved_at)),
        ("Executed At", time::format_cell(action.executed_at)),
        ("Result Message", dash_if_blank(&action.result_message).into()),
        ("Error", dash_if_blank(&action.error).into()),
        ("Created At", time::format_cell(action.created_at)),
        ("Updated At", time::format_cell(action.updated_at)),
    ];
    let lines: Vec<String> =
        rows.iter().map(|(label, value)| format!("{label}:\t{value}")).collect();
    lines.join("\n")
}

fn doc(action: &StoredAction) -> Doc {
    DocMap::new()
        .put("id", action.id)
        .put("idempotencyKey", action.idempotency_key.as_str())
        .text("source", &action.source)
        .put("provider", action.provider.as_str())
        .text("providerRef", &action.provider_ref)
        .put("action", action.action.as_str())
        .text("targetJSON", &action.target_json)
        .text("parametersJSON", &action.parameters_json)
        .text("undoJSON", &action.undo_json)
        .text("riskLevel", &action.risk_level)
        .put("status", action.status.as_str())
        .text("approvedBy", &action.approved_by)
        .put("approvedAt", action.approved_at)
        .put("executedAt", action.executed_at)
        .text("resultMessage", &action.result_message)
        .text("error", &action.error)
        .strings("observed", &action.observed)
        .put("createdAt", action.created_at)
        .put("updatedAt", action.updated_at)
        .done()
}

fn approve(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new().text("state-file", STATE_FILE).text("by", "operator");
    let (id, args) = split_id(args)?;
    let options = flags.parse(&args)?;
    no_arguments("action approve", &options.rest)?;
    let database = Database::new(call.host, options.text("state-file"));
    let action = engine::approve_action(call, database, id, options.text("by"))?;
    let by = dash_if_blank(&action.approved_by);
    call.line(&format!("action {id} approved by {by} (status now {})", action.status));
    Ok(())
}

async fn execute(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new()
        .text("config", CONFIG_FILE)
        .text("state-file", STATE_FILE)
        .switch("dry-run", false)
        .switch("approved", false);
    let (id, args) = split_id(args)?;
    let options = flags.parse(&args)?;
    no_arguments("action execute", &options.rest)?;
    check_mode(&options, "execute", "live execute")?;
    let router = config::load(call.host, options.text("config"))?;
    let database = Database::new(call.host, options.text("state-file"));
    if options.on("dry-run") {
        let status = engine::dry_run_action(call, database, id, &router).await?;
        print_preview(call, &format!("action {id} dry-run"), &status);
        call.line("(preview only — journal lifecycle unchanged; approval not consumed)");
        return Ok(());
    }
    let action = engine::execute_action(call, database, id, &router).await?;
    let message = in_brackets(&action.result_message);
    call.line(&format!("action {id} executed: status now {}{message}", action.status));
    Ok(())
}

async fn rollback(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new()
        .text("config", CONFIG_FILE)
        .text("state-file", STATE_FILE)
        .switch("dry-run", false)
        .switch("approved", false);
    let (id, args) = split_id(args)?;
    let options = flags.parse(&args)?;
    no_arguments("action rollback", &options.rest)?;
    check_mode(&options, "rollback", "live rollback")?;
    let router = config::load(call.host, options.text("config"))?;
    let database = Database::new(call.host, options.text("state-file"));
    if options.on("dry-run") {
        let status = engine::preview_roll_back(call, database, id, &router).await?;
        print_preview(call, &format!("action {id} rollback dry-run"), &status);
        call.line("(preview only — journal lifecycle unchanged)");
        return Ok(());
    }
    let action = engine::roll_back(call, database, id, &router).await?;
    call.line(&format!("action {id} rolled back: status now {}", action.status));
    Ok(())
}

/// Neither mode is the default: a bare call never mutates.
fn check_mode(options: &Parsed, verb: &str, live: &str) -> CommandResult {
    match (options.on("dry-run"), options.on("approved")) {
        (true, true) => Err("specify only one of --dry-run or --approved".into()),
        (false, false) => Err(format!(
            "action {verb} requires an explicit mode: \
             pass --dry-run (preview) or --approved ({live})"
        )),
        _ => Ok(()),
    }
}

fn print_preview(call: &mut RouterctlCall<'_>, what: &str, status: &ExecutorReport) {
    call.line(&format!("{what}: {}{}", status.status, in_brackets(&status.message)));
}

fn in_brackets(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

/// The id is the first argument that does not look like an option, be it an option's value.
fn split_id(args: &[String]) -> Result<(i64, Vec<String>), String> {
    let Some(at) = args.iter().position(|arg| !arg.starts_with('-')) else {
        return Err("requires <id>".into());
    };
    let mut rest = args.to_vec();
    let text = rest.remove(at);
    let id = parse_int(text.trim())
        .map_err(|error| format!("invalid action id {}: {error}", quote(&text)))?;
    Ok((id, rest))
}
