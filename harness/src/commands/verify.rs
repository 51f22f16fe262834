//! `lab-smoke verify RUN|ARCHIVE`: offline, whether a run holds together, and who signed it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reports::bundle::{Bundle, BundleError};
use reports::folder::RunFolder;
use reports::go::{AllowedSigners, BadLine};
use reports::journal::ChainError;
use reports::verdict::ExitCode;
use reports::verify::{Demand, describe_verification, verify_bundle};

use super::refuse;
use crate::cli::VerifyArgs;
use crate::terminal::{Terminal, in_one_line};

#[derive(Debug, thiserror::Error)]
enum VerifyRefusal {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("{path}: {source}")]
    Unread { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Signers { path: PathBuf, source: BadLine },
    #[error("does not hold: {0}")]
    Journal(#[from] ChainError),
}

pub fn verify_run(args: &VerifyArgs, terminal: &Terminal) -> u8 {
    match verify(args, terminal) {
        Ok(code) => code,
        Err(
            refusal @ (VerifyRefusal::Journal(_)
            | VerifyRefusal::Bundle(BundleError::Archive { .. })),
        ) => refuse(ExitCode::DoesNotHold, refusal, terminal),
        Err(refusal) => refuse(ExitCode::Usage, refusal, terminal),
    }
}

fn verify(args: &VerifyArgs, terminal: &Terminal) -> Result<u8, VerifyRefusal> {
    let signers = args.allowed_signers.as_deref().map(read_signers).transpose()?;
    let bundle = Bundle::read(&find(&args.run))?;
    let found = verify_bundle(&bundle, signers.as_ref())?;
    for line in describe_verification(&found) {
        terminal.out(&(in_one_line(&line) + "\n"));
    }
    let demand = if args.sealed { Demand::Sealed } else { Demand::Consistent };
    let code = found.exit_code(demand);
    if code != ExitCode::Pass.number() && found.problems.is_empty() {
        terminal.err(
            "lab-smoke: it is not sealed as a whole by anybody whom the given signers allow\n",
        );
    }
    Ok(code)
}

/// A folder, an archive, or the id of a run.
fn find(run: &Path) -> PathBuf {
    if run.is_file() {
        return run.to_owned();
    }
    RunFolder::resolve(Path::new(""), run)
        .map_or_else(|_| run.to_owned(), |it| it.path().to_owned())
}

/// From outside the run's folder: what lies in it says nothing of who may sign.
fn read_signers(path: &Path) -> Result<AllowedSigners, VerifyRefusal> {
    let text = fs::read_to_string(path)
        .map_err(|source| VerifyRefusal::Unread { path: path.to_owned(), source })?;
    AllowedSigners::parse(&text)
        .map_err(|source| VerifyRefusal::Signers { path: path.to_owned(), source })
}
