//! The read-only commands, as a closed list: nothing else can be sent without a permit.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reports::redact::Form;

use crate::node::Output;

/// A command that changes nothing on its node, with the parser of what it prints: so no answer meets a
/// wrong one, and no caller reads it a second time. Where not every output can be read, `T` is a
/// `Result` with a typed reason; where nothing is read here, it is the output itself.
pub struct Observe<T = Output> {
    argv: Vec<String>,
    stdin: Vec<u8>,
    limit: Duration,
    prints: Prints,
    parse: Rc<dyn Fn(Output) -> T>,
}

impl<T> Clone for Observe<T> {
    fn clone(&self) -> Self {
        Self {
            argv: self.argv.clone(),
            stdin: self.stdin.clone(),
            limit: self.limit,
            prints: self.prints,
            parse: Rc::clone(&self.parse),
        }
    }
}

impl<T> std::fmt::Debug for Observe<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observe").field("argv", &self.argv).finish_non_exhaustive()
    }
}

/// The form of what a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prints {
    Plainly(Form),
    /// A file, behind a line that says its permissions.
    File(Form),
}

pub(super) const QUICK: Duration = Duration::from_secs(15);
/// A capture goes on until what is sent meanwhile has arrived, each command of it as slow as may be.
pub(super) const CAPTURE: Duration = Duration::from_secs(75);
/// `routerctl` waits up to 5 s for its database, and a preview asks AWS.
pub(super) const ROUTERCTL: Duration = Duration::from_secs(90);

/// The service manager's view of a unit, as it was loaded; then what lies on the disk of it, each file
/// behind a line with its path, which counts once it is loaded again, as when the node starts. The
/// folders in systemd's order, of which the first that has a file decides. Nothing where there is no
/// systemd.
const SHOW_UNIT: &str = "test ! -d /run/systemd/system || { systemctl show \"$1\" -p LoadState \
    -p ExecStart -p User -p Environment -p EnvironmentFiles -p PassEnvironment || exit 1; \
    for of in \"$1.d\" service.d; do for dir in $2; do test ! -d \"$dir/$of\" || \
    for name in $(ls -1A \"$dir/$of\"); do test \"${name%.conf}\" = \"$name\" || \
    { echo \"# $dir/$of/$name\"; cat \"$dir/$of/$name\" || exit 1; echo; }; done; done; done; \
    for dir in $2; do test ! -e \"$dir/$1\" || \
    { echo \"# $dir/$1\"; cat \"$dir/$1\" || exit 1; echo; }; done; }";
const UNIT_FOLDERS: &str = "/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system \
    /usr/lib/systemd/system /lib/systemd/system";

/// A file's permissions, then the file: `sh cat PATH`.
const READ_FILE: &str = "stat -L -c %a \"$2\" 2>/dev/null || echo unknown; exec \"$@\"";
/// The first line of `READ_FILE` where it cannot tell.
const UNKNOWN: &[u8] = b"unknown\n";
const READ_BY_ALL: u32 = 0o004;

