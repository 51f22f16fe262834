//! `routerctl doctor`: the areas of the action path. Without a daemon, `hybrid` and `sam` have
//! nothing to look at and say so with a skip.

use std::path::Path;

use super::{not_here, print_json};
use crate::routerctl::config::{self, Plugin, Router};
use crate::routerctl::go::doc::{Doc, DocMap};
use crate::routerctl::go::flags::{FlagSet, Parsed};
use crate::routerctl::go::numbers::os_error;
use crate::routerctl::go::time;
use crate::routerctl::launch;
use crate::routerctl::paths::{CONFIG_FILE, STATE_FILE};
use crate::routerctl::store::{Database, parts, runs};
use crate::routerctl::{CommandResult, RouterctlCall};
use lab::golang::quote;

const AREAS: [&str; 19] = [
    "wan",
    "dns",
    "dslite",
    "dhcpv6-pd",
    "nat",
    "firewall",
    "rollback",
    "disk",
    "mgmt",
    "reconcile",
    "runtime",
    "dynamic",
    "routes",
    "plugin",
    "hybrid",
    "sam",
    "sam-enrollment-client",
    "bgp-dynamic-peer",
    "federation",
];
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckVerdict {
    Pass,
    Warn,
    Fail,
    Skip,
}

impl CheckVerdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

#[derive(Debug)]
struct CheckResult {
    area: &'static str,
    name: String,
    verdict: CheckVerdict,
    detail: String,
    remedy: String,
}

impl CheckResult {
    fn new(
        area: &'static str,
        name: impl Into<String>,
        verdict: CheckVerdict,
        detail: impl Into<String>,
    ) -> Self {
        Self { area, name: name.into(), verdict, detail: detail.into(), remedy: String::new() }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }
}

pub fn run(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    if let Some(other) = args.iter().find(|arg| arg.starts_with('-') && !is_known(arg)) {
        return not_here(&format!("routerctl doctor {other}"));
    }
    let flags = FlagSet::new().output().text("config", CONFIG_FILE).text("state-file", STATE_FILE);
    let options = flags.parse_anywhere(args)?;
    if let Some(extra) = options.rest.get(1) {
        return Err(format!("unexpected diagnose argument {}", quote(extra)));
    }
    let area = match options.rest.first().map(String::as_str) {
        Some(area) if area != "incident" && !AREAS.contains(&area) => {
            return Err(format!("unknown doctor area {}", quote(area)));
        }
        Some(area) => area,
        None => return not_here("routerctl doctor of all areas at once"),
    };
    let checks = match area {
        "hybrid" => hybrid(&inputs(call, &options)?)?,
        "sam" => sam(&inputs(call, &options)?)?,
        "plugin" => match inputs(call, &options) {
            Ok(router) => plugins(call, &router, &options)?,
            Err(error) => {
                let skipped = CheckResult::new("plugin", "inputs", CheckVerdict::Skip, error);
                return report(call, &options, &[skipped]);
            }
        },
        other => return not_here(&format!("routerctl doctor {other}")),
    };
    report(call, &options, &checks)?;
    if checks.iter().any(|check| check.verdict == CheckVerdict::Fail) {
        return Err("doctor found failing checks".into());
    }
    Ok(())
}

/// The configuration; the database is created where there is none.
fn inputs(call: &RouterctlCall<'_>, options: &Parsed) -> Result<Router, String> {
    let router = config::load(call.host, options.text("config"))?;
    Database::new(call.host, options.text("state-file")).write(|_| Ok(()))?;
    Ok(router)
}

/// Whether routerd's doctor is asked with this option here; it knows more options.
fn is_known(option: &str) -> bool {
    let name = option.trim_start_matches('-').split('=').next().unwrap_or_default();
    matches!(name, "o" | "output" | "config" | "state-file")
}

fn hybrid(router: &Router) -> Result<Vec<CheckResult>, String> {
    if ["HybridRoute", "OverlayPeer"].iter().any(|kind| router.of_kind(kind).next().is_some()) {
        not_here("routerctl doctor hybrid of a configuration with HybridRoute or OverlayPeer")?;
    }
    let detail = "no hybrid resources configured";
    Ok(vec![CheckResult::new("hybrid", "HybridRoute", CheckVerdict::Skip, detail)])
}

fn sam(router: &Router) -> Result<Vec<CheckResult>, String> {
    if router.of_kind("MobilityPool").next().is_some() {
        not_here("routerctl doctor sam of a configuration with a MobilityPool")?;
    }
    let detail = "no MobilityPool configured";
    Ok(vec![CheckResult::new("sam", "MobilityPool", CheckVerdict::Skip, detail)])
}

fn plugins(
    call: &RouterctlCall<'_>,
    router: &Router,
    options: &Parsed,
) -> Result<Vec<CheckResult>, String> {
    let database = Database::new(call.host, options.text("state-file"));
    let mut checks = Vec::new();
    let mut by_name: Vec<_> = router.plugins().collect();
    by_name.sort_by_key(|(name, _)| *name);
    for (name, plugin) in by_name {
        checks.extend(executable(call, name, plugin));
        checks.push(last_run(database, name)?);
        checks.push(last_result(call, database, name)?);
    }
    if checks.is_empty() {
        let detail = "no Plugin resources configured";
        checks.push(CheckResult::new(
            "plugin",
            "no plugins configured",
            CheckVerdict::Skip,
            detail,
        ));
    }
    Ok(checks)
}

