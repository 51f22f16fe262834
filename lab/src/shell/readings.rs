//! The read-only commands whose answer has a type: each is made together with its parser.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Observe;
use super::observe::{QUICK, ROUTERCTL, words};
use super::ssh::{self, Knocked, Login};
use crate::act::{ExecutorAnswer, ExecutorProgram, ExecutorSilence, dry_run_request};
use crate::change_set::ActionPlan;
use crate::ec2::Allowance;
use crate::manifest::{Manifest, Routerd};
use crate::node::Output;
use crate::outage::{ExchangeOrder, Exchanged, ProbeSilence};
use crate::routerd::{
    AnswerError, Call, DoctorReport, DynamicPart, Owner, PartCounts, Previewed, Resources,
    Routerctl, Row, Unit,
};

/// A login with a payload over a slow way.
const LOGIN: Duration = Duration::from_secs(30);

/// Why what a command printed cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It did not come to its end, and what it said on stderr.
    #[error("it ended with exit code {code}: {said}")]
    Ended { code: i32, said: String },
    #[error("`{0}` is not a time")]
    NoTime(String),
    #[error("what systemctl says of {0} cannot be understood")]
    NoUnit(String),
}

/// The text that a command printed which ended well.
fn text(output: &Output) -> Result<String, Unread> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.code {
        0 => Ok(text(&output.stdout)),
        code => Err(Unread::Ended { code, said: text(&output.stderr).trim().to_owned() }),
    }
}

impl Observe<Result<DateTime<Utc>, Unread>> {
    /// The node's clock: it says nanoseconds since 1970.
    pub fn clock() -> Self {
        Observe::quick(&["date", "+%s%N"]).read_as(|output| {
            let text = text(&output)?.trim().to_owned();
            let nanoseconds = text.parse().map_err(|_| Unread::NoTime(text))?;
            Ok(DateTime::from_timestamp_nanos(nanoseconds))
        })
    }
}

impl Observe<Result<Vec<String>, Unread>> {
    /// The names in the folder where a run keeps its files; none where there is no folder.
    pub fn node_folder() -> Self {
        let script = "test ! -e \"$1\" || ls -1A \"$1\"";
        Observe::quick(&["sudo", "-n", "sh", "-c", script, "sh", super::NODE_FOLDER])
            .read_as(|output| Ok(text(&output)?.lines().map(str::to_owned).collect()))
    }
}

impl Observe<Result<Unit, Unread>> {
    /// A unit of the node's service manager, with what its files hold.
    pub fn unit(name: &str) -> Self {
        let shown = name.to_owned();
        Observe::unit_and_files(name)
            .read_as(move |output| Unit::read(&text(&output)?).ok_or(Unread::NoUnit(shown.clone())))
    }
}

impl Observe<Login> {
    /// Logs in on another node over a fresh connection and sends a payload larger than the path
    /// MTU: the far side says who it is, which connection it sees, and the payload's digest.
    pub fn ssh_payload(to: &ssh::SshTarget) -> Self {
        Self::login(ssh::payload_argv(to))
    }

    /// The same over another fresh connection, with the near end's view of it.
    pub fn ssh_tuple(to: &ssh::SshTarget) -> Self {
        Self::login(ssh::tuple_argv(to))
    }

    fn login(argv: Vec<String>) -> Self {
        Observe::new(argv, LOGIN).read_as(|output| Login::read(&output))
    }
}

impl Observe<Knocked> {
    /// Asks for a connection that should not come about; a second is enough for an answer.
    pub fn connect_in_vain(to: &ssh::SshTarget) -> Self {
        Observe::new(ssh::knock_argv(to), QUICK).read_as(|output| Knocked::read(&output))
    }
}

impl Observe<Result<Exchanged, ProbeSilence>> {
    /// Exchanges datagrams and connections with the other client.
    pub fn exchange(program: &str, order: &ExchangeOrder) -> Self {
        let mut argv = words(&["sudo", "-n", program, "exchange"]);
        argv.extend(order.words());
        Observe::new(argv, QUICK).read_as(|output| Exchanged::read(&output))
    }
}

impl Observe<Result<ExecutorAnswer, ExecutorSilence>> {
    /// The executor's word on what it would do of a plan: its own dry run, which asks AWS and
    /// changes nothing.
    pub fn executor_dry_run(
        manifest: &Manifest,
        program: &ExecutorProgram,
        plan: &ActionPlan,
        limit: Duration,
    ) -> Self {
        let mut argv = super::as_executor(&program.env);
        argv.extend(words(&[&program.executable]));
        let stdin = dry_run_request(manifest, plan).to_string().into_bytes();
        let command = Observe::new(argv, limit + QUICK).with_stdin(stdin);
        command.read_as(|output| ExecutorAnswer::read(&output))
    }
}

