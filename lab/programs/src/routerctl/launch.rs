//! Starts a plugin (a planner or an executor) as routerd does: by an absolute path, with PATH and
//! the plugin's own environment and nothing else, to a deadline, its output bounded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::Plugin;
use super::go::numbers::os_error;
use super::go::time::format_duration;
use crate::process::{Child, Host, SpawnError};
use lab::golang::parse_duration;
use lab::golang::quote;
use lab::node::Output;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MAX_STDOUT_BYTES: usize = 4 << 20;
const MAX_STDERR_BYTES: usize = 64 << 10;
const FILE_TYPE: u32 = 0o170_000;
const REGULAR_FILE: u32 = 0o100_000;

/// The role of the program that is being started: the words of its failures differ.
#[derive(Clone, Copy, Debug)]
pub struct ProgramRole<'a> {
    /// `plugin` or `executor`.
    pub noun: &'static str,
    pub name: &'a str,
    pub default_timeout: Duration,
}

/// The output that a program left behind, and what is wrong with that.
#[derive(Debug, Default)]
pub struct Ran {
    /// -1 where a signal ended it; `None` where it never started.
    pub exit_code: Option<i64>,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub failure: Option<String>,
}

impl Ran {
    fn refused(failure: String) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

pub async fn launch_plugin(
    host: &dyn Host,
    env: &BTreeMap<String, String>,
    plugin: &Plugin,
    role: ProgramRole<'_>,
    stdin: String,
) -> Ran {
    if let Err(failure) = check_executable(host, &plugin.executable) {
        return Ran::refused(failure);
    }
    let timeout_nanos = match timeout_nanos(&plugin.timeout, role) {
        Ok(nanos) => nanos,
        Err(failure) => return Ran::refused(failure),
    };
    let child = Child {
        executable: PathBuf::from(&plugin.executable),
        args: Vec::new(),
        env: environment(env, &plugin.env),
        stdin: stdin.into_bytes(),
        timeout: Duration::from_nanos(timeout_nanos.unsigned_abs()),
        max_stdout_bytes: MAX_STDOUT_BYTES,
        max_stderr_bytes: MAX_STDERR_BYTES,
    };
    let ProgramRole { noun, name, .. } = role;
    match host.spawn(child).await {
        Ok(output) => ended(output, role),
        Err(SpawnError::TimedOut) => Ran {
            exit_code: Some(-1),
            failure: Some(format!(
                "{noun} {name} timed out after {}",
                format_duration(timeout_nanos)
            )),
            ..Ran::default()
        },
        Err(SpawnError::NotAccessible(text)) => Ran::refused(format!(
            "plugin executable {} is not accessible: {text}",
            quote(&plugin.executable)
        )),
        Err(SpawnError::StdoutTooLarge) => Ran::refused(format!(
            "{noun} {name} protocol failure: stdout output exceeded {MAX_STDOUT_BYTES}-byte limit"
        )),
        Err(SpawnError::StderrTooLarge) => Ran::refused(format!(
            "{noun} {name} protocol failure: stderr output exceeded {MAX_STDERR_BYTES}-byte limit"
        )),
        Err(SpawnError::Io(error)) => {
            Ran::refused(format!("{noun} {name} failed: {}", os_error(&error)))
        }
    }
}

fn ended(output: Output, ProgramRole { noun, name, .. }: ProgramRole<'_>) -> Ran {
    const MAX_KEPT_STDERR_BYTES: usize = 8192;
    let stderr = &output.stderr[..output.stderr.len().min(MAX_KEPT_STDERR_BYTES)];
    let (exit_code, failure) = match output.code {
        0 => (0, None),
        code if code > 128 => (-1, Some(format!("signal: {}", signal_name(code - 128)))),
        code => (i64::from(code), Some(format!("exit status {code}"))),
    };
    Ran {
        exit_code: Some(exit_code),
        stderr: String::from_utf8_lossy(stderr).into_owned(),
        failure: failure.map(|how| format!("{noun} {name} failed: {how}")),
        stdout: output.stdout,
    }
}

fn signal_name(number: i32) -> String {
    match number {
        1 => "hangup".into(),
        2 => "interrupt".into(),
        6 => "aborted".into(),
        9 => "killed".into(),
        11 => "segmentation fault".into(),
        13 => "broken pipe".into(),
        15 => "terminated".into(),
        other => format!("signal {other}"),
    }
}

pub fn check_executable(host: &dyn Host, path: &str) -> Result<(), String> {
    let path = path.trim();
    if path.is_empty() {
        return Err("plugin executable is required".into());
    }
    let mode = host.file_mode(Path::new(path)).map_err(|error| {
        format!(
            "plugin executable {} is not accessible: stat {path}: {}",
            quote(path),
            os_error(&error)
        )
    })?;
    if !is_regular(mode) {
        return Err(format!("plugin executable {} is not a regular file", quote(path)));
    }
    if mode & 0o111 == 0 {
        return Err(format!("plugin executable {} is not executable", quote(path)));
    }
    Ok(())
}

/// A machine that tells permission bits alone is believed.
pub fn is_regular(mode: u32) -> bool {
    mode & FILE_TYPE == 0 || mode & FILE_TYPE == REGULAR_FILE
}

fn timeout_nanos(text: &str, role: ProgramRole<'_>) -> Result<i64, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(i64::try_from(role.default_timeout.as_nanos()).unwrap_or(i64::MAX));
    }
    match parse_duration(text) {
        Err(error) => Err(format!("{} timeout must be a valid duration: {error}", role.noun)),
        Ok(nanos) if nanos <= 0 => Err(format!("{} timeout must be greater than 0", role.noun)),
        Ok(nanos) => Ok(nanos),
    }
}

fn environment(
    own: &BTreeMap<String, String>,
    extra: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let path = own.get("PATH").filter(|path| !path.trim().is_empty());
    let path = path.cloned().unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let mut env = BTreeMap::from([("PATH".to_owned(), path)]);
    for (key, value) in extra {
        let key = key.trim();
        if !key.is_empty() && !key.contains('=') {
            env.insert(key.to_owned(), value.clone());
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: ProgramRole<'_> =
        ProgramRole { noun: "executor", name: "/p", default_timeout: Duration::from_secs(30) };

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_plugin_inherits_path_and_nothing_else() {
        let own = map(&[("PATH", "/bin"), ("HOME", "/root"), ("AWS_PROFILE", "x")]);
        let extra = map(&[(" A ", "1"), ("B=C", "2"), ("", "3")]);
        assert_eq!(environment(&own, &extra), map(&[("A", "1"), ("PATH", "/bin")]));
        assert_eq!(environment(&map(&[]), &map(&[])), map(&[("PATH", DEFAULT_PATH)]));
    }

    #[test]
    fn a_deadline_is_a_positive_duration() {
        for (text, expected) in [
            ("", Ok(30_000_000_000)),
            (" 5s ", Ok(5_000_000_000)),
            ("0s", Err("executor timeout must be greater than 0")),
            (
                "30",
                Err(
                    r#"executor timeout must be a valid duration: time: missing unit in duration "30""#,
                ),
            ),
        ] {
            assert_eq!(timeout_nanos(text, ROLE), expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn an_end_is_told_as_go_tells_it() {
        for (code, exit_code, failure) in [
            (0, 0, None),
            (3, 3, Some("executor /p failed: exit status 3")),
            (137, -1, Some("executor /p failed: signal: killed")),
        ] {
            let ran = ended(Output { code, ..Output::default() }, ROLE);
            assert_eq!((ran.exit_code, ran.failure.as_deref()), (Some(exit_code), failure));
        }
    }
}
