//! The commands that change something on a node. They are made and sent by [`crate::Lab`]'s
//! functions alone, each of which asks for a permit and records its intent first.

use std::time::Duration;

use crate::manifest::Routerd;
use crate::routerd::Routerctl;

/// The folder of what a run puts on the routerd node: change set, lock, burnt goes. It survives a
/// stop and start.
pub const NODE_FOLDER: &str = "/var/lib/lab-smoke";

/// A command that changes its node.
#[derive(Clone, Debug)]
pub struct Action {
    argv: Vec<String>,
    stdin: Vec<u8>,
    limit: Duration,
}

/// A mutation may take the plugin's timeout, and routerctl blocks on a grandchild that holds its
/// pipe (contract §1.8): no answer until then is an unknown outcome.
pub(crate) const MUTATION: Duration = Duration::from_mins(3);
pub(super) const QUICK: Duration = Duration::from_secs(30);

/// Writes standard input to a new file, durably; fails where there is one already.
const CREATE: &str = "set -e; set -C; umask 077; mkdir -p \"$2\"; cat > \"$1\"; sync \"$1\"";

/// Writes standard input over a file, durably: whoever reads it sees the old or the new one. The name
/// beside it is the lock's own where a run dies in between.
const REPLACE: &str = "set -e; umask 077; cat > \"$1.new\"; sync \"$1.new\"; mv \"$1.new\" \"$1\"";

impl Action {
    pub(super) fn new(argv: Vec<String>, limit: Duration) -> Self {
        Self { argv, stdin: Vec::new(), limit }
    }

    pub(super) fn parts(&self) -> (&[String], &[u8], Duration) {
        (&self.argv, &self.stdin, self.limit)
    }

    pub(crate) fn shown(&self) -> String {
        self.argv.join(" ")
    }

    pub(crate) fn create_file(path: &str, contents: Vec<u8>) -> Self {
        let argv = ["sudo", "-n", "sh", "-c", CREATE, "sh", path, NODE_FOLDER];
        let argv = argv.into_iter().map(str::to_owned).collect();
        Self { argv, stdin: contents, limit: QUICK }
    }

    pub(crate) fn replace_file(path: &str, contents: Vec<u8>) -> Self {
        let argv = ["sudo", "-n", "sh", "-c", REPLACE, "sh", path];
        let argv = argv.into_iter().map(str::to_owned).collect();
        Self { argv, stdin: contents, limit: QUICK }
    }

    pub(crate) fn remove_file(path: &str) -> Self {
        let argv = ["sudo", "-n", "rm", "-f", path].into_iter().map(str::to_owned).collect();
        Self::new(argv, QUICK)
    }

    pub(crate) fn plugin_run(routerd: &Routerd) -> Self {
        Self::new(Routerctl::new(routerd).plugin_run(&routerd.planner).argv, QUICK)
    }

    pub(crate) fn import(routerd: &Routerd) -> Self {
        Self::new(Routerctl::new(routerd).import().argv, QUICK)
    }

    pub(crate) fn approve(routerd: &Routerd, id: u64, by: &str) -> Self {
        Self::new(Routerctl::new(routerd).approve(id, by).argv, QUICK)
    }

    pub(crate) fn execute(routerd: &Routerd, id: u64) -> Self {
        Self::new(Routerctl::new(routerd).execute(id).argv, MUTATION)
    }

    pub(crate) fn rollback(routerd: &Routerd, id: u64) -> Self {
        Self::new(Routerctl::new(routerd).rollback(id).argv, MUTATION)
    }

    /// The executor itself, with the environment that routerd gives it, for an undo that routerd's
    /// own row can no longer carry.
    pub(crate) fn executor(
        executable: &str,
        env: &std::collections::BTreeMap<String, String>,
        request: Vec<u8>,
    ) -> Self {
        let mut argv = super::as_executor(env);
        argv.push(executable.to_owned());
        Self { argv, stdin: request, limit: MUTATION }
    }
}
