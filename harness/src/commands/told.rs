//! What a command that ended makes of its run for others: `--seal` and `--junit`. Nothing of it changes the
//! verdict or the exit code, and what cannot be written is said.

use std::fs;
use std::path::PathBuf;

use reports::evidence::fold_records;
use reports::folder::RunFolder;
use reports::journal::read_file;
use reports::junit::{render_refusal, render_run};
use reports::verdict::Judgement;

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
    let Some(file) = &args.junit else { return };
    let written = render(ended).and_then(|text| fs::write(file, text).map_err(|it| it.to_string()));
    if let Err(error) = written {
        terminal.err(&format!("{}: no JUnit report: {error}\n", file.display()));
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
