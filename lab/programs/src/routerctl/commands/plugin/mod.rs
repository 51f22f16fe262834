//! `routerctl plugin`: one run of one of them.

mod options;
mod report;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reports::digest::Digest;

use self::options::PluginOptions;
use self::report::PluginRunReport;
use super::{not_here, print};
use crate::routerctl::config::{self, Plugin, Router};
use crate::routerctl::go::json;
use crate::routerctl::go::time;
use crate::routerctl::launch::{self, ProgramRole, Ran};
use crate::routerctl::planner_answer::PlannerAnswer;
use crate::routerctl::store::Database;
use crate::routerctl::store::parts::{self, StoredPart};
use crate::routerctl::store::runs::{self, StoredEvent};
use crate::routerctl::{CommandResult, RouterctlCall};
use lab::golang::quote;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn run(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let Some((subcommand, args)) = args.split_first() else {
        return Err("plugin requires subcommand".into());
    };
    match subcommand.as_str() {
        "run" => run_one(call, args).await,
        "list" => not_here("routerctl plugin list"),
        other => Err(format!("unknown plugin subcommand {}", quote(other))),
    }
}

async fn run_one(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let options = PluginOptions::parse(args)?;
    let router = config::load(call.host, &options.config)?;
    let name = options.name.as_str();
    let plugin = router
        .plugins()
        .find(|(candidate, _)| *candidate == name)
        .map(|(_, plugin)| plugin)
        .ok_or_else(|| format!("Plugin {} not found in startup config", quote(name)))?;
    let source = format!("Plugin/{name}");
    let database = Database::new(call.host, &options.state_file);
    let now = call.host.now();
    let started = if options.dry_run {
        Started { id: 0, previous_generation: 0 }
    } else {
        start(call, &database, &options, &source, now)?
    };
    let (ran, duration_ms) =
        spawn(call, plugin, name, &router, started.previous_generation, now).await;
    let answered = match &ran.failure {
        Some(failure) => Err(Failed::Run(failure.clone())),
        None => PlannerAnswer::read(&ran.stdout)
            .map_err(|error| Failed::Run(format!("decode plugin {name} stdout: {error}")))
            .and_then(|answer| {
                let part = answer.to_part(&source, started.previous_generation + 1, now);
                part.map(|part| (answer, part)).map_err(Failed::Rejected)
            }),
    };
    if !options.dry_run {
        let finished = Finished { id: started.id, name, source: &source, ran: &ran, duration_ms };
        finish(call, &database, &finished, answered.as_ref())?;
    }
    let (answer, part) = answered.map_err(Failed::into_text)?;
    let report = PluginRunReport {
        name,
        source,
        dry_run: options.dry_run,
        ran: &ran,
        duration_ms,
        answer: &answer,
        part: &part,
    };
    print(call, "plugin run", &options.output, &report.doc(), &report.table())
}

enum Failed {
    /// The program did not answer.
    Run(String),
    /// The answer is no part.
    Rejected(String),
}

impl Failed {
    fn into_text(self) -> String {
        match self {
            Self::Run(text) | Self::Rejected(text) => text,
        }
    }
}

struct Started {
    id: i64,
    previous_generation: i64,
}

fn start(
    call: &RouterctlCall<'_>,
    database: &Database<'_>,
    options: &PluginOptions,
    source: &str,
    now: DateTime<Utc>,
) -> Result<Started, String> {
    let path = Path::new(&options.state_file);
    if path.is_relative() && call.host.file_mode(path).is_ok() {
        // routerd looks for the previous generation through its read-only URI.
        database.read(|db| parts::of_source(db, source))?;
    }
    let event = StoredEvent {
        topic: "routerd.plugin.run.started",
        severity: "info",
        reason: "PluginRunStarted",
        message: "plugin run started",
        attributes: BTreeMap::from([("plugin.name".into(), options.name.clone())]),
    };
    database.write(|db| {
        let generations = parts::of_source(db, source)?;
        let id = runs::start(db, &options.name, now)?;
        runs::record_event(db, &event, call.host.now())?;
        Ok(Started {
            id,
            previous_generation: generations.iter().map(|part| part.generation).max().unwrap_or(0),
        })
    })
}

