//! `systemctl show UNIT [-p PROPERTY]…`, of unit files in `/etc/systemd/system` as they were when the
//! node started: a drop-in that came later is not in it; and `systemctl list-units PATTERN…`, of which
//! all that lie there are active. Of the timers of the dead man's switch also `is-active`, `stop` and
//! `poweroff`.

use super::{Io, Session, timer};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (unit, options) = match args {
        ["show", unit, options @ ..] => (unit, options),
        ["list-units", rest @ ..] => return list_units(session, rest, io),
        ["is-active", "--quiet", unit] => return timer::is_active(session, unit),
        ["stop", unit] => return timer::stop(session, unit, io),
        ["poweroff"] => return timer::power_off(session, io),
        _ => return io.fail(1, "Unknown command verb."),
    };
    let properties: Vec<&str> = options
        .chunks(2)
        .filter(|pair| pair[0] == "-p")
        .filter_map(|pair| pair.get(1).copied())
        .collect();
    let text = session.read(&format!("/etc/systemd/system/{unit}")).ok();
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    for property in properties {
        let values = match (property, &text) {
            ("LoadState", None) => vec!["not-found".to_owned()],
            ("LoadState", Some(_)) => vec!["loaded".to_owned()],
            ("ExecStart", Some(text)) => {
                settings(text, "ExecStart").iter().map(|line| exec_start(line)).collect()
            }
            ("User", Some(text)) => vec![settings(text, "User").join("")],
            ("PassEnvironment", Some(text)) => vec![settings(text, "PassEnvironment").join(" ")],
            ("Environment", Some(text)) => vec![settings(text, "Environment").join(" ")],
            ("EnvironmentFiles", Some(text)) => settings(text, "EnvironmentFile")
                .iter()
                .map(|path| environment_file(path))
                .collect(),
            _ => Vec::new(),
        };
        for value in values {
            io.out(&format!("{property}={value}\n"));
        }
    }
    0
}

/// Only as it is asked for: a line for each active unit, without a legend.
fn list_units(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (options, patterns): (Vec<&str>, Vec<&str>) =
        args.iter().partition(|word| word.starts_with("--"));
    if options != ["--plain", "--no-legend", "--state=active,activating"] {
        return io.fail(1, "systemctl: these options are not known here");
    }
    for name in session.list("/etc/systemd/system").unwrap_or_default() {
        if patterns.iter().any(|pattern| fits(pattern, &name)) {
            io.out(&format!("{name} loaded active waiting {name}\n"));
        }
    }
    0
}

/// One `*` at most.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
        None => pattern == name,
    }
}

fn settings<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
}

fn exec_start(line: &str) -> String {
    let path = line.split(' ').next().unwrap_or_default();
    format!(
        "{{ path={path} ; argv[]={line} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}"
    )
}

fn environment_file(path: &str) -> String {
    match path.strip_prefix('-') {
        Some(path) => format!("{path} (ignore_errors=yes)"),
        None => format!("{path} (ignore_errors=no)"),
    }
}
