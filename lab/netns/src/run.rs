//! Programs of the host that the lab starts: `ip`, `nft`, `sh`. Their own words are the error.

use std::io;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs a command with this input to its end.
///
/// # Errors
/// Where it cannot be started or does not end with 0.
pub async fn run_checked(mut command: Command, input: &str) -> io::Result<Vec<u8>> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let failed = |words: String| io::Error::other(format!("`{name}`: {words}"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let stdin = child.stdin.take();
    let feed = async {
        let Some(mut stdin) = stdin else { return };
        // A program that has failed does not read on; its own words say why.
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(failed(format!("{}: {words}", output.status)))
    }
}

/// # Errors
/// At the first line that fails; those before it are done.
pub async fn ip_batch(lines: &str) -> io::Result<()> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]);
    run_checked(command, lines).await.map(drop)
}

/// One transaction.
///
/// # Errors
/// Where one rule is refused: then nothing is changed.
pub async fn apply_nft(ruleset: &str) -> io::Result<()> {
    let mut command = Command::new("nft");
    command.args(["-f", "-"]);
    run_checked(command, ruleset).await.map(drop)
}

/// In this process's own network namespace.
///
/// # Errors
/// Where the kernel has no such setting, or does not take the value.
pub fn set_sysctl(path: &str, value: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/sys/net/{path}"), value)
        .map_err(|error| io::Error::other(format!("sysctl {path}={value}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_programs_own_words_are_the_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo no such table >&2; exit 3"]);
        let error = run_checked(command, "input").await.expect_err("it fails").to_string();
        assert_eq!(error, "`sh`: exit status: 3: no such table");
        let error =
            run_checked(Command::new("/no/such"), "").await.expect_err("it fails").to_string();
        assert!(error.starts_with("`/no/such`: No such file"), "{error}");
        let mut command = Command::new("cat");
        command.arg("-");
        assert_eq!(run_checked(command, "input").await.expect("it works"), b"input");
    }
}