async fn spawn(
    call: &RouterctlCall<'_>,
    plugin: &Plugin,
    name: &str,
    router: &Router,
    previous_generation: i64,
    now: DateTime<Utc>,
) -> (Ran, i64) {
    let request = format!(
        "{{\"apiVersion\":\"plugin.routerd.net/v1alpha1\",\"kind\":\"PluginRequest\",\
         \"metadata\":{{\"name\":{}}},\"spec\":{{\"trigger\":{{\"type\":\"manual\"}},\
         \"startupConfigHash\":\"{}\",\"effectiveGeneration\":0,\
         \"previousDynamicGeneration\":{previous_generation},\"now\":\"{}\",\"context\":{{}}}}}}",
        json::quote_string(name),
        router.digest,
        time::format_nano(Some(now)),
    );
    let role = ProgramRole { noun: "plugin", name, default_timeout: DEFAULT_TIMEOUT };
    let started = call.host.now();
    let ran = launch::launch_plugin(call.host, &call.env, plugin, role, request).await;
    (ran, (call.host.now() - started).num_milliseconds())
}

struct Finished<'a> {
    id: i64,
    name: &'a str,
    source: &'a str,
    ran: &'a Ran,
    duration_ms: i64,
}

impl Finished<'_> {
    fn ended_event(&self, topic: &'static str) -> (BTreeMap<String, String>, String, &'static str) {
        let exit_code = self.ran.exit_code.unwrap_or(-1).to_string();
        let attributes = BTreeMap::from([
            ("plugin.name".to_owned(), self.name.to_owned()),
            ("plugin.exitCode".to_owned(), exit_code),
            ("plugin.durationMs".to_owned(), self.duration_ms.to_string()),
        ]);
        let (how, reason) = match topic {
            "routerd.plugin.run.succeeded" => ("succeeded", "PluginRunSucceeded"),
            _ => ("failed", "PluginRunFailed"),
        };
        (attributes, format!("plugin {} run {how}", self.name), reason)
    }

    fn history(&self, now: DateTime<Utc>, failure: Option<&str>) -> runs::StoredRun {
        runs::StoredRun {
            status: if failure.is_some() { "failed" } else { "succeeded" }.into(),
            completed_at: Some(now),
            exit_code: self.ran.exit_code,
            stderr: self.ran.stderr.clone(),
            error: failure.unwrap_or_default().into(),
        }
    }
}

fn finish(
    call: &RouterctlCall<'_>,
    database: &Database<'_>,
    finished: &Finished<'_>,
    answered: Result<&(PlannerAnswer, StoredPart), &Failed>,
) -> CommandResult {
    let now = call.host.now();
    let digest = stdout_digest(finished.ran);
    let (topic, severity) = match answered {
        Ok(_) => ("routerd.plugin.run.succeeded", "info"),
        Err(_) => ("routerd.plugin.run.failed", "error"),
    };
    let failure = match answered {
        Ok(_) => None,
        Err(Failed::Run(text) | Failed::Rejected(text)) => Some(text.as_str()),
    };
    let (attributes, message, reason) = finished.ended_event(topic);
    let ended = StoredEvent { topic, severity, reason, message: &message, attributes };
    database.write(|db| {
        if let Ok((answer, part)) = answered {
            parts::upsert(db, part, now)?;
            runs::record_event(db, &accepted(answer, part), now)?;
        }
        runs::complete(db, finished.id, &finished.history(now, failure), &digest)?;
        if let Err(Failed::Rejected(error)) = answered {
            runs::record_event(db, &rejected(finished.source, error), now)?;
        }
        runs::record_event(db, &ended, now)
    })
}

fn accepted(answer: &PlannerAnswer, part: &StoredPart) -> StoredEvent<'static> {
    let directives = answer.directives.as_ref().map_or(0, Vec::len);
    StoredEvent {
        topic: "routerd.dynamic.part.accepted",
        severity: "info",
        reason: "DynamicPartAccepted",
        message: "dynamic config part accepted",
        attributes: BTreeMap::from([
            ("dynamic.source".into(), part.source.clone()),
            ("dynamic.generation".into(), part.generation.to_string()),
            ("dynamic.expiresAt".into(), time::format_cell(part.expires_at)),
            ("dynamic.resources".into(), "0".into()),
            ("dynamic.directives".into(), directives.to_string()),
        ]),
    }
}

fn rejected(source: &str, error: &str) -> StoredEvent<'static> {
    StoredEvent {
        topic: "routerd.dynamic.part.rejected",
        severity: "error",
        reason: "DynamicPartRejected",
        message: "dynamic config part rejected",
        attributes: BTreeMap::from([
            ("dynamic.source".into(), source.into()),
            ("error".into(), error.into()),
        ]),
    }
}

/// Empty where nothing was started.
fn stdout_digest(ran: &Ran) -> String {
    ran.exit_code.map(|_| Digest::of(&ran.stdout).to_string()).unwrap_or_default()
}
