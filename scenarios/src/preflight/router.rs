//! routerd on its node: its configuration, strictly read, permits this run and nothing more; its
//! journal holds nobody else's open rows; its programs are named by digest.

mod policy;
#[cfg(test)]
mod policy_spec;
mod version;

use std::collections::BTreeMap;
use std::time::Duration;

use lab::Lab;
use lab::act::ExecutorProgram;
use lab::router_yaml::{Executor as Resolved, RouterConfig};
use lab::routerd::{DynamicPart, PartCounts, Row, RowStatus};
use lab::shell::{HashedFile, Hashing, RouterYaml};
use reports::digest::Digest;
use reports::record::{Kind, Phase, Program, RowsRecorded};
use serde_json::{Value, json};

use self::policy::{ENVIRONMENT, PolicyExpectation, PolicyProblem, judge_policy};
use self::version::judge_version;
use super::captures;
use super::cloud::Cloud;
use super::gather::{Names, RouterReads, YamlRead};
use super::identity;
use super::permissions;
use super::{LEFTOVERS, PLAN_SOURCE, PLANNER, POLICY, PROGRAMS, ROUTER_YAML, ROWS};
use crate::context::{Context, How, Ruling};
use crate::observe::{self, Readout};
use crate::run::{Executor, PlanSource};
use crate::{imports, stops};

pub struct Router {
    pub yaml_digest: Digest,
    pub config: RouterConfig,
    pub programs: Vec<Program>,
    /// By path, as they were hashed.
    pub files: BTreeMap<String, HashedFile>,
    pub executor: Executor,
    /// Ids, keys and statuses of the rows that are there already.
    pub rows: Vec<Value>,
    pub row_ids: Vec<u64>,
}

pub fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    reads: RouterReads,
    cloud: Option<&Cloud>,
) -> Option<Router> {
    let files = reads.programs.as_ref().map(Hashing::files).unwrap_or_default();
    let yaml = yaml(lab, ctx, reads.yaml);
    let rows = rows(ctx, reads.rows);
    captures::judge(lab, ctx, cloud, rows.as_deref());
    let version = judge_version(lab, ctx, reads.version);
    let config = yaml.as_ref().map(|(_, config)| config);
    parts(lab, ctx, (reads.parts, reads.plans), rows.as_deref(), config);
    leftovers(ctx, reads.folder);
    identity::judge_unit(lab, ctx, reads.unit);
    let is_the_role = reads.identity.is_none_or(|read| identity::judge_executor(lab, ctx, read));
    // What somebody else may says nothing of the executor.
    if is_the_role && !reads.rehearsals.is_empty() {
        permissions::judge_executors(ctx, reads.rehearsals);
    }
    let (yaml_digest, config) = yaml?;
    let executor = policy(lab, ctx, &config);
    let programs = programs(lab, ctx, &config, version.as_deref(), reads.programs);
    let rows = rows?;
    Some(Router {
        yaml_digest,
        programs: programs?,
        files,
        executor: executor?,
        row_ids: rows.iter().map(|row| row.id).collect(),
        rows: rows
            .iter()
            .map(|row| json!({ "id": row.id, "key": row.idempotency_key, "status": row.status }))
            .collect(),
        config,
    })
}

fn yaml(lab: &Lab, ctx: &mut Context<'_>, told: YamlRead) -> Option<(Digest, RouterConfig)> {
    let path = &lab.manifest.routerd.config;
    let expected = json!({ "problems": [] });
    let (RouterYaml { sha256, config }, how) = match observe::keep_reading(ctx, told) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(ROUTER_YAML).expects(expected).seen(how).unknown(why);
            return None;
        }
    };
    match config {
        Ok(config) => {
            ctx.check(ROUTER_YAML).expects(expected).seen(how).passes(json!({ "problems": [] }));
            ctx.stop(&stops::POLICY, None, path);
            Some((sha256, config))
        }
        Err(problems) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let message = problems.join("; ");
            let observed = json!({ "problems": problems });
            ctx.check(ROUTER_YAML).expects(expected).seen(how).fails(observed, message.clone());
            // routerd itself decodes laxly: a misspelt key in the policy opens the gate.
            ctx.stop(&stops::POLICY, Some(message), path);
            None
        }
    }
}

