//! Signatures by the stock ssh-keygen: with a key file, an agent, or a hardware key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether ssh-keygen may ask whoever sits there for a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompting {
    Allowed,
    Never,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NotSigned {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("ssh-keygen cannot be started: {0}")]
    NoKeygen(io::Error),
    #[error("ssh-keygen did not sign{}; nothing was written into the run's folder", because(.0))]
    Refused(String),
}

fn because(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

/// Signs these bytes under this namespace; the key is as for `ssh-keygen -f`.
///
/// It works in a folder of its own, so that ssh-keygen never asks whether it may overwrite.
pub(super) fn sign_bytes(
    bytes: &[u8],
    key: &Path,
    namespace: &str,
    prompting: Prompting,
) -> Result<Vec<u8>, NotSigned> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| NotSigned::Io { path, source }
    };
    let desk = tempfile::tempdir().map_err(io(Path::new("a temporary folder")))?;
    let path = desk.path().join("signed");
    fs::write(&path, bytes).map_err(io(&path))?;
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(key).arg(&path);
    let said = match prompting {
        Prompting::Allowed => {
            let status = command.status().map_err(NotSigned::NoKeygen)?;
            (!status.success()).then(String::new)
        }
        Prompting::Never => {
            // Whatever it would ask for is refused, and not asked for on a terminal.
            command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force");
            let output = command.stdin(Stdio::null()).output().map_err(NotSigned::NoKeygen)?;
            let said = String::from_utf8_lossy(&output.stderr);
            (!output.status.success())
                .then(|| said.split_whitespace().collect::<Vec<_>>().join(" "))
        }
    };
    if let Some(said) = said {
        return Err(NotSigned::Refused(said));
    }
    let signature = desk.path().join("signed.sig");
    fs::read(&signature).map_err(io(&signature))
}