fn executable(call: &RouterctlCall<'_>, name: &str, plugin: &Plugin) -> [CheckResult; 2] {
    let path = plugin.executable.as_str();
    let exists = |verdict, detail: String| {
        CheckResult::new("plugin", format!("Plugin/{name} executable exists"), verdict, detail)
    };
    let runs = |verdict, detail: String| {
        CheckResult::new(
            "plugin",
            format!("Plugin/{name} executable is executable"),
            verdict,
            detail,
        )
    };
    match call.host.file_mode(Path::new(path.trim())) {
        Err(error) => [
            exists(CheckVerdict::Fail, format!("stat {}: {}", path.trim(), os_error(&error)))
                .remedy("install the plugin executable on this host"),
            runs(CheckVerdict::Skip, "skipped because executable was not found".into()),
        ],
        Ok(mode) if !launch::is_regular(mode) => [
            exists(CheckVerdict::Fail, format!("not a regular file: {path}"))
                .remedy("replace the plugin path with a regular executable file"),
            runs(CheckVerdict::Skip, "skipped because executable is not a regular file".into()),
        ],
        Ok(_) => [
            exists(CheckVerdict::Pass, path.into()),
            match launch::check_executable(call.host, path) {
                Ok(()) => runs(CheckVerdict::Pass, "executable bit set".into()),
                Err(error) => runs(CheckVerdict::Fail, error)
                    .remedy("set executable mode bits on the plugin file"),
            },
        ],
    }
}

fn last_run(database: Database<'_>, name: &str) -> Result<CheckResult, String> {
    let check = |verdict, detail: String| {
        CheckResult::new("plugin", format!("Plugin/{name} last run"), verdict, detail)
    };
    let Some(run) = database.write(|db| runs::find_last_run(db, name))? else {
        return Ok(check(CheckVerdict::Warn, "never run".into())
            .remedy(format!("run routerctl plugin run {name}")));
    };
    Ok(match run.status.as_str() {
        "failed" => {
            let texts = [run.error.as_str(), run.stderr.as_str(), "last run failed"];
            let detail = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
            check(CheckVerdict::Fail, detail.into())
                .remedy("inspect plugin stderr and rerun the plugin")
        }
        "succeeded" => {
            let exit = run.exit_code.map_or("exit unknown".into(), |code| format!("exit {code}"));
            check(
                CheckVerdict::Pass,
                format!("last run {}, {exit}", time::format_cell(run.completed_at)),
            )
        }
        status => check(CheckVerdict::Warn, format!("last run status {status}")),
    })
}

fn last_result(
    call: &RouterctlCall<'_>,
    database: Database<'_>,
    name: &str,
) -> Result<CheckResult, String> {
    let check = |verdict, detail: String| {
        CheckResult::new("plugin", format!("Plugin/{name} last result fresh"), verdict, detail)
    };
    let source = format!("Plugin/{name}");
    let found = database.write(|db| parts::of_source(db, &source))?;
    let Some(part) = found.first() else {
        return Ok(check(CheckVerdict::Warn, "no dynamic part".into())
            .remedy(format!("run routerctl plugin run {name}")));
    };
    let until = time::format_cell(part.expires_at);
    Ok(match part.status_at(call.host.now()) {
        "expired" => check(CheckVerdict::Warn, format!("stale (expired {until})"))
            .remedy("rerun the plugin or adjust its result TTL"),
        _ => check(
            CheckVerdict::Pass,
            format!("generation {} active until {until}", part.generation),
        ),
    })
}

fn report(call: &mut RouterctlCall<'_>, options: &Parsed, checks: &[CheckResult]) -> CommandResult {
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (pass, warn) = (count(CheckVerdict::Pass), count(CheckVerdict::Warn));
    let (fail, skip) = (count(CheckVerdict::Fail), count(CheckVerdict::Skip));
    let overall = match (pass, warn, fail, skip) {
        (_, _, fail, _) if fail > 0 => CheckVerdict::Fail,
        (_, warn, _, _) if warn > 0 => CheckVerdict::Warn,
        (0, _, _, skip) if skip > 0 => CheckVerdict::Skip,
        _ => CheckVerdict::Pass,
    };
    let mut items = Vec::new();
    for check in checks {
        items.push(
            DocMap::new()
                .put("area", check.area)
                .put("name", check.name.as_str())
                .put("status", check.verdict.as_str())
                .text("detail", &check.detail)
                .text("remedy", &check.remedy)
                .done(),
        );
    }
    let summary = DocMap::new()
        .put("overall", overall.as_str())
        .put("pass", pass)
        .put("warn", warn)
        .put("fail", fail)
        .put("skip", skip)
        .done();
    let doc = DocMap::new().put("summary", summary).put("checks", Doc::List(items)).done();
    print_json(call, "doctor", options.text("output"), &doc)
}
