//! A small POSIX shell: enough of dash for the scripts that are sent to a node. What it does not
//! know is a syntax error, never something else.

mod ast;
mod expand;
mod interpret;
mod parse;
mod redirect;

use super::{Io, Session};
use interpret::Shell;

/// `sh [-c SCRIPT [NAME [ARG…]]]` or `sh -s [ARG…]`, with options of `set` before the script; the
/// script comes from standard input where there is no `-c`.
pub async fn main(session: &Session, argv: &[String], io: &Io) -> i32 {
    let mut shell = Shell::new(session.clone());
    let mut rest = &argv[1..];
    while let [word, tail @ ..] = rest {
        let Some(letters) = word.strip_prefix('-') else { break };
        rest = tail;
        if letters == "s" {
            let Ok(script) = String::from_utf8(io.stdin.to_vec()) else {
                return io.fail(2, "sh: 1: Syntax error: word unexpected");
            };
            let without_stdin = Io { stdin: std::sync::Arc::default(), ..io.clone() };
            let words: Vec<String> =
                std::iter::once("sh".to_owned()).chain(rest.to_vec()).collect();
            return shell.start(&script, &words, &without_stdin).await;
        }
        for letter in letters.chars().filter(|letter| *letter != 'c') {
            if !shell.set_option(letter, true) {
                return io.fail(2, &format!("sh: 0: Illegal option -{letter}"));
            }
        }
        if letters.contains('c') {
            let [script, tail @ ..] = rest else {
                return io.fail(2, "sh: 0: -c requires an argument");
            };
            return shell.start(script, tail, io).await;
        }
    }
    match (rest.first(), String::from_utf8(io.stdin.to_vec())) {
        (None, Ok(script)) => {
            let without_stdin = Io { stdin: std::sync::Arc::default(), ..io.clone() };
            shell.start(&script, &[], &without_stdin).await
        }
        (None, Err(_)) => io.fail(2, "sh: 1: Syntax error: word unexpected"),
        (Some(file), _) if matches!(file.as_str(), "-s" | "-") => {
            io.fail(2, "sh: 0: Illegal option -")
        }
        (Some(file), _) => match session.read(file).map(String::from_utf8) {
            Ok(Ok(script)) => shell.start(&script, rest, io).await,
            _ => io.fail(2, &format!("sh: 0: cannot open {file}: No such file")),
        },
    }
}

/// Runs a command line as sshd does: by the user's shell.
pub async fn command_line(session: &Session, line: &str, io: &Io) -> i32 {
    Shell::new(session.clone()).start(line, &[], io).await
}
