//! The proof that a lab is gone. All that it was lay in its namespaces and its folder: where no process
//! holds it and the folder is not there, nothing of it is left.

use std::fs;
use std::io;
use std::path::Path;

use super::lifecycle;
use super::program::SUPERVISOR_COMMAND;

/// A lab of which nothing is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    id: String,
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id } = self;
        write!(f, "no process holds the kernel lab {id}, and its folder is not there")
    }
}

/// Looks for the lab of this id, whose folder lies in one of these; a folder that nobody holds any
/// more is swept. None where the lab lives, or is about to.
///
/// # Errors
/// Where it cannot be looked for.
pub fn prove_gone(homes: &[&Path], id: &str) -> io::Result<Option<Gone>> {
    for home in homes {
        lifecycle::list_labs(home)?;
        if home.join(id).symlink_metadata().is_ok() {
            return Ok(None);
        }
    }
    Ok((!is_supervised(Path::new("/proc"), id)?).then(|| Gone { id: id.to_owned() }))
}

/// Whether a process of this machine is, or waits for, the supervisor of a lab of this id, wherever
/// its folder is or was.
fn is_supervised(proc: &Path, id: &str) -> io::Result<bool> {
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        match fs::read(entry.path().join("cmdline")) {
            Ok(line) if supervises(&line, id) => return Ok(true),
            Ok(_) => {}
            // It has ended since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// `… PROGRAM __netns-supervisor FOLDER`.
fn supervises(line: &[u8], id: &str) -> bool {
    let mut words = line.split(|byte| *byte == 0);
    let command = words.by_ref().any(|word| word == SUPERVISOR_COMMAND.as_bytes());
    let folder = words.next().map(String::from_utf8_lossy);
    command && folder.is_some_and(|path| Path::new(&*path).file_name().is_some_and(|it| it == id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::process::{Command, Stdio};

    use super::super::folder::{Folder, Holder};
    use super::*;

    #[test]
    fn a_command_line_tells_whose_supervisor_it_is() {
        let table = [
            ("/bin/lab-smoke\0__netns-supervisor\0/tmp/labs/abc\0", true),
            ("unshare\0--net\0--\0/bin/lab-smoke\0__netns-supervisor\0/tmp/labs/abc\0", true),
            ("/bin/lab-smoke\0__netns-supervisor\0/tmp/labs/abcd\0", false),
            ("/bin/lab-smoke\0recover\0/tmp/labs/abc\0", false),
            ("/bin/lab-smoke\0__netns-supervisor\0", false),
            ("", false),
        ];
        for (line, expected) in table {
            assert_eq!(supervises(line.as_bytes(), "abc"), expected, "{line:?}");
        }
    }

    #[test]
    fn a_lab_is_gone_once_no_process_holds_it_and_its_folder_is_swept() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = format!("gone{}", std::process::id());
        let homes = [home.path(), other.path()];
        let is_gone = || prove_gone(&homes, &id).unwrap().is_some();
        assert!(is_gone(), "there never was one");

        let mut process = Command::new("sh")
            .args(["-c", "read wait; true", "sh", SUPERVISOR_COMMAND, &format!("/elsewhere/{id}")])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let holder = Holder::of(process.id()).unwrap();
        while fs::read(format!("/proc/{}/cmdline", process.id())).unwrap().is_empty() {}
        assert!(!is_gone(), "its process lives, whatever became of its folder");
        let folder = Folder::create(other.path(), &id).unwrap();
        folder.write_json(&folder.holder(), &holder).unwrap();
        assert!(!is_gone());
        drop(process.stdin.take());
        process.wait().unwrap();
        assert!(is_gone());
        assert!(!folder.path().exists());
        let folder = Folder::create(home.path(), &id).unwrap();
        assert!(!is_gone(), "it may be about to be held");
        assert!(folder.path().exists());
    }
}
