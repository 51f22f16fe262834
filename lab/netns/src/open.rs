//! An open kernel lab: the scenarios' [`Lab`], and what only this lab can be asked.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, ExitStatus};
use std::rc::Rc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::body::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use reports::go::self_signers;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

use super::access;
use super::explain::Walk;
use super::folder::{Folder, Spec};
use super::lifecycle;
use super::moments::ToldTransport;
use super::unix_http::{self, UnixClient};
use lab::Lab;
use lab::act::SwitchTimes;
use lab::clock::Clock;
use lab::ec2::{AwsConnection, ServiceUrls};
use lab::manifest::Manifest;
use lab::node::Node;
use lab::shell::Transport;
use lab::ssh_transport::SshTransport;
use lab_mock::world::World;

/// A lab that a supervisor holds.
pub struct Netns {
    pub lab: Lab,
    /// For commands that are no scenario's.
    pub transport: Rc<dyn Transport>,
    pub folder: Folder,
    /// The seed of the ed25519 key with which this lab grants itself a go.
    pub go_seed: [u8; 32],
}

/// Opens the lab of a folder. The same way in serves a second terminal, and a recovery.
///
/// # Errors
/// Where the folder is not a lab's.
pub fn open_kernel_lab(folder: Folder, clock: Clock) -> io::Result<Netns> {
    open_for(folder, clock, None, &[])
}

/// The same for a run, with the operator's own manifest where there is one. Where the run has faults
/// the supervisor is told of every command, and guests get as long as the faults need.
///
/// # Errors
/// Opens it as [`open_kernel_lab`] does.
pub fn open_for(
    folder: Folder,
    clock: Clock,
    own: Option<Manifest>,
    faults: &[String],
) -> io::Result<Netns> {
    let of_lab = read_manifest(&folder)?;
    let manifest = match own {
        Some(own) if faults.is_empty() => own,
        Some(own) => settling_as_long_as(own, &of_lab),
        None => of_lab,
    };
    let ssh = SshTransport::new(access::make_access(&folder));
    let transport: Rc<dyn Transport> = if faults.is_empty() {
        Rc::new(ssh)
    } else {
        Rc::new(ToldTransport::new(ssh, folder.clone()))
    };
    open_by(folder, clock, manifest, transport)
}

/// An injected fault may need more of the guests' time than the operator gives them: the lab's own
/// manifest says how much.
fn settling_as_long_as(mut own: Manifest, of_lab: &Manifest) -> Manifest {
    let least = of_lab.limits.guest_settle_ms;
    own.limits.guest_settle_ms = own.limits.guest_settle_ms.max(least);
    own
}

/// The lab's own manifest.
///
/// # Errors
/// Where the folder has none that can be read.
pub fn read_manifest(folder: &Folder) -> io::Result<Manifest> {
    let text = std::fs::read_to_string(folder.manifest())?;
    let path = folder.manifest().display().to_string();
    Manifest::parse(&path, &text).map_err(io::Error::other)
}

fn open_by(
    folder: Folder,
    clock: Clock,
    manifest: Manifest,
    transport: Rc<dyn Transport>,
) -> io::Result<Netns> {
    let spec: Spec = folder.read_json(&folder.spec())?;
    let go_seed: [u8; 32] = Sha256::new()
        .chain_update(b"lab-smoke netns go ")
        .chain_update(std::fs::read(folder.operator_key())?)
        .finalize()
        .into();
    let connection = connection(&folder, &spec, &manifest, clock);
    // The world is the supervisor's: there is nothing to save.
    let holder = folder.clone();
    let lab = Lab::new(manifest, clock, &connection, transport.clone(), Rc::new(|| Ok(())))
        .that_grants_itself(&self_signers(&go_seed).map_err(io::Error::other)?)
        .that_may_end(Rc::new(move || !lifecycle::is_held(&holder)))
        .with_switch_times(read_switch_times());
    Ok(Netns { lab, transport, folder, go_seed })
}

