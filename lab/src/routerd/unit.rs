//! routerd's service as the node's service manager describes it: what its daemon would be handed,
//! and which files it would use. A secret in its environment would pass through routerd's core, and
//! a daemon with another router.yaml is another routerd.

use reports::redact::split_unit_words;

use super::unit_files::{read_environment, split_files};
use crate::router_yaml::is_aws_credential;

/// The unit's name, as upstream installs it.
pub const UNIT: &str = "routerd.service";

/// routerd's unit: what its daemon would be handed, whom it runs as, and which files it would use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Names of variables that are, or are named like, an AWS credential.
    pub credentials: Vec<String>,
    /// Files that hold more of its environment.
    pub environment_files: Vec<EnvironmentFile>,
    /// Whom it runs as; none where it does not say, which is root.
    pub user: Option<String>,
    /// The router.yaml that its command line names; none where it names nothing, and where there is
    /// no such unit.
    pub config: Option<String>,
    pub state_file: Option<String>,
}

/// A file of variables that the service manager adds to the daemon's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    pub path: String,
    /// Its absence is no error.
    pub optional: bool,
}

impl Unit {
    /// Reads `systemctl show`, and the unit's files behind it; empty text is a node without systemd.
    /// None where it is neither.
    pub fn read(text: &str) -> Option<Self> {
        let mut unit = Self::default();
        let (shown, files) = split_files(text);
        if !text.is_empty() && !shown.lines().any(|line| line.starts_with("LoadState=")) {
            return None;
        }
        for (key, value) in shown.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "User" => unit.user = Some(value.to_owned()).filter(|user| !user.is_empty()),
                "Environment" => unit.credentials.extend(credentials(split_unit_words(value))),
                "PassEnvironment" => unit.credentials.extend(passed(split_unit_words(value))),
                "EnvironmentFiles" => unit.environment_files.push(EnvironmentFile::read(value)),
                "ExecStart" => {
                    let argv = argv(value);
                    unit.config = option(&argv, "--config").or(unit.config);
                    unit.state_file = option(&argv, "--state-file").or(unit.state_file);
                }
                _ => {}
            }
        }
        unit.add_files(files);
        Some(unit)
    }

    /// Adds what its files would hand it besides, once they are loaded.
    fn add_files(&mut self, files: &str) {
        let found = read_environment(files);
        for name in credentials(found.assignments).into_iter().chain(passed(found.passed)) {
            if !self.credentials.contains(&name) {
                self.credentials.push(name);
            }
        }
        for file in found.files {
            if !self.environment_files.iter().any(|it| it.path == file.path) {
                self.environment_files.push(file);
            }
        }
    }
}

impl EnvironmentFile {
    /// Reads it as a unit's file has it: `-/etc/default/routerd`.
    pub(super) fn named(value: &str) -> Self {
        let path = value.strip_prefix('-');
        Self { path: path.unwrap_or(value).to_owned(), optional: path.is_some() }
    }

    /// `/etc/default/routerd (ignore_errors=yes)`.
    fn read(value: &str) -> Self {
        let (path, rest) = value.split_once(" (").unwrap_or((value, ""));
        Self { path: path.to_owned(), optional: rest.starts_with("ignore_errors=yes") }
    }
}

/// Names of credentials in a file of variables, one a line.
pub fn credentials_in_file(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    credentials(lines.map(str::to_owned))
}

fn credentials(assignments: impl IntoIterator<Item = String>) -> Vec<String> {
    let named = assignments.into_iter().filter_map(|one| {
        let (name, value) = one.split_once('=')?;
        let name = name.trim();
        is_aws_credential(name, value).then(|| name.to_owned())
    });
    named.collect()
}

/// The names alone are known of what the service manager passes on, and it may be told at any time.
fn passed(names: Vec<String>) -> Vec<String> {
    names.into_iter().filter(|name| is_aws_credential(name, "")).collect()
}

/// `{ path=P ; argv[]=P serve --config F ; ignore_errors=no ; … }`.
fn argv(value: &str) -> Vec<String> {
    let after = value.split_once("argv[]=").map_or("", |(_, after)| after);
    split_unit_words(after.split_once(" ; ").map_or(after, |(argv, _)| argv))
}