/// A file's permissions, where the first line says them, and what stands behind that line.
fn split_permissions(stdout: &[u8]) -> (Option<u32>, &[u8]) {
    if let Some(text) = stdout.strip_prefix(UNKNOWN) {
        return (None, text);
    }
    let mode = |line: &[u8]| {
        let line = std::str::from_utf8(line).ok().filter(|line| (1..=4).contains(&line.len()))?;
        u32::from_str_radix(line, 8).ok()
    };
    let end = stdout.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    match mode(&stdout[..end]) {
        Some(mode) => (Some(mode), &stdout[end + 1..]),
        None => (None, stdout),
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl<T> Observe<T> {
    pub(super) fn parts(&self) -> (&[String], &[u8], Duration) {
        (&self.argv, &self.stdin, self.limit)
    }

    /// The output for the command's caller, and the form of what may be kept of it. A file that not
    /// everybody on the node may read, or whose permissions are not known, is kept as a digest.
    pub(super) fn keep(&self, output: Output) -> (Output, Form) {
        let (form, output) = match self.prints {
            Prints::Plainly(form) => (form, output),
            Prints::File(form) => {
                let (mode, text) = split_permissions(&output.stdout);
                let open = mode.is_some_and(|mode| mode & READ_BY_ALL != 0);
                let stdout = text.to_vec();
                (if open { form } else { Form::Sealed }, Output { stdout, ..output })
            }
        };
        // What went wrong is no part of the file.
        let form = if output.code != 0 && output.stdout.is_empty() { Form::Text } else { form };
        (output, form)
    }

    /// The command line, for evidence.
    pub fn shown(&self) -> String {
        self.argv.join(" ")
    }

    /// Reads what the command printed, as what it was asked for.
    pub fn read(&self, output: Output) -> T {
        (self.parse)(output)
    }

    /// The same command, of which only what it prints is wanted.
    #[must_use]
    pub fn printed(self) -> Observe {
        let Self { argv, stdin, limit, prints, .. } = self;
        Observe { argv, stdin, limit, prints, parse: Rc::new(|output| output) }
    }

    /// The same command, with the parser of what it prints.
    pub(super) fn read_as<U>(self, parse: impl Fn(Output) -> U + 'static) -> Observe<U> {
        let Self { argv, stdin, limit, prints, .. } = self;
        Observe { argv, stdin, limit, prints, parse: Rc::new(parse) }
    }
}

impl Observe {
    pub(super) fn new(argv: Vec<String>, limit: Duration) -> Self {
        let (stdin, prints) = (Vec::new(), Prints::Plainly(Form::Text));
        Self { argv, stdin, limit, prints, parse: Rc::new(|output| output) }
    }

    pub(super) fn with_stdin(self, stdin: Vec<u8>) -> Self {
        Self { stdin, ..self }
    }

    pub(super) fn quick(argv: &[&str]) -> Self {
        Self::new(words(argv), QUICK)
    }

    fn prints(self, prints: Prints) -> Self {
        Self { prints, ..self }
    }

    /// A file of the node, as it is printed.
    pub(super) fn file_as_printed(path: &str) -> Self {
        if path.starts_with(super::NODE_FOLDER) {
            return Self::quick(&["sudo", "-n", "cat", path]);
        }
        let form = match path.rsplit_once('.') {
            Some((_, "yaml" | "yml")) => Form::Yaml,
            Some((_, "json")) => Form::Json,
            _ => Form::Text,
        };
        Self::file(path, form)
    }

    /// A file of variables for a service's environment, as it is printed.
    pub(super) fn variables(path: &str) -> Self {
        Self::file(path, Form::Variables)
    }

    fn file(path: &str, form: Form) -> Self {
        let argv = ["sudo", "-n", "sh", "-c", READ_FILE, "sh", "cat", path];
        Self::quick(&argv).prints(Prints::File(form))
    }

    /// The unit as the service manager shows it, and the unit's files.
    pub(super) fn unit_and_files(name: &str) -> Self {
        let argv = ["sudo", "-n", "sh", "-c", SHOW_UNIT, "sh", name, UNIT_FOLDERS];
        Self::quick(&argv).prints(Prints::Plainly(Form::Unit))
    }

    /// The CLI's question whether the executor may set the ENI's source/dest check to this value: a
    /// DryRun, in the environment that routerd gives the executor. There is no command without one.
    pub(super) fn check_rehearsal(
        env: &BTreeMap<String, String>,
        region: &str,
        network_interface_id: &str,
        source_dest_check: bool,
    ) -> Self {
        let value =
            if source_dest_check { "--source-dest-check" } else { "--no-source-dest-check" };
        let mut argv = super::as_executor(env);
        argv.extend(words(&["aws", "ec2", "modify-network-interface-attribute", "--dry-run"]));
        argv.extend(words(&["--network-interface-id", network_interface_id, value]));
        argv.extend(words(&["--region", region]));
        Self::new(argv, super::credentials::IDENTITY)
    }

    /// SHA-256 of a file.
    pub fn digest(path: &str) -> Self {
        Self::quick(&["sudo", "-n", "sha256sum", path])
    }

    /// Which files the paths lead to, and in which state they are.
    pub fn identify_files(paths: &[String]) -> Self {
        let mut argv = words(&["sudo", "-n", "stat", "-L", "-c", super::IDENTITY_FORMAT]);
        argv.extend(paths.iter().cloned());
        Self::new(argv, QUICK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(code: i32, stdout: &str) -> Output {
        Output { code, stdout: stdout.into(), stderr: b"said".to_vec() }
    }

    /// A file is kept as its text where everybody on the node may read it, else a digest.
    #[test]
    fn a_file_is_kept_as_what_it_is_where_everybody_may_read_it() {
        let yaml = Observe::file_as_printed("/etc/router.yaml");
        let table = [
            (&yaml, "644\na: 1\n", "a: 1\n", Form::Yaml),
            (&yaml, "4\na: 1\n", "a: 1\n", Form::Yaml),
            (&yaml, "640\na: 1\n", "a: 1\n", Form::Sealed),
            (&yaml, "unknown\n644\n", "644\n", Form::Sealed),
            (&yaml, "a: 1\n", "a: 1\n", Form::Sealed),
            (&yaml, "100644\na: 1\n", "100644\na: 1\n", Form::Sealed),
            (&Observe::file_as_printed("/etc/a.yml"), "644\n", "", Form::Yaml),
            (&Observe::file_as_printed("/etc/a.json"), "644\n{}", "{}", Form::Json),
            (&Observe::file_as_printed("/etc/a"), "644\na", "a", Form::Text),
            (&Observe::variables("/etc/a"), "644\nA=1", "A=1", Form::Variables),
            // In the run's own folder it is the run's.
            (&Observe::file_as_printed(crate::act::LOCK_PATH), "644\n{}", "644\n{}", Form::Text),
        ];
        for (command, said, text, form) in table {
            let (kept, kept_as) = command.keep(output(0, said));
            assert_eq!(
                (&kept.stdout[..], kept_as),
                (text.as_bytes(), form),
                "{command:?} {said:?}"
            );
        }
        assert_eq!(yaml.keep(output(1, "600\n")).1, Form::Text, "what went wrong is no file");
        assert_eq!(yaml.keep(output(1, "600\na: 1")).1, Form::Sealed);
        assert_eq!(yaml.keep(output(0, "600\n")).1, Form::Sealed);
    }
}
