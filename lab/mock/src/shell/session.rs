//! Who runs a program on which node, and its three streams.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::iptables;
use crate::machines::{FileError, Machine, ROOTS_HOME, find_uptime};
use crate::world::Shared;
use lab::clock::Clock;
use lab::node::{Node, Output};

/// The machine's asset tag: on EC2's hypervisor the instance's id.
const ASSET_TAG: &str = "/sys/devices/virtual/dmi/id/board_asset_tag";

/// Root's.
pub const ROOT: u32 = 0;
/// The user who logs in.
const LOGIN: u32 = 1000;

#[derive(Clone)]
pub struct Session {
    pub shared: Shared,
    pub clock: Clock,
    pub node: Node,
    pub uid: u32,
    pub env: BTreeMap<String, String>,
    pub umask: u32,
}

impl Session {
    pub fn login(shared: Shared, clock: Clock, node: Node) -> Self {
        let mut session =
            Self { shared, clock, node, uid: LOGIN, env: BTreeMap::new(), umask: 0o022 };
        session.take_identity(LOGIN);
        session
    }

    /// The environment of a login as this user.
    pub fn take_identity(&mut self, uid: u32) {
        let (user, home) = if uid == ROOT { ("root", ROOTS_HOME) } else { ("lab", "/home/lab") };
        self.uid = uid;
        for (key, value) in [
            ("HOME", home),
            ("LOGNAME", user),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("SHELL", "/bin/sh"),
            ("USER", user),
        ] {
            self.env.insert(key.into(), value.into());
        }
    }

    pub fn is_root(&self) -> bool {
        self.uid == ROOT
    }

    /// The node's own clock.
    pub fn now(&self) -> DateTime<Utc> {
        let offset_ms = self.machine(|machine| machine.clock_offset_ms);
        self.clock.now() + TimeDelta::milliseconds(offset_ms)
    }

    /// Looks at the node.
    pub fn machine<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(self.shared.lock().machines.get(self.node))
    }

    /// Changes the node.
    pub fn change<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        change(self.shared.lock().machines.get_mut(self.node))
    }

    /// A file, or what the kernel shows as one.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let path = self.absolute(path);
        match path.as_str() {
            "/dev/null" => return Ok(Vec::new()),
            "/proc/uptime" => return Ok(self.uptime().into_bytes()),
            ASSET_TAG => {
                let id = self.machine(|machine| machine.instance_id.clone());
                return id.map(|id| format!("{id}\n").into_bytes()).ok_or(FileError::NotFound);
            }
            _ => {}
        }
        self.machine(|machine| {
            if let Some(key) = path.strip_prefix("/proc/sys/") {
                let value = machine.sysctls.get(&key.replace('/', "."));
                return value.map(|v| format!("{v}\n").into_bytes()).ok_or(FileError::NotFound);
            }
            match path.as_str() {
                "/proc/net/ip_tables_names" => {
                    return Ok(iptables::list_table_names(machine, "ip").into());
                }
                "/proc/net/ip6_tables_names" => {
                    return Ok(iptables::list_table_names(machine, "ip6").into());
                }
                _ => {}
            }
            machine.files.read(&path, self.uid).map(<[u8]>::to_vec)
        })
    }

    fn uptime(&self) -> String {
        let now = self.clock.now();
        let world = self.shared.lock();
        let id = world.machines.get(self.node).instance_id.as_ref();
        let up = find_uptime(id.and_then(|id| world.cloud.instances.get(id)), now);
        let (seconds, rest) = (up.num_seconds(), up.subsec_nanos() / 10_000_000);
        format!("{seconds}.{rest:02} {seconds}.{rest:02}\n")
    }

    /// The names in a folder, or in what the kernel shows as one.
    pub fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let path = self.absolute(path);
        self.machine(|machine| match path.as_str() {
            "/proc/sys/net/ipv4/conf" | "/proc/sys/net/ipv6/conf" => {
                let links = machine.interfaces.iter().map(|interface| interface.name.clone());
                Ok(["all".to_owned(), "default".to_owned()].into_iter().chain(links).collect())
            }
            "/run/netns" if machine.kernel.namespaces.is_empty() => Err(FileError::NotFound),
            "/run/netns" => Ok(machine.kernel.namespaces.keys().cloned().collect()),
            path => machine.files.list(path),
        })
    }

    /// A path as the kernel resolves it, from the user's home; there are no links.
    pub fn absolute(&self, path: &str) -> String {
        let home = self.env.get("HOME").map_or("/", String::as_str);
        let full = if path.starts_with('/') { path.to_owned() } else { format!("{home}/{path}") };
        let mut parts: Vec<&str> = Vec::new();
        for part in full.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        format!("/{}", parts.join("/"))
    }
}

/// Where a stream goes.
#[derive(Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub fn write(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    /// The bytes that came so far; the sink is empty then.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a program that reads its input to the end comes to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Input {
    #[default]
    Ends,
    NeverEnds,
}

/// A program's streams. What it wrote is there even when it is killed.
#[derive(Clone, Default)]
pub struct Io {
    pub stdin: Arc<Vec<u8>>,
    /// Whether the rest of the input is still on its way, for ever.
    pub input: Input,
    pub stdout: Sink,
    pub stderr: Sink,
}

impl Io {
    pub fn new(stdin: Vec<u8>) -> Self {
        Self { stdin: Arc::new(stdin), ..Self::default() }
    }

    pub fn out(&self, text: &str) {
        self.stdout.write(text.as_bytes());
    }

    pub fn err(&self, text: &str) {
        self.stderr.write(text.as_bytes());
    }

    /// Prints an error, and gives its exit code.
    pub fn fail(&self, code: i32, text: &str) -> i32 {
        self.err(text);
        self.err("\n");
        code
    }

    pub fn into_output(self, code: i32) -> Output {
        Output { code, stdout: self.stdout.take(), stderr: self.stderr.take() }
    }
}
