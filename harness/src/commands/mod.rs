//! The commands: what each does, and the exit code that it answers.

mod alive;
mod doctor;
mod github;
mod go;
mod iam;
mod kernel_lab;
mod kernel_lab_list;
pub(crate) mod lab;
mod list;
mod mock;
mod outside;
mod pack;
mod preflight;
mod recover;
mod refusal;
mod report;
mod resume;
mod review;
mod run;
mod runs;
mod seal;
mod signing;
mod status;
mod to_its_end;
mod told;
mod verify;

use std::any::Any;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::process;

use clap::Parser;
use lab_mock::serve::ServeOptions;
use reports::verdict::ExitCode;

use crate::cli::{Cli, Command, IamCommand, LabCommand, MockCommand};
use crate::labs::Labs;
use crate::terminal::{self, Terminal};
use crate::{descriptors, signals};

/// The things that every command has.
#[derive(Clone, Copy)]
struct Console<'a> {
    labs: &'a Labs,
    terminal: &'a Terminal,
}

impl<'a> Console<'a> {
    /// For people, beside what the command answers.
    fn say(self) -> impl Fn(&str) + use<'a> {
        move |text: &str| self.terminal.err(text)
    }
}

/// A bug ends with its own code, with every destructor run.
pub fn main(words: Vec<OsString>, labs: &Labs) -> process::ExitCode {
    terminal::log_to_stderr();
    terminal::panics_to_stderr();
    let terminal = Terminal::of_the_process();
    let console = Console { labs, terminal: &terminal };
    let code = panic::catch_unwind(AssertUnwindSafe(|| answer(words, console)));
    let code = code.unwrap_or_else(|_: Box<dyn Any + Send>| ExitCode::Bug.number());
    process::ExitCode::from(code)
}

/// Answers one command line on labs of the caller's, which need not be built in, and writes what people
/// and programs read to `out` and `err`.
pub fn answer_on(
    words: Vec<OsString>,
    labs: &Labs,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
) -> u8 {
    answer(words, Console { labs, terminal: &Terminal::new(out, err) })
}

fn answer(words: Vec<OsString>, console: Console<'_>) -> u8 {
    let terminal = console.terminal;
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => return say_usage(&error, terminal),
    };
    if let Err(error) = fits(&cli.command) {
        return refuse(ExitCode::Unavailable, error, terminal);
    }
    match cli.command {
        Command::Run(args) => run::run_smoke(&args, console),
        Command::List { format } => list::print_scenarios(format, terminal),
        Command::Schema => {
            terminal.out_as_it_is(&reports::schema::print_schema());
            ExitCode::Pass.number()
        }
        Command::Preflight(args) => preflight::run_preflight(&args, console),
        Command::Review { run } => review::review_request(&run, terminal),
        Command::Go(args) => go::grant_go(&args, terminal),
        Command::Resume(args) => resume::resume_run(&args, console),
        Command::Status { run, format } => status::show_status(&run, format, console),
        Command::Recover { run, lab, identity, reports } => {
            recover::recover_run(&run, lab.as_deref(), &identity, &reports, console)
        }
        Command::Runs { dir, format } => runs::list_runs(&dir, format, terminal),
        Command::Pack { run, out } => pack::pack_run(&run, out.as_deref(), terminal),
        Command::Verify(args) => verify::verify_run(&args, terminal),
        Command::Seal { run, key } => seal::seal_run(&run, &key, terminal),
        Command::Countersign { run, key } => seal::countersign_run(&run, &key, terminal),
        Command::Report { run } => report::remake_evidence(&run, terminal),
        Command::Mock(MockCommand::Serve { port, enforce_iam, state }) => {
            mock::serve(ServeOptions { port, enforce_iam, state_file: state }, terminal)
        }
        Command::Lab(LabCommand::Netns(command)) => {
            kernel_lab::run_netns_command(&command, terminal)
        }
        Command::Lab(LabCommand::Check { file }) => lab::check_manifest(&file, terminal),
        Command::Lab(LabCommand::Example { seed: Some(seed), allowed_signers, .. }) => {
            lab::mock_example(seed, allowed_signers.as_deref(), terminal)
        }
        Command::Lab(LabCommand::Example { .. }) => {
            terminal.out_as_it_is(::lab::manifest::example_manifest());
            ExitCode::Pass.number()
        }
        Command::Iam(IamCommand::Render { file, phase }) => {
            iam::print_policies(&file, phase, terminal)
        }
        Command::Iam(IamCommand::Check { file, seed, identity }) => {
            iam::check_permissions(&file, seed, identity.assume_role, console)
        }
        Command::Doctor(args) => doctor::examine(&args, terminal),
        Command::Faults { format } => list::print_faults(format, terminal),
    }
}

/// Whether this process may do what it needs to, before anything is touched.
fn fits(command: &Command) -> std::io::Result<()> {
    let works = match command {
        Command::Run(_)
        | Command::Preflight(_)
        | Command::Go(_)
        | Command::Resume(_)
        | Command::Recover { .. }
        | Command::Seal { .. }
        | Command::Countersign { .. }
        | Command::Doctor(_)
        | Command::Mock(_)
        | Command::Iam(IamCommand::Check { .. })
        | Command::Lab(LabCommand::Netns(_)) => true,
        Command::Status { .. }
        | Command::Review { .. }
        | Command::List { .. }
        | Command::Schema
        | Command::Report { .. }
        | Command::Runs { .. }
        | Command::Pack { .. }
        | Command::Verify(_)
        | Command::Lab(LabCommand::Check { .. } | LabCommand::Example { .. })
        | Command::Iam(IamCommand::Render { .. })
        | Command::Faults { .. } => false,
    };
    if works {
        descriptors::prove_enough()?;
    }
    if works || matches!(command, Command::Report { .. } | Command::Pack { .. }) {
        signals::survive_large_files()?;
    }
    Ok(())
}

/// Help and version are answers, everything else is an error.
fn say_usage(error: &clap::Error, terminal: &Terminal) -> u8 {
    if error.use_stderr() {
        terminal.err(&error.to_string());
        ExitCode::Usage.number()
    } else {
        terminal.out_as_it_is(&error.to_string());
        ExitCode::Pass.number()
    }
}

/// Says why nothing was done.
fn refuse(code: ExitCode, why: impl std::fmt::Display, terminal: &Terminal) -> u8 {
    terminal.err(&format!("lab-smoke: {why}\n"));
    code.number()
}