fn policy(lab: &Lab, ctx: &mut Context<'_>, config: &RouterConfig) -> Option<Executor> {
    let capture = &lab.manifest.capture;
    let expectation = PolicyExpectation {
        provider: "aws".to_owned(),
        provider_ref: capture.provider_ref.clone(),
        address: capture.address,
    };
    let problems = judge_policy(config, &expectation);
    let shown: Vec<_> = problems.iter().map(|it| format!("{}: {it}", it.detector())).collect();
    let path = &lab.manifest.routerd.config;
    let how = How::words(format!("routerd-cloud$ sudo -n cat {path}"));
    let message = shown.join("; ");
    let observed = json!({ "problems": shown });
    let ruling = Ruling::when(problems.is_empty(), message);
    ctx.check(POLICY).expects(json!({ "problems": [] })).seen(how).comes_to(observed, ruling);
    let detectors = [
        (1, &stops::CREDENTIALS_IN_ROUTER_YAML),
        (1, &stops::EXECUTOR_ENVIRONMENT),
        (3, &stops::OTHER_PROVIDER),
        (4, &stops::UNDO_NOT_ALLOWED),
        (8, &stops::POLICY),
    ];
    for (stop, detector) in detectors {
        let found: Vec<_> = problems
            .iter()
            .filter(|problem| problem.stop() == Some(stop) && belongs(problem, detector))
            .map(ToString::to_string)
            .collect();
        ctx.stop(detector, (!found.is_empty()).then(|| found.join("; ")), path);
    }
    match config.executor("aws") {
        Resolved::Resolved(plugin) => Some(Executor {
            program: ExecutorProgram {
                executable: plugin.executable.clone(),
                env: plugin.env.0.clone(),
            },
            timeout: Duration::from_millis(plugin.timeout_ms.unwrap_or(30_000)),
        }),
        _ => None,
    }
}

/// Whether it is for this one of a stop's two detectors to see.
fn belongs(problem: &PolicyProblem, detector: &stops::Detector) -> bool {
    (problem.detector() == ENVIRONMENT) == (detector.name == stops::EXECUTOR_ENVIRONMENT.name)
}

const ROUTERCTL: &str = "routerctl";

/// Names and paths of routerctl, the planner and the executor.
pub fn programs_of(lab: &Lab, config: &RouterConfig) -> Vec<(String, String)> {
    let routerd = &lab.manifest.routerd;
    let planner = config.plugins.iter().find(|plugin| plugin.name == routerd.planner);
    let mut wanted = vec![(ROUTERCTL.to_owned(), routerd.routerctl.clone())];
    wanted.extend(planner.map(|it| (it.name.clone(), it.executable.clone())));
    if let Resolved::Resolved(plugin) = config.executor("aws") {
        wanted.push((plugin.name.clone(), plugin.executable.clone()));
    }
    wanted
}

