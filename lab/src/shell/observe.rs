//! The read-only commands, as a closed list: nothing else can be sent without a permit.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use reports::redact::Form;

use crate::manifest::Routerd;
use crate::node::Output;
use crate::outage;
use crate::routerd::Routerctl;

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
const CAPTURE: Duration = Duration::from_secs(75);
/// `routerctl` waits up to 5 s for its database, and a preview asks AWS.
pub(super) const ROUTERCTL: Duration = Duration::from_secs(90);

/// A change waits for it, so it is short.
const OUTAGE_PROBE: Duration = Duration::from_secs(5);

/// The AWS CLI starts slowly, and asks over the network.
const IDENTITY: Duration = Duration::from_secs(30);

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

/// Prints what of a file an SDK takes for credentials, or for a way to some: the names alone.
const CREDENTIAL_NAMES: &str = "test ! -e \"$1\" || grep -oiE \"$2\" \"$1\"";
const CREDENTIAL_PATTERN: &str = "^[[:space:]]*(aws_access_key_id|aws_secret_access_key|aws_session_token|\
    credential_process|credential_source|role_arn|source_profile|web_identity_token_file|\
    sso_session|sso_start_url|login_session)[[:space:]]*=";

/// A table that nobody asked for yet is not there, and asking would make it.
const LEGACY_TABLES: &str = "set -e; for table in $(cat /proc/net/ip_tables_names 2>/dev/null); do \
    echo \"*$table\"; iptables-legacy -t \"$table\" -S; done";

/// The name of the instance's role. The token stays on the node.
const INSTANCE_ROLE: &str = "token=$(curl -sS -f -m 5 -X PUT \
    -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \"$1/latest/api/token\") || exit 1; \
    curl -sS -f -m 5 -H \"X-aws-ec2-metadata-token: $token\" \
    \"$1/latest/meta-data/iam/security-credentials/\"";
const METADATA: &str = "http://169.254.169.254";

