//! The host's AWS CLI on the nodes, wherever it is installed: a node has folders of its own over
//! some of the host's, and what the CLI consists of is shown at its own path again, read-only.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where nodes have something of their own instead of the host's files.
const COVERED: [&str; 5] = ["/root", "/home", "/var/lib", "/tmp", "/var/tmp"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsCli {
    pub program: PathBuf,
    /// Folders that a node would not see otherwise.
    pub folders: Vec<PathBuf>,
}

impl AwsCli {
    /// The first in a search path; none where there is none, or where nodes cannot be shown it.
    pub fn find(search_path: &OsStr) -> Option<Self> {
        let candidates = std::env::split_paths(search_path).map(|folder| folder.join("aws"));
        Self::of(&candidates.into_iter().find(|path| path.is_absolute() && path.is_file())?)
    }

    fn of(program: &Path) -> Option<Self> {
        let mut folders = Vec::new();
        let parts = [Some(program.to_owned()), program.canonicalize().ok(), interpreter(program)];
        for part in parts.into_iter().flatten() {
            match Lies::of(&part) {
                Lies::Covered(folder) if !folders.contains(&folder) => folders.push(folder),
                Lies::Covered(_) | Lies::Open => {}
                Lies::AtHome => return None,
            }
        }
        Some(Self { program: program.to_owned(), folders })
    }
}

/// Where a part of it is.
#[derive(Debug, PartialEq, Eq)]
enum Lies {
    /// Where nodes see it anyway.
    Open,
    /// Where they do not: the folder above `bin`.
    Covered(PathBuf),
    /// In no folder of its own: showing it would show somebody's whole home.
    AtHome,
}

impl Lies {
    fn of(program: &Path) -> Self {
        let Some(covered) = COVERED.iter().find(|folder| program.starts_with(folder)) else {
            return Self::Open;
        };
        let prefix = program.parent().and_then(Path::parent).unwrap_or(program);
        let depth = prefix.strip_prefix(covered).map_or(0, |rest| rest.components().count());
        let of_its_own = if *covered == "/home" { 2 } else { 1 };
        if depth >= of_its_own { Self::Covered(prefix.to_owned()) } else { Self::AtHome }
    }
}

/// A script's, by its first line, without links.
fn interpreter(program: &Path) -> Option<PathBuf> {
    const LONGEST_LINE: u64 = 4096;
    let mut line = String::new();
    BufReader::new(File::open(program).ok()?.take(LONGEST_LINE)).read_line(&mut line).ok()?;
    let path = line.strip_prefix("#!")?.split_whitespace().next()?;
    Path::new(path).canonicalize().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_virtual_environment_is_shown_with_the_python_that_it_is_made_of() {
        // Below one of the covered folders.
        let home = tempfile::tempdir_in("/tmp").unwrap();
        let (venv, python) = (home.path().join("venv"), home.path().join("python3.11"));
        for prefix in [&venv, &python] {
            std::fs::create_dir_all(prefix.join("bin")).unwrap();
        }
        std::fs::write(python.join("bin/python3.11"), "").unwrap();
        symlink(python.join("bin/python3.11"), venv.join("bin/python3")).unwrap();
        let script = format!("#!{}\nimport awscli\n", venv.join("bin/python3").display());
        std::fs::write(venv.join("bin/aws"), script).unwrap();
        let search = std::env::join_paths([Path::new("/nowhere"), &venv.join("bin")]).unwrap();
        let found = AwsCli::find(&search).unwrap();
        assert_eq!(found.program, venv.join("bin/aws"));
        assert_eq!(found.folders, [venv, python]);
        assert_eq!(AwsCli::find(OsStr::new("/nowhere")), None);
    }

    #[test]
    fn nobodys_whole_home_is_shown() {
        let covered = |path: &str| Lies::Covered(path.into());
        for (path, expected) in [
            ("/usr/bin/aws", Lies::Open),
            ("/opt/aws/bin/aws", Lies::Open),
            ("/root/python/shims/aws", covered("/root/python")),
            ("/home/a/venv/bin/aws", covered("/home/a/venv")),
            ("/home/a/bin/aws", Lies::AtHome),
            ("/root/bin/aws", Lies::AtHome),
            ("/tmp/bin/aws", Lies::AtHome),
        ] {
            assert_eq!(Lies::of(Path::new(path)), expected, "{path}");
        }
    }
}
