//! The argument lists. The order matters: routerctl takes the first word without a dash for the
//! id, so a flag's value never stands alone before it.

use super::answer::AnswerError;
use super::{Approved, Executed, Imported, Previewed, RolledBack, answers};
use super::{DoctorReport, DynamicPart, Owner, PartCounts, PluginRun, Resource, Resources, Row};
use crate::manifest::Routerd;
use crate::node::Output;

/// A command together with the reader of its answer, so that no answer meets a wrong parser.
pub struct Call<T> {
    pub argv: Vec<String>,
    parse: fn(&str, &Output) -> Result<T, AnswerError>,
}

impl<T> Call<T> {
    /// Reads the command's answer. Fails where it is a refusal, or ambiguous.
    pub fn read(&self, output: &Output) -> Result<T, AnswerError> {
        (self.parse)(&self.argv.join(" "), output)
    }
}

/// The routerctl of one lab.
#[derive(Clone, Copy, Debug)]
pub struct Routerctl<'a> {
    routerd: &'a Routerd,
}

impl<'a> Routerctl<'a> {
    /// The routerctl that the manifest's `routerd` names, with its config and state file.
    pub fn new(routerd: &'a Routerd) -> Self {
        Self { routerd }
    }

    /// Runs a plugin once, and routerd stores its result (`plugin run`).
    pub fn plugin_run(self, name: &str) -> Call<PluginRun> {
        self.call(
            &["plugin", "run", name],
            &[&self.config(), &self.state(), "-o", "json"],
            answers::plugin_run,
        )
    }

    /// Lists the dynamic parts with how much each holds (`dynamic list`).
    pub fn dynamic_list(self) -> Call<Vec<PartCounts>> {
        self.call(&["dynamic", "list"], &[&self.state(), "-o", "json"], answers::read_parts)
    }

    /// `source` is routerd's name of it, as `Plugin/lab-planner`.
    pub fn dynamic_describe(self, source: &str) -> Call<Vec<DynamicPart>> {
        self.call(
            &["dynamic", "describe", source],
            &[&self.state(), "-o", "json"],
            answers::parts_described,
        )
    }

    /// Imports the stored plans into routerd's journal (`action import`).
    pub fn import(self) -> Call<Imported> {
        self.call(&["action", "import"], &[&self.state()], answers::read_imported)
    }

    /// All rows of routerd's journal, newest first.
    pub fn list(self) -> Call<Vec<Row>> {
        self.call(&["action", "list"], &[&self.state(), "-o", "json"], answers::read_action_rows)
    }

    /// Shows one row of routerd's journal (`action show`).
    pub fn show(self, id: u64) -> Call<Row> {
        self.action("show", id, &[&self.state(), "-o", "json"], answers::read_action_row)
    }

    /// Approves a pending row in the name of `by` (`action approve`).
    pub fn approve(self, id: u64, by: &str) -> Call<Approved> {
        self.action("approve", id, &[&format!("--by={by}"), &self.state()], answers::read_approved)
    }

    /// The executor's preview. routerd wants the approval first (contract §1.8 m).
    pub fn execute_dry_run(self, id: u64) -> Call<Previewed> {
        self.action(
            "execute",
            id,
            &["--dry-run", &self.config(), &self.state()],
            answers::read_previewed,
        )
    }

    /// Executes an approved row, live (`action execute --approved`).
    pub fn execute(self, id: u64) -> Call<Executed> {
        self.action(
            "execute",
            id,
            &["--approved", &self.config(), &self.state()],
            answers::read_executed,
        )
    }

    /// The executor's preview of a row's undo (`action rollback --dry-run`).
    pub fn rollback_dry_run(self, id: u64) -> Call<Previewed> {
        self.action(
            "rollback",
            id,
            &["--dry-run", &self.config(), &self.state()],
            answers::undo_previewed,
        )
    }

    /// Undoes a row that succeeded, live (`action rollback --approved`).
    pub fn rollback(self, id: u64) -> Call<RolledBack> {
        self.action(
            "rollback",
            id,
            &["--approved", &self.config(), &self.state()],
            answers::rolled_back,
        )
    }

    /// Prints one line, as `routerctl v20260822.1715`; reads nothing.
    pub fn version(self) -> Vec<String> {
        ["sudo", "-n", &self.routerd.routerctl, "version"].map(str::to_owned).to_vec()
    }

    /// The area is always named: without one all areas run, and home-router checks fail for
    /// reasons that have nothing to do with the lab.
    pub fn doctor(self, area: &str) -> Call<DoctorReport> {
        self.call(
            &["doctor", area],
            &[&self.config(), &self.state(), "-o", "json"],
            answers::read_doctor_report,
        )
    }

    /// All resources of a kind; the daemon answers.
    pub fn get(self, kind: &str) -> Call<Resources> {
        self.call(&["get", kind], &["-o", "json"], answers::read_resources)
    }

    /// One resource by its kind and name; the daemon answers.
    pub fn describe(self, kind: &str, name: &str) -> Call<Resource> {
        self.call(
            &["describe", &format!("{kind}/{name}")],
            &["-o", "json"],
            answers::read_described,
        )
    }

    /// The owner table: who has an address, and who captures it (`mobility owners`).
    pub fn mobility_owners(self) -> Call<Vec<Owner>> {
        self.call(&["mobility", "owners"], &[&self.state(), "-o", "json"], answers::read_owners)
    }

    fn config(self) -> String {
        format!("--config={}", self.routerd.config)
    }

    fn state(self) -> String {
        format!("--state-file={}", self.routerd.state_file)
    }

    fn action<T>(
        self,
        verb: &str,
        id: u64,
        flags: &[&str],
        parse: fn(&str, &Output) -> Result<T, AnswerError>,
    ) -> Call<T> {
        self.call(&["action", verb, &id.to_string()], flags, parse)
    }

    fn call<T>(
        self,
        words: &[&str],
        flags: &[&str],
        parse: fn(&str, &Output) -> Result<T, AnswerError>,
    ) -> Call<T> {
        // The database is root's; `-n` because nobody is there to type a password.
        let head = ["sudo", "-n", self.routerd.routerctl.as_str()];
        let argv = head.iter().chain(words).chain(flags).map(|&word| word.to_owned()).collect();
        Call { argv, parse }
    }
}