/// Their digests, as they lie on the node.
fn programs(
    lab: &Lab,
    ctx: &mut Context<'_>,
    config: &RouterConfig,
    version: Option<&str>,
    hashing: Option<Hashing>,
) -> Option<Vec<Program>> {
    let routerd = &lab.manifest.routerd;
    let wanted = programs_of(lab, config);
    if !wanted.iter().any(|(name, _)| *name == routerd.planner) {
        let why = format!("router.yaml has no Plugin {}", routerd.planner);
        let how = How::words("router.yaml");
        ctx.check(PROGRAMS).expects(json!(routerd.planner)).seen(how).fails(Value::Null, why);
        return None;
    }
    let expected = json!(wanted.iter().map(|(_, path)| path).collect::<Vec<_>>());
    let mut how = How::default();
    // Read with router.yaml: where that is read, so were they.
    let hashing = hashing?;
    let (files, complaints) = (hashing.files(), hashing.complaints());
    let asked = std::iter::once((None, hashing.identified))
        .chain(hashing.hashed.into_iter().map(|(path, told)| (Some(path), told)));
    for (path, told) in asked {
        match (observe::keep_answer(ctx, told), path) {
            // A file that cannot be identified is hashed by itself.
            (Ok((_, one)), _) | (Err((_, one)), None) => how = how.and(one),
            (Err((why, one)), Some(path)) => {
                ctx.check(PROGRAMS)
                    .expects(expected)
                    .seen(how.and(one))
                    .unknown(format!("{path}: {why}"));
                return None;
            }
        }
    }
    let programs: Vec<Program> = wanted
        .iter()
        .map(|(name, path)| Program {
            name: name.clone(),
            version: version.filter(|_| name == ROUTERCTL).map(str::to_owned),
            path: Some(path.clone()),
            digest: files.get(path).map(|file| file.sha256.clone()),
        })
        .collect();
    let missing: Vec<_> =
        programs.iter().filter(|it| it.digest.is_none()).filter_map(|it| it.path.clone()).collect();
    let message = format!(
        "not readable on routerd-cloud: {} ({})",
        missing.join(", "),
        complaints.join("; ")
    );
    let ruling = Ruling::when(missing.is_empty(), message);
    ctx.check(PROGRAMS).expects(expected).seen(how).comes_to(json!(programs), ruling);
    planner_digest(lab, ctx, &programs);
    missing.is_empty().then_some(programs)
}

/// The planner makes what is executed: it must be the very program that the manifest pins.
fn planner_digest(lab: &Lab, ctx: &mut Context<'_>, programs: &[Program]) {
    let routerd = &lab.manifest.routerd;
    let planner = programs.iter().find(|program| program.name == routerd.planner);
    let Some(digest) = planner.and_then(|program| program.digest.as_ref()) else { return };
    let how = How::words("routerd-cloud$ sudo -n sha256sum");
    ctx.check(PLANNER).expects(json!(routerd.planner_sha256)).seen(how).is(json!(digest));
}

/// Rows of earlier runs are facts for the owner; open rows that are nobody's run are a stop.
fn rows(ctx: &mut Context<'_>, asked: Readout<Vec<Row>>) -> Option<Vec<Row>> {
    let expected = json!({ "open": [] });
    let (rows, how) = match observe::keep_list(ctx, asked) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(ROWS).expects(expected).seen(how).unknown(why);
            return None;
        }
    };
    let open: Vec<_> = rows
        .iter()
        .filter(|row| {
            matches!(row.status, RowStatus::Pending | RowStatus::Approved | RowStatus::Running)
        })
        .map(|row| format!("{} {} ({})", row.id, row.idempotency_key, row.status))
        .collect();
    let message = format!("open rows that are not this run's: {}", open.join(", "));
    let found = (!open.is_empty()).then(|| message.clone());
    let ruling = Ruling::when(open.is_empty(), message);
    ctx.check(ROWS).expects(expected).seen(how).comes_to(json!({ "open": open }), ruling);
    ctx.stop(&stops::FOREIGN_ROWS, found, "routerd's journal");
    ctx.stop(&stops::OTHER_PROVIDER, of_another_provider(&rows), "routerd's journal");
    ctx.write(Kind::RowsRecorded(RowsRecorded { phase: Phase::Baseline, rows: json!(rows) }));
    Some(rows)
}

