//! The words that the command line takes. Help is made from these definitions and nothing else.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use lab::node::Node;
use reports::digest::Digest;
use reports::folder::RUNS_DIR;

/// Runs a gated runbook against a cloud lab and leaves evidence that an owner can trust.
///
/// Exit codes: docs/EXIT-CODES.md.
#[derive(Clone, Debug, Parser)]
#[command(name = "lab-smoke", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the smoke: every scenario of the runbook, in order.
    Run(RunArgs),
    /// Look at the lab and plan the undo; nothing is changed. The run then awaits its owner's go.
    Preflight(PreflightArgs),
    /// For the owner: show in words what `go` would sign, without signing anything.
    Review {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
    },
    /// For the owner: show what a run asks for, and grant it with a signature.
    ///
    /// Writes go.json and go.json.sig into the run's folder; signs with `ssh-keygen -Y sign`.
    Go(GoArgs),
    /// Go on with a run whose go was awaited.
    Resume(ResumeArgs),
    /// Where a run is: awaiting its go, parked, live, dead or ended.
    Status {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List the scenarios in their order: name, runbook section, class, needs.
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the JSON Schema of evidence.json.
    Schema,
    /// Make evidence.json and report.html again from a run's journal.
    Report {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
    },
    /// Bring a dead run to its end: undo what it began, stop what costs, name what is left.
    ///
    /// Exit code 0 says that the lab is restored and nothing is left; else 5, 6 or 8. Repeated, it
    /// answers the same and touches nothing.
    Recover {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
        /// The manifest that says who may grant a go and what may be stopped; without it, the one
        /// that preflight was given.
        #[arg(long, value_name = "MANIFEST.toml")]
        lab: Option<PathBuf>,
        #[command(flatten)]
        identity: IdentityArgs,
        #[command(flatten)]
        reports: ReportArgs,
    },
    /// List the runs of a folder: when each began, where it stands, and its verdict.
    Runs {
        /// The folder of the runs.
        #[arg(default_value = RUNS_DIR)]
        dir: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Put a run into one file, to give it to others: the same bytes for the same run.
    ///
    /// The file is private to you, and holds nothing of this machine; one that is there is never written over.
    Pack {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
        /// The archive; without it, the name of the run's folder with .tar, here.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Verify a run offline: that its files agree with each other, and who signed them.
    ///
    /// Prints what holds (consistent, sealed, countersigned) and what each does not show. Exit code 0, or 9
    /// where something does not hold.
    Verify(VerifyArgs),
    /// Sign a run that has ended, beside its journal, with ssh-keygen; never asks for a passphrase.
    Seal {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
        /// As for `ssh-keygen -f`: a private key, or a public one whose private part the agent has.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// For the owner: sign the same statement as a second person.
    Countersign {
        /// A run's folder, or its id under ./lab-smoke-runs/.
        run: PathBuf,
        /// As for `ssh-keygen -f`: a private key, or a public one whose private part the agent has.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// The built-in mock lab.
    #[command(subcommand)]
    Mock(MockCommand),
    /// Kernel labs, and lab manifests.
    #[command(subcommand)]
    Lab(LabCommand),
    /// The policies that a lab needs.
    #[command(subcommand)]
    Iam(IamCommand),
    /// Whether this machine and a lab on AWS have what a run needs; nothing is changed.
    ///
    /// A line for each thing, with a remedy where it is not so. Exit code 0, or 8.
    Doctor(DoctorArgs),
    /// List the faults that --inject knows, each with the assertion that it must turn.
    Faults {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub begin: BeginArgs,
    /// Leave the kernel lab that was made for this run.
    #[arg(long)]
    pub keep: bool,
    /// Wait so long for the owner's go.json to appear in the run's folder; without it, a built-in
    /// lab grants itself the go.
    #[arg(long, value_name = "10m", value_parser = span)]
    pub wait_go: Option<Duration>,
    /// Leave the instances running while the go is awaited: hard stop 7 is disarmed.
    #[arg(long, requires = "wait_go")]
    pub leave_running: bool,
    /// As SIGTERM after so long, by the lab's clock and counted from when the lab is open: nothing new is begun,
    /// and what was begun is undone, however long that takes.
    #[arg(long, value_name = "30m", value_parser = span)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub reports: ReportArgs,
    /// For the test printer, as libtest-mimic defines them: --list, one FILTER, --exact,
    /// --skip FILTER, --format terse, …
    #[arg(last = true, value_name = "LIBTEST ARGS")]
    pub libtest: Vec<String>,
}

/// What a run is begun with: on which lab, and where what it sees is kept.
#[derive(Clone, Debug, clap::Args)]
pub struct BeginArgs {
    /// The lab: `mock`, `netns` (made for this run), `netns:ID` (one that is there), or the path
    /// of a manifest.
    #[arg(long, value_name = "mock|netns|netns:ID|MANIFEST.toml", default_value = "mock")]
    pub lab: LabChoice,
    #[command(flatten)]
    pub make: MakeArgs,
    /// The run's folder itself; made if absent, refused if it holds another run. Without it, a
    /// folder named by the run id under ./lab-smoke-runs/.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Fixes ids, start time and jitter inside the mock.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Make something go wrong beneath the run, on the mock or in the kernel lab; repeatable.
    /// `lab-smoke faults` lists what can, and in which lab.
    #[arg(long, value_name = "FAULT[=ARG]")]
    pub inject: Vec<String>,
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// `json`: the journal's records on stdout as they happen, people's text on stderr.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Who asks AWS.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct IdentityArgs {
    /// On a lab of kind aws: the role that the operator takes. Without it: LAB_SMOKE_ASSUME_ROLE_ARN, the
    /// manifest's section identity, LAB_SMOKE_ASSUME_ROLE_ARN_DEFAULT; else whoever the SDK's own chain finds.
    #[arg(long, value_name = "ARN", value_parser = role_arn)]
    pub assume_role: Option<String>,
}

/// What a kernel lab is made with.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct MakeArgs {
    /// On a kernel lab that is made: your own `routerctl` from this folder, and
    /// `aws-provider-executor` where it has one.
    #[arg(long, value_name = "DIR")]
    pub routerd_bin: Option<PathBuf>,
    /// On a kernel lab that is made: your own executor plugin.
    #[arg(long, value_name = "FILE")]
    pub executor: Option<PathBuf>,
    /// On a kernel lab that is made: who may grant a go, in OpenSSH's format.
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
}

/// A kernel lab that is made for a preflight is left to its run.
#[derive(Clone, Debug, clap::Args)]
pub struct PreflightArgs {
    #[command(flatten)]
    pub begin: BeginArgs,
    /// Leave the instances running when the command ends: hard stop 7 is disarmed.
    #[arg(long)]
    pub leave_running: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct GoArgs {
    /// A run's folder, or its id under ./lab-smoke-runs/.
    pub run: PathBuf,
    /// As for `ssh-keygen -f`: a private key, or a public one whose private part the agent has.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Who grants it, as the manifest's allowed signers name him.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// From now on, 24h at most; what was begun in time can be undone later.
    #[arg(long, value_name = "2h", value_parser = span)]
    pub expires: Duration,
    /// The digest of the facts that you looked at: any others are not signed.
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pub facts: Option<Digest>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct ResumeArgs {
    /// A run's folder, or its id under ./lab-smoke-runs/.
    pub run: PathBuf,
    /// The go, with its signature beside it in FILE.sig; without it, go.json in the run's folder.
    #[arg(long, value_name = "FILE")]
    pub go: Option<PathBuf>,
    /// The manifest that says who may grant a go; without it, the one that preflight was given.
    #[arg(long, value_name = "MANIFEST.toml")]
    pub lab: Option<PathBuf>,
    /// Wait so long for the go to appear.
    #[arg(long, value_name = "10m", value_parser = span)]
    pub wait_go: Option<Duration>,
    /// Leave the instances running where the go is still awaited in the end.
    #[arg(long)]
    pub leave_running: bool,
    #[command(flatten)]
    pub identity: IdentityArgs,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// As SIGTERM after so long, by the lab's clock and counted from when the lab is open: nothing new is begun,
    /// and what was begun is undone, however long that takes.
    #[arg(long, value_name = "30m", value_parser = span)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub reports: ReportArgs,
}

/// What is made of a run for other programs, once its command has ended; the exit code stays as it is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReportArgs {
    /// Write a JUnit report: a suite for each scenario, a case for each assertion. What failed is a
    /// failure, what is unknown and a hard stop that tripped are errors.
    #[arg(long, value_name = "FILE", value_parser = new_file)]
    pub junit: Option<PathBuf>,
    /// Seal the run once it has ended, as `lab-smoke seal` does with this key. Where that fails, it is
    /// said that the run is unsealed.
    #[arg(long, value_name = "KEY", value_parser = existing_file)]
    pub seal: Option<PathBuf>,
    /// For GitHub Actions: annotations on stderr, and summary.md, which is appended to the job's summary.
    #[arg(long)]
    pub github: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// A run's folder, its id under ./lab-smoke-runs/, or an archive of it.
    pub run: PathBuf,
    /// Who may sign, in OpenSSH's format: a file from outside the run's folder.
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
    /// Exit code 9 too where the run has not ended, or is not sealed by somebody whom the signers allow.
    #[arg(long)]
    pub sealed: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// The lab's manifest.
    #[arg(long, value_name = "MANIFEST.toml")]
    pub lab: PathBuf,
    #[command(flatten)]
    pub identity: IdentityArgs,
}

#[derive(Clone, Debug, Subcommand)]
pub enum MockCommand {
    /// Serve the mock's EC2, STS and IAM over loopback HTTP until Ctrl-C.
    Serve {
        /// 0 takes a free port.
        #[arg(long, value_name = "N", default_value_t = 0)]
        port: u16,
        /// Verify every request's signature, and ask the policies of whoever signed it.
        #[arg(long)]
        enforce_iam: bool,
        /// Start from this JSON world where the file exists, and write the world back into it.
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum IamCommand {
    /// Print the operator's policies and the executor's, filled from a manifest.
    Render {
        file: PathBuf,
        /// One of them alone, as IAM takes it; without it all, by name.
        #[arg(long, value_enum)]
        phase: Option<PhaseChoice>,
    },
    /// Ask whether the operator and the executor may what a run needs: by DryRun, and by evaluation of
    /// the role's policies. Nothing is changed; exit code 0 where all is allowed, else 8.
    Check {
        file: PathBuf,
        /// For a manifest of the mock lab: of which seed.
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        #[command(flatten)]
        identity: IdentityArgs,
    },
}

/// Whose policy, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PhaseChoice {
    /// The operator's, for all that looks.
    Preflight,
    /// The operator's, beside the one for preflight: what stops, starts and ends.
    Run,
    /// The executor's role's.
    Executor,
}

#[derive(Clone, Debug, Subcommand)]
pub enum LabCommand {
    /// Check a manifest; every problem with its line, column and field.
    Check { file: PathBuf },
    /// Print a commented manifest that passes the check.
    Example {
        /// The one of the mock lab of this seed instead.
        #[arg(long, requires = "seed")]
        mock: bool,
        #[arg(long, value_name = "N", requires = "mock")]
        seed: Option<u64>,
        /// Whose text becomes the mock's allowed signers.
        #[arg(long, value_name = "FILE", requires = "mock")]
        allowed_signers: Option<PathBuf>,
    },
    #[command(flatten)]
    Netns(NetnsCommand),
}

/// The kernel lab: a VPC in network namespaces of this machine.
#[derive(Clone, Debug, Subcommand)]
pub enum NetnsCommand {
    /// Build a kernel lab and print its id; it lives until `lab down`, or until its time has passed.
    Up {
        /// `netns`: the one kind that can be built here.
        #[arg(value_parser = ["netns"], default_value = "netns")]
        kind: String,
        #[command(flatten)]
        make: MakeArgs,
        /// After that long the lab ends itself.
        #[arg(long, value_name = "1h", value_parser = span, default_value = "1h")]
        time_to_live: Duration,
        /// Give cloud-client a second volume that stays when its instance is terminated, with the lab's
        /// tag or without: what teardown must delete, or preflight must find.
        #[arg(long, value_name = "tagged|untagged")]
        outliving_volume: Option<lab_netns::OutlivingVolume>,
    },
    /// List the kernel labs of this user: id, age, state, the run that was begun on it last, and its end.
    List,
    /// Take a kernel lab down.
    Down {
        /// By default the only one.
        #[arg(long)]
        id: Option<String>,
    },
    /// Run a command on a node.
    Exec {
        #[arg(long)]
        id: Option<String>,
        node: String,
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
    /// A shell on a node.
    Shell {
        #[arg(long)]
        id: Option<String>,
        node: String,
    },
    /// Walk a packet through the fabric, the routers and the overlay: it arrived (exit code 0), or where it
    /// was dropped and by what (1).
    Explain {
        #[arg(long)]
        id: Option<String>,
        /// A node, by its name or its address.
        #[arg(value_parser = end_of_a_walk)]
        from: Ipv4Addr,
        /// A node, or any address.
        #[arg(value_parser = end_of_a_walk)]
        to: Ipv4Addr,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabChoice {
    Mock,
    /// One that is there, by its id; or one made for the run.
    Netns(Option<String>),
    Manifest(PathBuf),
}

impl FromStr for LabChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "mock" => Self::Mock,
            "netns" => Self::Netns(None),
            named if named.starts_with("netns:") => {
                Self::Netns(Some(named["netns:".len()..].to_owned()))
            }
            path => Self::Manifest(path.into()),
        })
    }
}

fn end_of_a_walk(text: &str) -> Result<Ipv4Addr, String> {
    if let Some(node) = Node::ALL.into_iter().find(|node| node.as_str() == text) {
        return Ok(lab_netns::address_of(node));
    }
    let names = Node::ALL.map(Node::as_str).join(", ");
    text.parse().map_err(|_| format!("neither an IPv4 address nor a node ({names})"))
}

fn role_arn(text: &str) -> Result<String, String> {
    if lab::manifest::is_role_arn(text) {
        Ok(text.to_owned())
    } else {
        Err("expected arn:PARTITION:iam::ACCOUNT:role/NAME".to_owned())
    }
}

/// A path where a file can be: whoever mistypes it learns it before the run, and not after it.
fn new_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    match folder.unwrap_or(Path::new(".")).metadata() {
        _ if path.is_dir() || path.file_name().is_none() => {
            Err("it is a folder: name a file".to_owned())
        }
        Ok(found) if found.is_dir() => Ok(path),
        Ok(_) => Err("its folder is none".to_owned()),
        Err(error) => Err(format!("its folder: {error}")),
    }
}

fn existing_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(path),
        Ok(_) => Err("it is no file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// `90s`, `10m`, `2h` or `1d`.
fn span(text: &str) -> Result<Duration, String> {
    const NONE: &str = "expected a time as 90s, 10m, 2h or 1d";
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))
        .ok_or(NONE)?;
    let number: u32 = digits.parse().map_err(|_| NONE)?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

/// The words after `--`, as libtest-mimic reads them.
pub fn parse_libtest_arguments(words: &[String]) -> Result<libtest_mimic::Arguments, clap::Error> {
    let program = "lab-smoke run --".to_owned();
    libtest_mimic::Arguments::try_parse_from(std::iter::once(&program).chain(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    fn run_args(words: &[&str]) -> RunArgs {
        let words = ["lab-smoke", "run"].iter().chain(words);
        match Cli::try_parse_from(words).expect("a command line").command {
            Command::Run(args) => args,
            other => panic!("read as {other:?}"),
        }
    }

    #[test]
    fn a_run_is_read_with_its_libtest_words() {
        let args = run_args(&[]);
        assert_eq!(args.begin.lab, LabChoice::Mock);
        assert_eq!((args.begin.seed, args.begin.format), (None, Format::Human));
        let args = run_args(&["--inject", "a", "--inject", "b=1", "--", "--exact", "ping"]);
        assert_eq!(args.begin.inject, ["a", "b=1"]);
        let libtest = parse_libtest_arguments(&args.libtest).expect("libtest words");
        assert_eq!((libtest.exact, libtest.filter.as_deref()), (true, Some("ping")));
    }

    #[test]
    fn a_span_has_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "10", "m", "-1m", "1.5h", "10 m", "10M"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_libtest_mimic_refuses_is_a_usage_error() {
        for words in [&["ping", "ssh"][..], &["--shuffle"], &["--format", "loud"]] {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let error = parse_libtest_arguments(&words).expect_err("refused");
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn a_lab_that_is_no_built_in_is_a_path() {
        for (text, lab) in [
            ("mock", LabChoice::Mock),
            ("netns", LabChoice::Netns(None)),
            ("netns:a1", LabChoice::Netns(Some("a1".into()))),
            ("./mock", LabChoice::Manifest("./mock".into())),
            ("lab.toml", LabChoice::Manifest("lab.toml".into())),
        ] {
            assert_eq!(run_args(&["--lab", text]).begin.lab, lab);
        }
    }
}
