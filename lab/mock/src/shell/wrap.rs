//! Programs that run another one: `sudo`, `env`, `timeout`.

use std::time::Duration;

use super::exec::{NotFound, run_argv};
use super::session::ROOT;
use super::{Io, Session};

/// `sudo -n [VAR=value…] COMMAND…`.
pub async fn run_sudo(session: &Session, args: &[String], io: &Io) -> i32 {
    let mut root = session.clone();
    root.env.clear();
    root.take_identity(ROOT);
    let mut rest = args;
    while let [word, tail @ ..] = rest {
        match word.as_str() {
            "-n" | "-H" | "--" => {}
            option if option.starts_with('-') => {
                let letter = option.chars().nth(1).unwrap_or('-');
                return io.fail(1, &format!("sudo: invalid option -- '{letter}'"));
            }
            assignment if assignment.contains('=') => set(&mut root, assignment),
            _ => break,
        }
        rest = tail;
    }
    match run_argv(&root, rest, io).await {
        Ok(code) => code,
        Err(NotFound) => io.fail(1, &format!("sudo: {}: command not found", first(rest))),
    }
}

/// `env [-i] [VAR=value…] COMMAND…`; without a command it prints the environment.
pub async fn run_env(session: &Session, args: &[String], io: &Io) -> i32 {
    let mut inner = session.clone();
    let mut rest = args;
    while let [word, tail @ ..] = rest {
        match word.as_str() {
            "-i" | "-" => inner.env.clear(),
            option if option.starts_with('-') => {
                let letter = option.chars().nth(1).unwrap_or('-');
                let text = format!(
                    "env: invalid option -- '{letter}'\nTry 'env --help' for more information."
                );
                return io.fail(125, &text);
            }
            assignment if assignment.contains('=') => set(&mut inner, assignment),
            _ => break,
        }
        rest = tail;
    }
    if rest.is_empty() {
        inner.env.iter().for_each(|(key, value)| io.out(&format!("{key}={value}\n")));
        return 0;
    }
    match run_argv(&inner, rest, io).await {
        Ok(code) => code,
        Err(NotFound) => {
            io.fail(127, &format!("env: ‘{}’: No such file or directory", first(rest)))
        }
    }
}

/// `timeout [-k N] [-s SIGNAL] DURATION COMMAND…`.
pub async fn run_timeout(session: &Session, args: &[String], io: &Io) -> i32 {
    let mut rest = args;
    let mut when_late = TIMED_OUT;
    while let [option, tail @ ..] = rest {
        rest = match option.as_str() {
            "-s" => {
                when_late = after_signal(tail.first().map_or("", String::as_str));
                tail.get(1..).unwrap_or(&[])
            }
            "-k" => tail.get(1..).unwrap_or(&[]),
            "--foreground" | "--preserve-status" => tail,
            option if option.starts_with("--kill-after=") => tail,
            option if option.starts_with("--signal=") => {
                when_late = after_signal(option.trim_start_matches("--signal="));
                tail
            }
            option if option.starts_with('-') => {
                let letter = option.chars().nth(1).unwrap_or('-');
                let text = format!(
                    "timeout: invalid option -- '{letter}'\nTry 'timeout --help' for more information."
                );
                return io.fail(125, &text);
            }
            _ => break,
        };
    }
    let [duration, command @ ..] = rest else {
        return io
            .fail(125, "timeout: missing operand\nTry 'timeout --help' for more information.");
    };
    let Some(limit) = seconds(duration) else {
        return io.fail(125, &format!("timeout: invalid time interval ‘{duration}’\nTry 'timeout --help' for more information."));
    };
    match session.clock.timeout(limit, run_argv(session, command, io)).await {
        Ok(Ok(code)) => code,
        Ok(Err(NotFound)) => io.fail(
            127,
            &format!(
                "timeout: failed to run command ‘{}’: No such file or directory",
                first(command)
            ),
        ),
        Err(_) => when_late,
    }
}

const TIMED_OUT: i32 = 124;

/// `timeout` sends it to its whole group, to itself as well.
fn after_signal(name: &str) -> i32 {
    if matches!(name, "KILL" | "SIGKILL" | "9") { 128 + 9 } else { TIMED_OUT }
}

fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60.0),
        Some(number) if text.ends_with('h') => (number, 3600.0),
        Some(number) => (number, 1.0),
        None => (text, 1.0),
    };
    let value: f64 = number.parse().ok()?;
    (value >= 0.0).then(|| Duration::from_secs_f64(value * unit))
}

fn set(session: &mut Session, assignment: &str) {
    if let Some((key, value)) = assignment.split_once('=') {
        session.env.insert(key.into(), value.into());
    }
}

fn first(argv: &[String]) -> &str {
    argv.first().map_or("", String::as_str)
}
