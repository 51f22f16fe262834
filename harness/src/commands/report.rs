//! Makes what can be made again from a run's journal.

use std::path::Path;

use reports::folder::{EVIDENCE_FILE, RunFolder};
use reports::journal::read_file;
use reports::shown::read_shown;
use reports::verdict::ExitCode;

use super::refuse;
use crate::perform::write_evidence;
use crate::terminal::Terminal;

pub fn remake_evidence(run: &Path, terminal: &Terminal) -> u8 {
    let folder = match RunFolder::resolve(Path::new(""), run) {
        Ok(folder) => folder,
        Err(error) => return refuse(ExitCode::Usage, error, terminal),
    };
    let chain = match read_file(folder.path()) {
        Ok(chain) => chain,
        Err(error) => return refuse(ExitCode::Usage, error, terminal),
    };
    if let Err(differs) = read_shown(&chain.records) {
        return refuse(ExitCode::Usage, differs, terminal);
    }
    if let Err(error) = write_evidence(&folder, &chain.records, &chain.head) {
        return refuse(ExitCode::Usage, error, terminal);
    }
    terminal.out(&format!("{}\n", folder.file(EVIDENCE_FILE).display()));
    ExitCode::Pass.number()
}
