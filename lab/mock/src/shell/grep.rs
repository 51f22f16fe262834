//! `grep` in the two ways that a run uses it: which of these names a file of settings has, and all
//! of the network's settings. No other pattern is there.

use super::{Io, Session};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    match args {
        ["-oiE", pattern, path] => names_of_settings(session, pattern, path, io),
        ["-r", "-s", "-H", without @ .., "", "/proc/sys/net"] => settings(session, without, io),
        _ => io.fail(2, "grep: only -oiE PATTERN FILE and -r -s -H '' /proc/sys/net are there"),
    }
}

/// `grep -r -s -H [--exclude=NAME]… '' /proc/sys/net`: each line with its file's name.
fn settings(session: &Session, without: &[&str], io: &Io) -> i32 {
    let excluded: Option<Vec<&str>> =
        without.iter().map(|option| option.strip_prefix("--exclude=")).collect();
    let Some(excluded) = excluded else {
        return io.fail(2, "grep: no other option than --exclude=NAME is there");
    };
    let all = session.machine(|machine| machine.sysctls.clone());
    for (key, value) in all.iter().filter(|(key, _)| key.starts_with("net.")) {
        let name = key.rsplit('.').next().unwrap_or_default();
        if !excluded.contains(&name) {
            io.out(&format!("/proc/sys/{}:{value}\n", key.replace('.', "/")));
        }
    }
    0
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
