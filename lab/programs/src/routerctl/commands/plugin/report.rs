//! The report that `plugin run` prints.

use std::fmt::Write as _;

use super::stdout_digest;
use crate::routerctl::go::doc::{Doc, DocMap};
use crate::routerctl::go::time;
use crate::routerctl::launch::Ran;
use crate::routerctl::plan::ProposedPlan;
use crate::routerctl::planner_answer::{Directive, PlannerAnswer};
use crate::routerctl::store::parts::StoredPart;

/// A run, with everything that is reported of it.
pub struct PluginRunReport<'a> {
    pub name: &'a str,
    pub source: String,
    pub dry_run: bool,
    pub ran: &'a Ran,
    pub duration_ms: i64,
    pub answer: &'a PlannerAnswer,
    pub part: &'a StoredPart,
}

impl PluginRunReport<'_> {
    pub fn doc(&self) -> Doc {
        let outcome = DocMap::new()
            .number("exitCode", self.ran.exit_code.unwrap_or(0))
            .put("hasExitCode", true)
            .put("durationMs", self.duration_ms)
            .put("stdoutDigest", stdout_digest(self.ran).as_str())
            .text("stderr", &self.ran.stderr);
        let plans = || self.answer.plans.iter().map(ProposedPlan::doc).collect();
        let summary = DocMap::new()
            .put("resources", 0_i64)
            .put("directives", self.directives().len())
            .put("actionPlans", self.answer.plans.len())
            .put("events", self.answer.events)
            .put("actionPlansDisplayOnly", true);
        DocMap::new()
            .put("plugin", self.name)
            .put("source", self.source.as_str())
            .put("dryRun", self.dry_run)
            .put("stored", !self.dry_run)
            .put("outcome", outcome.done())
            .put("part", self.part_doc(plans()))
            .put("summary", summary.done())
            .list("actionPlans", plans())
            .done()
    }

    fn part_doc(&self, plans: Vec<Doc>) -> Doc {
        let part = self.part;
        let name = format!("{}-{}", part.source.replace('/', "-"), part.generation);
        let spec = DocMap::new()
            .put("source", part.source.as_str())
            .put("generation", part.generation)
            .put("observedAt", part.observed_at)
            .put("expiresAt", part.expires_at)
            .put("digest", part.digest.as_str())
            .put("resources", self.answer.resources_doc())
            .put("directives", Directive::docs(self.answer.directives.as_deref()))
            .list("actionPlans", plans)
            .put("mobilityDataplane", Doc::Map(Vec::new()));
        DocMap::new()
            .put("apiVersion", "config.routerd.net/v1alpha1")
            .put("kind", "DynamicConfigPart")
            .put("metadata", DocMap::new().put("name", name.as_str()).done())
            .put("spec", spec.done())
            .done()
    }

    fn directives(&self) -> &[Directive] {
        self.answer.directives.as_deref().unwrap_or_default()
    }

    pub fn table(&self) -> String {
        let mut table = String::new();
        for (label, value) in [
            ("Plugin", self.name.to_owned()),
            ("Mode", if self.dry_run { "dry-run" } else { "stored" }.to_owned()),
            ("Source", self.source.clone()),
            ("Generation", self.part.generation.to_string()),
            ("Observed At", time::format_cell(self.part.observed_at)),
            ("Expires", time::format_cell(self.part.expires_at)),
            ("Digest", self.part.digest.clone()),
            ("Resources", "0".to_owned()),
            ("Directives", self.directives().len().to_string()),
        ] {
            let _ = writeln!(table, "{label}:\t{value}");
        }
        for directive in self.directives() {
            let _ = writeln!(table, "  -\t{} {}", directive.op, directive.target.path());
        }
        let plans = &self.answer.plans;
        let _ = writeln!(table, "Action Plans:\t{} display-only; not executed", plans.len());
        for plan in plans {
            let _ = writeln!(table, "  -\t{} {}/{}", plan.name, plan.provider, plan.action);
        }
        let _ = writeln!(table, "Events:\t{}", self.answer.events);
        table
    }
}