/// What the CLI was told on the node of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRehearsal {
    pub allowance: Allowance,
    /// The CLI's words, or why it said nothing.
    pub said: String,
}

impl NodeRehearsal {
    /// EC2's code as the CLI prints it: `An error occurred (CODE) when calling the …`.
    fn read(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.code == 0 {
            let said = "the CLI ended well, so that it may have been carried out".to_owned();
            return Self { allowance: Allowance::Unknown, said };
        }
        let code = said.split_once("An error occurred (").and_then(|(_, it)| it.split_once(')'));
        let allowance = code.map_or(Allowance::Unknown, |(code, _)| Allowance::of_code(code));
        let without = said.is_empty().then(|| format!("it ended with exit code {}", output.code));
        Self { allowance, said: without.unwrap_or(said) }
    }
}

impl Observe<NodeRehearsal> {
    /// Whether the executor, as itself and on the node, may set the ENI's source/dest check to this
    /// value: by DryRun alone.
    pub fn rehearse_check(
        env: &BTreeMap<String, String>,
        manifest: &Manifest,
        source_dest_check: bool,
    ) -> Self {
        let eni = &manifest.capture.network_interface_id;
        Observe::check_rehearsal(env, &manifest.aws.region, eni, source_dest_check)
            .read_as(|output| NodeRehearsal::read(&output))
    }
}

impl<T: 'static> Observe<Result<T, AnswerError>> {
    fn routerctl(call: Call<T>) -> Self {
        Observe::new(call.argv.clone(), ROUTERCTL).read_as(move |output| call.read(&output))
    }
}

impl Observe<Result<Vec<Row>, AnswerError>> {
    /// All rows of routerd's journal.
    pub fn rows(routerd: &Routerd) -> Self {
        Self::routerctl(Routerctl::new(routerd).list())
    }
}

impl Observe<Result<Vec<PartCounts>, AnswerError>> {
    /// The dynamic parts of all sources, without their plans.
    pub fn dynamic_parts(routerd: &Routerd) -> Self {
        Self::routerctl(Routerctl::new(routerd).dynamic_list())
    }
}

impl Observe<Result<Vec<DynamicPart>, AnswerError>> {
    /// The dynamic parts of one source, with their plans.
    pub fn dynamic_part(routerd: &Routerd, source: &str) -> Self {
        Self::routerctl(Routerctl::new(routerd).dynamic_describe(source))
    }
}

impl Observe<Result<Previewed, AnswerError>> {
    /// The executor's preview of an approved row.
    pub fn execute_dry_run(routerd: &Routerd, id: u64) -> Self {
        Self::routerctl(Routerctl::new(routerd).execute_dry_run(id))
    }

    /// The executor's preview of a row's undo.
    pub fn rollback_dry_run(routerd: &Routerd, id: u64) -> Self {
        Self::routerctl(Routerctl::new(routerd).rollback_dry_run(id))
    }
}

impl Observe<Result<DoctorReport, AnswerError>> {
    /// `routerctl doctor` of one area.
    pub fn doctor(routerd: &Routerd, area: &str) -> Self {
        Self::routerctl(Routerctl::new(routerd).doctor(area))
    }
}

impl Observe<Result<Resources, AnswerError>> {
    /// All resources of a kind, as the daemon has them.
    pub fn get(routerd: &Routerd, kind: &str) -> Self {
        Self::routerctl(Routerctl::new(routerd).get(kind))
    }
}

impl Observe<Result<Vec<Owner>, AnswerError>> {
    /// The owner table of captured addresses.
    pub fn mobility_owners(routerd: &Routerd) -> Self {
        Self::routerctl(Routerctl::new(routerd).mobility_owners())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_come_to_its_end_is_not_read() {
        let output = |code, stdout: &str| Output {
            code,
            stdout: stdout.into(),
            stderr: b" why \n".to_vec(),
        };
        let at = DateTime::from_timestamp_nanos(1_764_475_873_000_000_001);
        assert_eq!(Observe::clock().read(output(0, "1764475873000000001\n")), Ok(at));
        let no_time = Unread::NoTime("+%s%N".to_owned());
        assert_eq!(Observe::clock().read(output(0, "+%s%N\n")), Err(no_time));
        let ended = || Unread::Ended { code: 2, said: "why".to_owned() };
        assert_eq!(Observe::clock().read(output(2, "1764475873000000001\n")), Err(ended()));
        let names = vec!["burnt".to_owned(), "lock.json".to_owned()];
        assert_eq!(Observe::node_folder().read(output(0, "burnt\nlock.json\n")), Ok(names));
        assert_eq!(Observe::node_folder().read(output(2, "")), Err(ended()));
    }
}
