//! A node's first process, inside the node's own namespaces: makes its files and addresses, runs
//! its sshd, and joins its sockets with those of the lab's folder.

use std::fs::OpenOptions;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, Stdin};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::folder::{Folder, Spec};
use super::node_files::{self, NodeSpec, SSHD_CONFIG};
use super::power::{PowerState, obey};
use super::{mounts, probe, run, topology};
use lab::node::Node;

/// Said to the supervisor: the namespaces are there; everything runs.
pub const BORN: &str = "born";
pub const READY: &str = "ready";
pub const INSIDE: &str = "/run/lab-smoke/in";
const SETUP: &str = include_str!("node.sh");

pub(super) type Orders = Lines<BufReader<Stdin>>;

/// The whole life of a node. It ends with the supervisor, whose pid namespace it lives in.
pub async fn main(folder: Folder, node: Node) -> io::Result<()> {
    say(BORN).await?;
    let ssh = UnixListener::bind(folder.ssh_socket(node))?;
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let line = orders.next_line().await?.ok_or_else(|| io::Error::other("told nothing"))?;
    set_up(&folder, node, &serde_json::from_str(&line)?).await?;
    serve_cloud(node).await?;
    let (power, watched) = watch::channel(PowerState::Off);
    tokio::spawn(join_ssh(ssh, watched));
    obey(node, &mut orders, &power).await
}

pub(super) async fn say(word: &str) -> io::Result<()> {
    let mut stdout = tokio::io::stdout();
    stdout.write_all(format!("{word}\n").as_bytes()).await?;
    stdout.flush().await
}

async fn set_up(folder: &Folder, node: Node, spec: &NodeSpec) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let lab: Spec = folder.read_json(&folder.spec())?;
    let routerctl = lab.routerctl.unwrap_or_else(|| program.clone());
    let executor = lab.executor.unwrap_or_else(|| program.clone());
    let (aws, shown) = lab.aws_cli.map(|cli| (cli.program, cli.folders)).unwrap_or_default();
    for (path, value) in topology::node_sysctls(node) {
        run::set_sysctl(path, value)?;
    }
    let mut setup = Command::new("sh");
    setup.args(["-c", SETUP, "sh", node.as_str()]);
    let home = folder.path().parent().unwrap_or(folder.path()).to_owned();
    setup.args([home, folder.inside_of(node), program, routerctl, executor, aws]).args(shown);
    run::run_checked(setup, "").await?;
    mounts::must_be_closed(&std::fs::read_to_string("/proc/self/mountinfo")?)?;
    for (path, mode, text) in node_files::make_node_files(node, spec) {
        write(Path::new(&path), mode, &text)?;
    }
    run::ip_batch(&topology::node_batch(node)).await?;
    if topology::is_router(node) {
        run::apply_nft(topology::ROUTER_NFT).await?;
    }
    Ok(())
}

fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// A running sshd; dropping it ends it, not its sessions.
pub(super) struct Sshd {
    _child: Child,
}

impl Sshd {
    /// Once it listens. What it says goes to the supervisor's log.
    pub(super) async fn start() -> io::Result<Self> {
        let path = probe::find_program("sshd").ok_or_else(|| io::Error::other("no sshd"))?;
        let mut child = Command::new(path)
            .args(["-D", "-e", "-f", SSHD_CONFIG])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("sshd has no stderr"))?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await? {
            if line.starts_with("Server listening on") {
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        tracing::debug!(target: "sshd", "{line}");
                    }
                });
                return Ok(Self { _child: child });
            }
            said.push(line);
        }
        Err(io::Error::other(format!("sshd did not start: {}", said.join("; "))))
    }
}

/// Kills everything that lives in this node's mount namespace, but this process.
pub(super) fn end_processes() -> io::Result<()> {
    let own = std::fs::read_link("/proc/self/ns/mnt")?;
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // What has ended meanwhile has no namespace any more.
        let namespace = std::fs::read_link(entry.path().join("ns/mnt"));
        if namespace.is_ok_and(|namespace| namespace == own)
            && pid.unsigned_abs() != std::process::id()
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    Ok(())
}

/// Connections from outside, each to the node's own sshd, while it runs.
async fn join_ssh(listener: UnixListener, mut power: watch::Receiver<PowerState>) {
    let mut joined = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = power.changed() => match changed {
                Ok(()) if *power.borrow() == PowerState::Off => {
                    joined.shutdown().await;
                    continue;
                }
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok((near, _)) = accepted else { return };
        if *power.borrow() == PowerState::Off {
            continue;
        }
        joined.spawn(async move {
            if let Ok(far) = to_sshd().await {
                until_either_ends(near, far).await;
            }
        });
        while joined.try_join_next().is_some() {}
    }
}

/// Without Nagle's delay: every command would wait for an acknowledgement that is 40 ms late.
async fn to_sshd() -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 22)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// ssh has no half-closed connections.
async fn until_either_ends(near: UnixStream, far: TcpStream) {
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
        (near.into_split(), far.into_split());
    tokio::select! {
        _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
        _ = tokio::io::copy(&mut far_in, &mut near_out) => {}
    }
}

/// On an instance: the metadata service, and EC2 where the executor looks for it.
async fn serve_cloud(node: Node) -> io::Result<()> {
    if !matches!(node, Node::RouterdCloud | Node::CloudClient) {
        return Ok(());
    }
    let metadata = TcpListener::bind((Ipv4Addr::new(169, 254, 169, 254), 80)).await?;
    tokio::spawn(join_tcp(metadata, Path::new(INSIDE).join(METADATA_SOCKET)));
    let ec2 = TcpListener::bind((Ipv4Addr::LOCALHOST, 8773)).await?;
    tokio::spawn(join_tcp(ec2, Path::new(INSIDE).join(EC2_SOCKET)));
    Ok(())
}

/// The name of EC2's socket, as programs on the nodes reach it.
pub const EC2_SOCKET: &str = "ec2.sock";

/// A node reaches its own alone.
pub const METADATA_SOCKET: &str = "metadata.sock";

async fn join_tcp(listener: TcpListener, socket: PathBuf) {
    while let Ok((mut near, _)) = listener.accept().await {
        let socket = socket.clone();
        tokio::spawn(async move {
            if let Ok(mut far) = UnixStream::connect(socket).await {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}