/// The script of [`Observe::node_state`].
const NODE_STATE: &str = include_str!("node_state.sh");

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

    /// The node's host name.
    pub fn hostname() -> Self {
        Self::quick(&["hostname"])
    }

    /// All that the node's kernel does with packets, and who may log in: one answer, in frames. Of
    /// these files their place, size and times.
    pub fn node_state(files: &[String]) -> Self {
        let mut argv = words(&["sudo", "-n", "sh", "-s", "node-state"]);
        argv.extend_from_slice(files);
        Self::new(argv, QUICK).with_stdin(NODE_STATE.as_bytes().to_vec())
    }

    /// The public half of the key that the node's sshd shows.
    pub fn host_key() -> Self {
        Self::quick(&["cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
    }

    /// The IPv4 addresses of all interfaces, as iproute2's JSON.
    pub fn addresses() -> Self {
        Self::quick(&["ip", "-j", "-4", "addr", "show"])
    }

    /// The IPv4 default routes of the main table, as iproute2's JSON.
    pub fn default_routes() -> Self {
        Self::quick(&["ip", "-j", "-4", "route", "show", "default"])
    }

    /// The whole ruleset of nftables, as nft's JSON.
    pub fn nft_ruleset() -> Self {
        Self::quick(&["sudo", "-n", "nft", "-j", "list", "ruleset"])
    }

    /// The rules of all legacy tables that the kernel has, each behind `*` and its name.
    pub fn iptables_legacy() -> Self {
        Self::quick(&["sudo", "-n", "sh", "-c", LEGACY_TABLES])
    }

    /// Tracked connections that were opened from an address, with the reply direction.
    pub fn conntrack_from(source: Ipv4Addr) -> Self {
        Self::conntrack("-s", source)
    }

    /// Tracked connections that were opened to an address, with the reply direction.
    pub fn conntrack_to(destination: Ipv4Addr) -> Self {
        Self::conntrack("-d", destination)
    }

    fn conntrack(end: &str, address: Ipv4Addr) -> Self {
        let address = address.to_string();
        Self::quick(&["sudo", "-n", "conntrack", "-L", "-o", "extended", end, &address])
    }

    /// A file of the node. What lies in the run's own folder is the run's; of any other file that
    /// is not for everybody the evidence has a digest.
    pub fn read_file(path: &str) -> Self {
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

    /// A file of variables for a service's environment.
    pub fn environment_file(path: &str) -> Self {
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

    /// Who the executor would be for AWS: asked by the CLI, with the environment that routerd gives
    /// the executor.
    pub fn executor_identity(env: &BTreeMap<String, String>, region: &str) -> Self {
        let mut argv = super::as_executor(env);
        argv.extend(words(&["aws", "sts", "get-caller-identity", "--output", "json"]));
        argv.extend(words(&["--region", region]));
        Self::new(argv, IDENTITY)
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
        Self::new(argv, IDENTITY)
    }

    /// Which settings of a file, as `~/.aws/config`, give an SDK credentials: their names, one a line.
    /// Ends with 0 or 1 where it could be read or is not there.
    pub fn credential_names(path: &str) -> Self {
        let script = ["sudo", "-n", "sh", "-c", CREDENTIAL_NAMES, "sh", path, CREDENTIAL_PATTERN];
        Self::quick(&script)
    }

    /// The role that the metadata service hands to every program of the instance.
    pub fn instance_role() -> Self {
        Self::quick(&["sh", "-c", INSTANCE_ROLE, "sh", METADATA])
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

    /// Every packet whose payload begins with the nonce, and the first packets of connections to
    /// these ports, on all interfaces.
    pub fn capture(nonce: u32, ports: &[u16]) -> Self {
        // Each packet is told as it passes: else the kernel keeps a block of them for up to a second.
        // Its buffer has a place for each as long as the longest that is kept: by default for eight.
        let opening = ports.iter().map(|port| format!("( tcp[13] & 2 != 0 and port {port} )"));
        let marked = ["icmp[24:4]", "udp[8:4]"].map(|at| format!("( {at} = {nonce:#010x} )"));
        let filter = marked.into_iter().chain(opening).collect::<Vec<_>>().join(" or ");
        let mut argv = words(&["sudo", "-n", "timeout", "60", "tcpdump", "--immediate-mode"]);
        argv.extend(words(&["-s", "2048", "-B", "4096", "-t", "-n", "-l", "-x", "-i", "any"]));
        argv.push(filter);
        Self::new(argv, CAPTURE)
    }

    /// The interfaces, and which is a part of which.
    pub fn links() -> Self {
        Self::quick(&["ip", "-j", "link", "show"])
    }

    /// Sends numbered datagrams and hears the other end's, until it is told to stop.
    pub fn outage_probe(program: &str, name: &str, from: Ipv4Addr, to: Ipv4Addr) -> Self {
        let argv = words(&[program, "run", name, &from.to_string(), &to.to_string()]);
        Self::new(argv, outage::LIFE + QUICK)
    }

    /// Waits until the probe of this name runs.
    pub fn outage_probe_ready(program: &str, name: &str) -> Self {
        Self::new(words(&[program, "ready", name]), OUTAGE_PROBE)
    }

    /// Tells the probe of this name to stop.
    pub fn outage_probe_stop(program: &str, name: &str) -> Self {
        Self::new(words(&[program, "stop", name]), OUTAGE_PROBE)
    }

    /// The version of routerctl, in its own words.
    pub fn routerctl_version(routerd: &Routerd) -> Self {
        Self::new(Routerctl::new(routerd).version(), ROUTERCTL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(code: i32, stdout: &str) -> Output {
        Output { code, stdout: stdout.into(), stderr: b"said".to_vec() }
    }

    /// What is kept of a file is its text where everybody on the node may read it, else a digest.
    #[test]
    fn a_file_is_kept_as_what_it_is_where_everybody_may_read_it() {
        let yaml = Observe::read_file("/etc/router.yaml");
        let table = [
            (&yaml, "644\na: 1\n", "a: 1\n", Form::Yaml),
            (&yaml, "4\na: 1\n", "a: 1\n", Form::Yaml),
            (&yaml, "640\na: 1\n", "a: 1\n", Form::Sealed),
            (&yaml, "unknown\n644\n", "644\n", Form::Sealed),
            (&yaml, "a: 1\n", "a: 1\n", Form::Sealed),
            (&yaml, "100644\na: 1\n", "100644\na: 1\n", Form::Sealed),
            (&Observe::read_file("/etc/a.yml"), "644\n", "", Form::Yaml),
            (&Observe::read_file("/etc/a.json"), "644\n{}", "{}", Form::Json),
            (&Observe::read_file("/etc/a"), "644\na", "a", Form::Text),
            (&Observe::environment_file("/etc/a"), "644\nA=1", "A=1", Form::Variables),
            // In the run's own folder it is the run's.
            (&Observe::read_file(crate::act::LOCK_PATH), "644\n{}", "644\n{}", Form::Text),
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

    #[test]
    fn a_look_at_a_node_is_the_script_with_its_files_behind() {
        let look = Observe::node_state(&["/etc/a".to_owned()]);
        let (argv, stdin, _) = look.parts();
        assert_eq!(argv.join(" "), "sudo -n sh -s node-state /etc/a");
        assert_eq!(stdin, NODE_STATE.as_bytes());
        assert!(format!("{look:?}").contains("node-state"));
    }
}
