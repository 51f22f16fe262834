//! `grep` in the two ways that a run uses it: which of these names a file of settings has, and each
//! line with its file's name. No other pattern is there.

use super::{Io, Session};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    match args {
        ["-oiE", pattern, path] => names_of_settings(session, pattern, path, io),
        ["-s", "-H", "", names @ ..] => lines_of(session, names, io),
        _ => io.fail(2, "grep: only -oiE PATTERN FILE and -s -H '' FILE… are there"),
    }
}

/// `grep -s -H '' FILE…`: each line with its file's name; one that is not there is passed over.
fn lines_of(session: &Session, names: &[&str], io: &Io) -> i32 {
    let mut code = 0;
    for name in names {
        let Ok(bytes) = session.read(name) else {
            code = 2;
            continue;
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().for_each(|line| io.out(&format!("{name}:{line}\n")));
    }
    code
}

/// `grep -oiE '^[[:space:]]*(NAME|…)[[:space:]]*=' FILE`.
fn names_of_settings(session: &Session, pattern: &str, path: &str, io: &Io) -> i32 {
    let names = pattern.strip_prefix("^[[:space:]]*(");
    let Some(names) = names.and_then(|rest| rest.strip_suffix(")[[:space:]]*=")) else {
        return io.fail(2, &format!("grep: no such pattern is there: {pattern}"));
    };
    let names: Vec<&str> = names.split('|').collect();
    let text = match session.read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return io.fail(2, &format!("grep: {path}: {error}")),
    };
    let mut code = 1;
    for line in text.lines() {
        let Some((name, _)) = line.split_once('=') else { continue };
        if names.contains(&name.trim().to_lowercase().as_str()) {
            io.out(&format!("{name}=\n"));
            code = 0;
        }
    }
    code
}
