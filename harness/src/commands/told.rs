//! What a command that ended makes of its run for others: `--seal`, `--github` and `--junit`. Nothing of it changes the
//! verdict or the exit code, and what cannot be written is said.

use std::fs;
use std::path::PathBuf;

use reports::evidence::fold_records;
use reports::folder::RunFolder;
use reports::journal::read_file;
use reports::junit::{render_refusal, render_run};
use reports::verdict::Judgement;

use super::github::{SUMMARY_FILE, annotate, annotate_refusal, append_summary};
use super::refusal::CommandRefusal;
use super::seal::seal_folder;
use crate::cli::ReportArgs;
use crate::terminal::{Terminal, in_one_line};

/// A run that a command has come to the end of.
pub(super) struct EndedRun {
    pub judgement: Judgement,
    pub folder: PathBuf,
}

impl EndedRun {
    pub(super) fn of(judgement: Judgement, folder: &RunFolder) -> Self {
        Self { judgement, folder: folder.path().to_owned() }
    }
}

/// Writes what the words ask for.
pub(super) fn tell_programs(
    args: &ReportArgs,
    ended: &Result<EndedRun, CommandRefusal>,
    terminal: &Terminal,
) {
    if let (Some(key), Ok(ended)) = (&args.seal, ended)
        && let Err(refusal) = seal_folder(&RunFolder::at(&ended.folder), key)
    {
        terminal.err(&format!("unsealed: {refusal}\n"));
    }
    if args.github {
        tell_github(ended, terminal);
    }
    let Some(file) = &args.junit else { return };
    let written = render(ended).and_then(|text| fs::write(file, text).map_err(|it| it.to_string()));
    if let Err(error) = written {
        terminal.err(&format!("{}: no JUnit report: {error}\n", file.display()));
    }
}

fn tell_github(ended: &Result<EndedRun, CommandRefusal>, terminal: &Terminal) {
    let ended = match ended {
        Ok(ended) => ended,
        Err(refusal) => return annotate_refusal(&refusal.to_string(), terminal),
    };
    let chain = match read_file(&ended.folder) {
        Ok(chain) => chain,
        Err(error) => return annotate_refusal(&error.to_string(), terminal),
    };
    let evidence = fold_records(&chain.records, &chain.head);
    annotate(&evidence, &ended.judgement, terminal);
    let folder = RunFolder::at(&ended.folder);
    let written =
        append_summary(&evidence, &ended.judgement).map_err(|error| error.to_string()).and_then(
            |text| folder.write(SUMMARY_FILE, text.as_bytes()).map_err(|error| error.to_string()),
        );
    if let Err(error) = written {
        terminal.err(&format!("no summary: {error}\n"));
    }
}

fn render(ended: &Result<EndedRun, CommandRefusal>) -> Result<String, String> {
    let report = match ended {
        Err(refusal) => render_refusal(&in_one_line(&refusal.to_string())),
        Ok(ended) => match read_file(&ended.folder) {
            Ok(chain) => {
                let evidence = fold_records(&chain.records, &chain.head);
                render_run(&evidence, &ended.judgement)
            }
            // The run may have lost it.
            Err(error) => render_refusal(&in_one_line(&error.to_string())),
        },
    };
    report.map_err(|error| error.to_string())
}