/// `--name VALUE` or `--name=VALUE`; Go takes one dash as well.
fn option(argv: &[String], name: &str) -> Option<String> {
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        let bare = if word.starts_with("--") { word.as_str() } else { &format!("-{word}") };
        if bare == name {
            return words.next().cloned();
        }
        if let Some(value) = bare.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit as systemd 252 prints it.
    const SHOWN: &str = "\
LoadState=loaded
ExecStart={ path=/usr/local/sbin/routerd ; argv[]=/usr/local/sbin/routerd serve --config /usr/local/etc/routerd/router.yaml --state-file=/var/lib/routerd/routerd.db ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
User=routerd
Environment=LANG=C \"AWS_SECRET_ACCESS_KEY=a b\" AWS_REGION=us-east-1 SOMETHING=AKIAIOSFODNN7EXAMPLE
EnvironmentFiles=/etc/default/routerd (ignore_errors=yes)
EnvironmentFiles=/etc/routerd.env (ignore_errors=no)
";

    #[test]
    fn what_a_service_manager_shows_is_read() {
        let unit = Unit::read(SHOWN).expect("a unit");
        assert_eq!(unit.credentials, ["AWS_SECRET_ACCESS_KEY", "SOMETHING"]);
        assert_eq!(unit.user.as_deref(), Some("routerd"));
        assert_eq!(unit.config.as_deref(), Some("/usr/local/etc/routerd/router.yaml"));
        assert_eq!(unit.state_file.as_deref(), Some("/var/lib/routerd/routerd.db"));
        let files: Vec<_> =
            unit.environment_files.iter().map(|it| (it.path.as_str(), it.optional)).collect();
        assert_eq!(files, [("/etc/default/routerd", true), ("/etc/routerd.env", false)]);
    }

    /// The files on the disk, with their folders' order; and of them what would be handed to
    /// routerd.
    #[test]
    fn what_is_not_loaded_yet_is_read_from_the_units_files() {
        const KEY: &str = "AWS_SECRET_ACCESS_KEY";
        let (etc, run) =
            ("/etc/systemd/system/routerd.service", "/run/systemd/system/routerd.service");
        let table = [
            (format!("# {etc}\n[Service]\nPassEnvironment=LANG {KEY}\n"), 1),
            (format!("# {etc}.d/a.conf\n[Service]\n Environment = A=1 \\\n# no\n  {KEY}=x\n\n"), 1),
            (format!("# {etc}.d/a.conf\n[Service]\n#Environment={KEY}=x\n; {KEY}=x\n"), 0),
            // A drop-in takes back what the unit has, whichever comes first here.
            (format!("# {etc}.d/a.conf\nEnvironment=\n# {etc}\nEnvironment={KEY}=x\n"), 0),
            (format!("# {etc}.d/a.conf\nPassEnvironment=\n# {etc}\nPassEnvironment={KEY}\n"), 0),
            // The first folder's counts.
            (format!("# {etc}.d/a.conf\n\n# {run}.d/a.conf\nEnvironment={KEY}=x\n"), 0),
            (format!("# {etc}.d/a.conf\n\n# {run}.d/b.conf\nEnvironment={KEY}=x\n"), 1),
            (format!("# {etc}.d/a.conf\n# /etc/notes says why\nEnvironment={KEY}=x\n"), 1),
        ];
        for (files, found) in table {
            let unit = Unit::read(&format!("LoadState=loaded\n{files}")).expect("a unit");
            assert_eq!(unit.credentials.len(), found, "{files}");
        }
        let files = format!(
            "# {etc}.d/a.conf\nEnvironmentFile=-/etc/default/routerd\nEnvironmentFile=/x\n"
        );
        let unit = Unit::read(&format!("{SHOWN}PassEnvironment={KEY} B\n{files}")).expect("a unit");
        assert_eq!(unit.credentials, [KEY, "SOMETHING", KEY]);
        let paths: Vec<_> = unit.environment_files.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["/etc/default/routerd", "/etc/routerd.env", "/x"]);
    }

    #[test]
    fn where_there_is_no_unit_there_is_nothing() {
        let absent = "LoadState=not-found\nExecStart=\nUser=\nEnvironment=\n";
        for text in ["", absent] {
            assert_eq!(Unit::read(text), Some(Unit::default()), "{text}");
        }
        assert_eq!(Unit::read("garbage"), None, "it says nothing either way");
    }

    #[test]
    fn a_file_of_variables_is_read_line_by_line() {
        let text = "# AWS_SECRET_ACCESS_KEY=x\nAWS_REGION=us-east-1\n  AWS_SESSION_TOKEN = 'x'\n";
        assert_eq!(credentials_in_file(text), ["AWS_SESSION_TOKEN"]);
    }
}
