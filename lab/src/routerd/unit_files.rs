//! routerd's unit as its files say it: the unit's own and its drop-ins. What the service manager shows
//! is what it once loaded; what lies on the disk counts as soon as it loads again.

use std::collections::BTreeMap;

use reports::redact::{split_unit_lines, split_unit_words, unit_setting};

use super::unit::EnvironmentFile;

/// The environment that the unit's files make.
#[derive(Default)]
pub(super) struct Environment {
    /// `NAME=value`.
    pub assignments: Vec<String>,
    /// Names of variables of the service manager's own.
    pub passed: Vec<String>,
    pub files: Vec<EnvironmentFile>,
}

/// Where the files begin, behind what `systemctl show` prints: each after a line with its path.
pub(super) fn split_files(text: &str) -> (&str, &str) {
    if is_path(text) {
        return ("", text);
    }
    let at = text.find("\n# /").map_or(text.len(), |at| at + 1);
    text.split_at(at)
}

fn is_path(line: &str) -> bool {
    line.starts_with("# /")
}

/// Reads the files. Of each name the first one counts, as its folder comes first; the unit's own is
/// read before its drop-ins, which are read by their names. Whatever is set to nothing is
/// forgotten.
pub(super) fn read_environment(files: &str) -> Environment {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = None;
    for line in split_unit_lines(files) {
        // A comment of a file may look like the path of another: no path of a unit has a blank.
        if let Some(path) = line.strip_prefix("# ").map(str::trim_end).filter(|it| is_unit(it)) {
            let key = path.rsplit_once(".d/").map_or("", |(_, name)| name);
            name = (!by_name.contains_key(key)).then_some(key);
            by_name.entry(key).or_default();
        } else if let Some(lines) = name.and_then(|name| by_name.get_mut(name)) {
            lines.push(line);
        }
    }
    let mut environment = Environment::default();
    for (key, value) in by_name.values().flatten().filter_map(|line| unit_setting(line)) {
        environment.take(&key, &value);
    }
    environment
}

fn is_unit(path: &str) -> bool {
    path.starts_with('/') && path.contains("/systemd/system/") && !path.contains(' ')
}

impl Environment {
    fn take(&mut self, key: &str, value: &str) {
        let mut words = split_unit_words(value);
        match key {
            "Environment" if words.is_empty() => self.assignments.clear(),
            "Environment" => self.assignments.append(&mut words),
            "PassEnvironment" if words.is_empty() => self.passed.clear(),
            "PassEnvironment" => self.passed.append(&mut words),
            "EnvironmentFile" if value.is_empty() => self.files.clear(),
            "EnvironmentFile" => self.files.push(EnvironmentFile::named(value)),
            _ => {}
        }
    }
}
