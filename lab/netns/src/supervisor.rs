//! The process that holds a lab: first of its pid namespace, at home in the fabric's network
//! namespace. When it ends, by whatever hand, the kernel takes everything with it.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::fabric::{Fabric, Wiring, ttl_table};
use super::folder::{Folder, Spec, write_private};
use super::held::Held;
use super::keys::Key;
use super::node::{BORN, READY};
use super::node_files::NodeSpec;
use super::{access, endpoint, probe, run, topology};
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::world::{Shared, World};

/// The hidden subcommand of a node's first process.
pub const NODE_COMMAND: &str = "__netns-node";

const SETUP: &str = include_str!("supervisor.sh");

/// No node runs anything that configures its interfaces, so there is only what reacts to the run's
/// own programs, and that does so at once. Less would end no run sooner: the acceptance's other
/// scenarios, all at the same time, take about as long.
const GUEST_SETTLE_MS: u64 = 750;

/// Builds the lab of this folder and holds it until its time has passed.
pub async fn main(folder: Folder) -> io::Result<()> {
    let clock = Clock::System;
    let spec: Spec = folder.read_json(&folder.spec())?;
    let held = build(&folder, &spec, clock).await?;
    let mut stdout = tokio::io::stdout();
    stdout.write_all(format!("{READY}\n").as_bytes()).await?;
    stdout.flush().await?;
    let left = (spec.ends_at - clock.now()).to_std().unwrap_or_default();
    tokio::select! {
        () = held.follow_time() => tracing::error!("the world can no longer be followed"),
        () = held.run_ended.notified() => tracing::info!("the lab's run has ended"),
        () = clock.sleep(left) => tracing::info!("the lab's time has passed"),
    }
    Ok(())
}

async fn build(folder: &Folder, spec: &Spec, clock: Clock) -> io::Result<Arc<Held>> {
    let mut setup = Command::new("sh");
    setup.args(["-c", SETUP, "sh"]).arg(folder.path());
    run::run_checked(setup, "").await?;
    for (path, value) in topology::fabric_sysctls() {
        run::set_sysctl(path, value)?;
    }
    let mut world = lab_mock::world_of(spec.seed, clock.now());
    world.machines.guest_settle_ms = GUEST_SETTLE_MS;
    if let Some(volume) = spec.outliving_volume {
        volume.attach(&mut world)?;
    }
    let specs = identities(folder, &mut world)?;
    // The binary is large: it is read while the nodes start.
    let planner = tokio::spawn(sha256(std::env::current_exe()?));
    let mut nodes = Vec::new();
    for node in Node::ALL {
        nodes.push(Starting::spawn(folder, node)?);
    }
    for node in &mut nodes {
        node.expect(BORN).await?;
    }
    let wiring = Wiring::of(&world.cloud);
    let fabric = Fabric::of(&world.cloud, &wiring, clock.now());
    let pids: Vec<_> = nodes.iter().map(|node| (node.node, node.pid)).collect();
    let pid = |wanted| pids.iter().find(|(node, _)| *node == wanted).map_or(0, |(_, pid)| *pid);
    run::ip_batch(&topology::fabric_batch(&world.cloud, &wiring, &fabric, &pid)).await?;
    run::apply_nft(&ttl_table()).await?;
    for (node, spec) in nodes.iter_mut().zip(&specs) {
        node.tell(&serde_json::to_string(spec)?).await?;
    }
    for node in &mut nodes {
        node.expect(READY).await?;
    }
    let switches = nodes.into_iter().filter_map(Starting::watched).collect();
    let held = Arc::new(Held::new(Shared::new(world), clock, wiring, switches, pids));
    held.settle().await?;
    let planner_sha256 = planner.await.map_err(io::Error::other)??;
    access::write(folder, &held.shared.lock(), &planner_sha256, &spec.allowed_signers)?;
    endpoint::serve(&held, folder)?;
    Ok(held)
}

/// By the program for it, which is many times faster than an unoptimised build of ours.
async fn sha256(path: std::path::PathBuf) -> io::Result<String> {
    let mut command = Command::new("sha256sum");
    command.arg("--").arg(path);
    let line = String::from_utf8_lossy(&run::run_checked(command, "").await?).into_owned();
    // A name with a backslash in it is escaped, and the line then begins with one.
    Ok(line.trim_start_matches('\\').chars().take_while(char::is_ascii_hexdigit).collect())
}

/// Each node's keys, in the order of [`Node::ALL`]; the world learns the host keys.
fn identities(folder: &Folder, world: &mut World) -> io::Result<Vec<NodeSpec>> {
    let (operator, user) = (Key::generate()?, Key::generate()?);
    write_private(&folder.operator_key(), operator.private.as_bytes())?;
    let mut host_keys = Vec::new();
    for node in Node::ALL {
        let key = Key::generate()?;
        world.machines.get_mut(node).sshd.host_key.clone_from(&key.public);
        host_keys.push(key);
    }
    let known_hosts = access::known_hosts(world, access::By::Address)?;
    let spec = |key: Key| NodeSpec {
        host_key: key.private,
        host_key_public: key.public,
        user_key: user.private.clone(),
        authorized: vec![operator.public.clone(), user.public.clone()],
        known_hosts: known_hosts.clone(),
    };
    Ok(host_keys.into_iter().map(spec).collect())
}

/// A node's first process, until it runs.
struct Starting {
    node: Node,
    pid: u32,
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Starting {
    fn spawn(folder: &Folder, node: Node) -> io::Result<Self> {
        let mut child = Command::new("unshare")
            .args(probe::NODE_UNSHARE)
            .arg("--")
            .arg(std::env::current_exe()?)
            .arg(NODE_COMMAND)
            .arg(folder.path())
            .arg(node.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other(format!("{node} ended at once")))?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        Ok(Self { node, pid, child, said: BufReader::new(stdout).lines() })
    }

    async fn expect(&mut self, word: &str) -> io::Result<()> {
        match self.said.next_line().await? {
            Some(line) if line == word => Ok(()),
            Some(line) => Err(io::Error::other(format!("{} says {line:?}", self.node))),
            None => Err(io::Error::other(format!("{} did not start", self.node))),
        }
    }

    async fn tell(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.child.stdin.as_mut().ok_or_else(|| io::Error::other("no stdin"))?;
        stdin.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Its end is noted; the lab goes on without it, as a VPC does.
    fn watched(mut self) -> Option<(Node, tokio::process::ChildStdin)> {
        let stdin = self.child.stdin.take();
        let node = self.node;
        tokio::spawn(async move {
            let ended = self.child.wait().await;
            tracing::error!(%node, ?ended, "a node has ended");
        });
        Some((node, stdin?))
    }
}