/// Open rows that another provider's executor would carry out.
fn of_another_provider(rows: &[Row]) -> Option<String> {
    let open = rows.iter().filter(|row| {
        row.provider != "aws" && matches!(row.status, RowStatus::Pending | RowStatus::Approved)
    });
    let named: Vec<_> = open.map(|row| format!("row {} is for {}", row.id, row.provider)).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Who plans: the run's own planner. Plans of a MobilityPool are recognised and refused: they
/// expire within five minutes and change their keys with every scan (contract §2.6).
///
/// What the own planner stored for an ended run is imported until its time is over, for nothing can
/// take it back; where the rows of all of it are settled, an import leaves them as they are.
fn parts(
    lab: &Lab,
    ctx: &mut Context<'_>,
    (list, plans): (Readout<Vec<PartCounts>>, Readout<Vec<DynamicPart>>),
    rows: Option<&[Row]>,
    config: Option<&RouterConfig>,
) {
    let expected = json!({ "other_planners": [] });
    let (list, how) = match observe::keep_answer(ctx, list) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(PLAN_SOURCE).expects(expected).seen(how).unknown(why),
    };
    let own = PlanSource::part_of(&lab.manifest.routerd.planner);
    let (plans, how) = match observe::keep_list(ctx, plans) {
        Ok((plans, one)) => (plans, how.and(one)),
        Err((why, one)) => {
            return ctx.check(PLAN_SOURCE).expects(expected).seen(how.and(one)).unknown(why);
        }
    };
    let (parts, how) = match observe::read_list(list, how) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(PLAN_SOURCE).expects(expected).seen(how).unknown(why),
    };
    let pools = config.map(|config| config.mobility_pools.clone()).unwrap_or_default();
    let now = lab.clock.now();
    let (ours, theirs): (Vec<_>, Vec<_>) = parts
        .iter()
        .filter(|part| part.plans > 0 && part.expires_at > now)
        .partition(|part| part.source == own);
    let mut others: Vec<String> = theirs.into_iter().map(|part| part.source.clone()).collect();
    if let Some(until) = ours.iter().map(|part| part.expires_at).max() {
        let lasting = plans.iter().filter(|part| part.expires_at > now);
        let described: usize = lasting.map(|part| part.plans.len()).sum();
        if ours.iter().map(|part| part.plans).sum::<u64>() != described as u64 {
            let why = format!("routerctl lists and describes other plans of {own}");
            return ctx.check(PLAN_SOURCE).expects(expected).seen(how).unknown(why);
        }
        let Some(rows) = rows else {
            let why = format!("whether {own} would be imported cannot be told without the rows");
            return ctx.check(PLAN_SOURCE).expects(expected).seen(how).unknown(why);
        };
        if !imports::to_come(&plans, rows, now).is_empty() {
            others.push(format!("{own} (an earlier run's, until {until})"));
        }
    }
    others.extend(pools.into_iter().map(|pool| format!("MobilityPool/{pool}")));
    others.dedup();
    let message = format!(
        "plans of {} would be imported beside the run's own; take the pool out, or wait until its lease has ended",
        others.join(", ")
    );
    let observed = json!({ "other_planners": others });
    let ruling = Ruling::when(others.is_empty(), message);
    ctx.check(PLAN_SOURCE).expects(expected).seen(how).comes_to(observed, ruling);
}

/// Files of a run that never ended.
fn leftovers(ctx: &mut Context<'_>, told: Names) {
    let expected = json!([]);
    match observe::keep_reading(ctx, told) {
        Ok((names, how)) => {
            let left: Vec<String> = names
                .into_iter()
                .filter(|name| !name.starts_with("burnt-") && !name.starts_with("lock.json"))
                .collect();
            let message = format!(
                "an earlier run left {} in {}; end it with `lab-smoke recover`",
                left.join(", "),
                lab::shell::NODE_FOLDER
            );
            let ruling = Ruling::when(left.is_empty(), message);
            ctx.check(LEFTOVERS).expects(expected).seen(how).comes_to(json!(left), ruling);
        }
        Err((why, how)) => ctx.check(LEFTOVERS).expects(expected).seen(how).unknown(why),
    }
}

#[cfg(test)]
mod tests;