/// Three numbers of seconds for the dead man's switch: of a wait, of work, and between two looks.
const SWITCH_SECONDS: &str = "LAB_SMOKE_NETNS_SWITCH";

/// The deadlines of the dead man's switch: a test has no ten minutes. What is not three numbers is as if
/// it were not there.
fn read_switch_times() -> SwitchTimes {
    let text = std::env::var(SWITCH_SECONDS).unwrap_or_default();
    let seconds: Vec<u64> = text.split(',').filter_map(|it| it.parse().ok()).collect();
    match seconds[..] {
        [waiting, working, every] => {
            let [waiting, working, every] = [waiting, working, every].map(Duration::from_secs);
            SwitchTimes { waiting, working, every }
        }
        _ => SwitchTimes::default(),
    }
}

fn connection(folder: &Folder, spec: &Spec, manifest: &Manifest, clock: Clock) -> AwsConnection {
    let operator = lab_mock::world_of(spec.seed, spec.made_at).cloud.operator;
    let credentials = Credentials::new(
        operator.access_key_id,
        operator.secret_access_key,
        None,
        None,
        "the lab's operator",
    );
    AwsConnection {
        region: manifest.aws.region.clone(),
        credentials: SharedCredentialsProvider::new(credentials),
        http_client: UnixClient::shared(folder.ec2_socket()),
        sleep: clock.sdk_sleep(),
        time: clock.sdk_time(),
        urls: ServiceUrls::all_at("http://ec2.netns-lab"),
        app_name: None,
        retry_partition: format!("netns-{}", spec.id),
    }
}

/// Runs a command on a node with this process's terminal; without one, a login.
///
/// # Errors
/// Where ssh cannot be started.
pub fn run_on_node(folder: &Folder, node: Node, command: &[String]) -> io::Result<ExitStatus> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(folder.ssh_config()).arg(node.as_str());
    if !command.is_empty() {
        // ssh joins words with blanks, for the far shell to take apart again.
        ssh.arg("--").args(command.iter().map(|word| lab::ssh_transport::quote_for_shell(word)));
    }
    ssh.status()
}

/// Walks one echo request from a node's address through the fabric.
///
/// # Errors
/// Where the supervisor does not answer, or cannot.
pub async fn explain_packet(folder: &Folder, from: Ipv4Addr, to: Ipv4Addr) -> io::Result<Walk> {
    let answer =
        ask_supervisor(folder, Method::GET, &format!("/explain/{from}/{to}"), Bytes::new()).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// The fabric's named counters, in packets since the lab was made.
///
/// # Errors
/// Explains it as [`explain_packet`] does.
pub async fn ask_counters(folder: &Folder) -> io::Result<BTreeMap<String, u64>> {
    let answer = ask_supervisor(folder, Method::GET, "/counters", Bytes::new()).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// # Errors
/// Explains it as [`explain_packet`] does.
pub async fn read_world(folder: &Folder) -> io::Result<World> {
    let answer = ask_supervisor(folder, Method::GET, "/world", Bytes::new()).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Puts another world in its place; the fabric has followed when this returns. So faults come into
/// a lab.
///
/// # Errors
/// Explains it as [`explain_packet`] does.
pub async fn write_world(folder: &Folder, world: &World) -> io::Result<()> {
    let body = serde_json::to_vec(world)?.into();
    ask_supervisor(folder, Method::PUT, "/world", body).await.map(drop)
}

pub(super) async fn ask_supervisor(
    folder: &Folder,
    method: Method,
    path: &str,
    body: Bytes,
) -> io::Result<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "supervisor")
        .header("content-type", "application/json")
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let answer: Response<Bytes> =
        unix_http::send_request(&folder.supervisor_socket(), request).await?;
    if answer.status().is_success() {
        Ok(answer.into_body())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(answer.body()).into_owned()))
    }
}
