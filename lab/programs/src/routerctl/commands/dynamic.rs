//! `routerctl dynamic`: the parts that planners stored, with their plans.

use super::{no_arguments, not_here, print_json};
use crate::routerctl::go::doc::{Doc, DocMap};
use crate::routerctl::go::flags::FlagSet;
use crate::routerctl::paths::STATE_FILE;
use crate::routerctl::plan::ProposedPlan;
use crate::routerctl::planner_answer::Directive;
use crate::routerctl::store::Database;
use crate::routerctl::store::parts::{self, StoredPart};
use crate::routerctl::{CommandResult, RouterctlCall};
use lab::golang::quote;

pub fn run(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let Some((subcommand, args)) = args.split_first() else {
        return Err("dynamic requires subcommand".into());
    };
    match subcommand.as_str() {
        "list" => list(call, args),
        "describe" => describe(call, args),
        "render" | "diff" => not_here(&format!("routerctl dynamic {subcommand}")),
        other => Err(format!("unknown dynamic subcommand {}", quote(other))),
    }
}

/// A part with its columns decoded. What a MobilityPool stores beside its plans is not shown.
struct Content {
    part: StoredPart,
    directives: Option<Vec<Directive>>,
    resources: Option<usize>,
    plans: Vec<ProposedPlan>,
}

impl Content {
    fn decode(part: StoredPart) -> Result<Self, String> {
        let within = |field: &str, error: String| {
            format!("{} generation {} {field}: {error}", part.source, part.generation)
        };
        let reserved = part.source.trim().starts_with("MobilityPool/");
        let column = |text: &str| if reserved { String::new() } else { text.to_owned() };
        let resources = count(&column(&part.resources_json)).map_err(|e| within("resources", e))?;
        let directives = Directive::decode(&column(&part.directives_json))
            .map_err(|error| within("directives", error))?;
        let plans = part.plans().map_err(|error| within("actionPlans", error))?;
        Ok(Self { part, directives, resources, plans })
    }
}

fn count(column: &str) -> Result<Option<usize>, String> {
    if column.trim().is_empty() {
        return Ok(None);
    }
    let items: Option<Vec<serde_json::Value>> =
        crate::routerctl::go::json::decode(column.as_bytes())?;
    Ok(items.map(|items| items.len()))
}

fn list(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags = FlagSet::new().text("state-file", STATE_FILE).output();
    let options = flags.parse(args)?;
    no_arguments("dynamic list", &options.rest)?;
    let found = Database::new(call.host, options.text("state-file")).read(|db| parts::list(db))?;
    let now = call.host.now();
    let mut items = Vec::new();
    for part in found {
        let content = Content::decode(part)?;
        let part = &content.part;
        let resources = content.resources.unwrap_or_default();
        let directives = content.directives.as_ref().map_or(0, Vec::len);
        items.push(
            DocMap::new()
                .put("source", part.source.as_str())
                .put("generation", part.generation)
                .put("status", part.status_at(now))
                .put("resources", resources)
                .put("directives", directives)
                .put("actionPlans", content.plans.len())
                .put("expiresAt", part.expires_at)
                .done(),
        );
    }
    print_json(call, "dynamic list", options.text("output"), &Doc::List(items))
}

fn describe(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let options = Describe::parse(args)?;
    let found = Database::new(call.host, &options.state_file)
        .read(|db| parts::of_source(db, &options.source))?;
    let now = call.host.now();
    let mut items = Vec::new();
    for part in found {
        let content = Content::decode(part)?;
        items.push(describe_doc(&content, content.part.status_at(now)));
    }
    print_json(call, "dynamic describe", &options.output, &Doc::List(items))
}

fn describe_doc(content: &Content, status: &str) -> Doc {
    let part = &content.part;
    let resources = match content.resources {
        Some(_) => Doc::List(Vec::new()),
        None => Doc::Nil,
    };
    DocMap::new()
        .put("id", part.id)
        .put("source", part.source.as_str())
        .put("generation", part.generation)
        .put("status", status)
        .put("storedStatus", part.status.as_str())
        .put("observedAt", part.observed_at)
        .put("expiresAt", part.expires_at)
        .put("digest", part.digest.as_str())
        .put("resources", resources)
        .put("directives", Directive::docs(content.directives.as_deref()))
        .list("actionPlans", content.plans.iter().map(ProposedPlan::doc).collect())
        .text("error", &part.error)
        .put("createdAt", part.created_at)
        .put("updatedAt", part.updated_at)
        .done()
}

/// Options that may stand anywhere.
struct Describe {
    source: String,
    state_file: String,
    output: String,
}

impl Describe {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut options =
            Self { source: String::new(), state_file: STATE_FILE.into(), output: "table".into() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = |missing: &str| {
                args.next().cloned().ok_or_else(|| format!("{missing} requires a value"))
            };
            match arg.as_str() {
                "-o" | "--output" => options.output = value("-o")?,
                "--state-file" => options.state_file = value("--state-file")?,
                arg => options.take(arg)?,
            }
        }
        options.source = options.source.trim().to_owned();
        if options.source.is_empty() {
            return Err("dynamic describe requires <source>".into());
        }
        Ok(options)
    }

    fn take(&mut self, arg: &str) -> CommandResult {
        if let Some(value) = arg.strip_prefix("-o=").or_else(|| arg.strip_prefix("--output=")) {
            self.output = value.into();
        } else if let Some(value) = arg.strip_prefix("--state-file=") {
            self.state_file = value.into();
        } else if arg.starts_with('-') {
            return Err(format!("unknown dynamic describe option {}", quote(arg)));
        } else if self.source.is_empty() {
            self.source = arg.into();
        } else {
            return Err(format!("unexpected dynamic describe argument {}", quote(arg)));
        }
        Ok(())
    }
}
