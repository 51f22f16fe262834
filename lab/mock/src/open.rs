//! The mock lab, put together: a world from the seed, its faults, its manifest, and the lab that
//! the scenarios run on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use chrono::{DateTime, TimeDelta, Utc};
use reports::digest::Digest;
use reports::folder::{Sync, WORLD_LIMIT_BYTES, read_plain, write_atomically};
use reports::go::self_signers;
use reports::record::{LabKind, Renewal};
use sha2::{Digest as _, Sha256};

use super::cloud::{Cloud, InstanceState, LAB_TAG};
use super::connector::Connector;
use super::faults::{self, BadFault};
use super::machines::Machines;
use super::transport::MockTransport;
use super::world::{Shared, World};
use lab::Lab;
use lab::clock::Clock;
use lab::ec2::{AwsConnection, ServiceUrls};
use lab::manifest::{
    Aws, Capture, Ceiling, Consent, EndpointUrls, Iam, Instances, LabSection, Limits, Manifest,
    NodeEntry, Owner, Routerd, Teardown, Timing,
};
use lab::node::Node;
use lab::operator::{Notices, OperatorWatch};
use lab::shell::ssh::KNOWN_HOSTS;

#[derive(Clone, Debug, Default)]
pub struct MockLabOptions {
    pub seed: u64,
    /// `NAME` or `NAME=ARG`, as `lab-smoke faults` lists them.
    pub faults: Vec<String>,
    /// Where the world is saved after each effect; nowhere where there is none.
    pub world_file: Option<PathBuf>,
}

/// An open mock lab.
pub struct Mock {
    pub lab: Lab,
    pub shared: Shared,
    pub run_id: String,
    /// The seed of the ed25519 key with which this lab grants itself a go.
    pub go_seed: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Fault(#[from] BadFault),
    #[error("the mock's own manifest cannot be written: {0}")]
    Manifest(#[from] toml::ser::Error),
    #[error("the lab's own key cannot be written: {0}")]
    Key(#[from] ssh_key::Error),
    #[error("the world lacks {0}")]
    Lacks(&'static str),
    #[error("{path}: {source}")]
    World { path: PathBuf, source: std::io::Error },
}

/// The captured address of the runbook.
const CAPTURED: &str = "10.88.60.9/32";
const PLANNER: &str = "/usr/local/libexec/routerd/plugins/lab-planner";
const ROUTERCTL: &str = "/usr/local/sbin/routerctl";

/// Makes the world of `seed`, with its faults, and opens it. Must be called inside the paused
/// runtime: the lab's time is tokio's from here on.
pub fn open_mock_lab(options: &MockLabOptions) -> Result<Mock, OpenError> {
    open_as(options, None)
}

/// Does the same as [`open_mock_lab`], with the operator's own manifest instead of the one that the world is
/// made with: where that is another lab's, preflight finds out.
pub fn open_as(options: &MockLabOptions, own: Option<Manifest>) -> Result<Mock, OpenError> {
    fastrand::seed(options.seed);
    let epoch = start_time(options.seed);
    let clock = Clock::starting_at(epoch);
    let mut world = world_of(options.seed, epoch);
    let mut manifest = manifest_of(&world)?;
    pin_host_keys(&mut world, &manifest);
    for fault in &options.faults {
        faults::inject_fault(&mut world, fault)?;
    }
    if let Some(seconds) = world.faults.max_instance_seconds {
        manifest.limits.max_instance_seconds = Ceiling::Seconds(seconds);
    }
    // A guest that is known to be late is given longer.
    manifest.limits.guest_settle_ms = world.machines.guest_settle_ms;
    if let Some(instances) = world.faults.teardown {
        manifest.teardown.instances = instances;
    }
    let manifest = own.unwrap_or(manifest);
    let mock = assemble(Shared::new(world), clock, manifest, options.world_file.clone())?;
    mock.1.save()?;
    Ok(mock.0)
}

/// Opens the world that an earlier process left, at the time at which it left it, with the manifest
/// of its run. Must be called inside the paused runtime.
pub fn reopen_mock_lab(world_file: &Path, manifest: Manifest) -> Result<Mock, OpenError> {
    let bytes =
        read_plain(world_file, WORLD_LIMIT_BYTES).map_err(|source| failed(world_file, source))?;
    let world: World =
        serde_json::from_slice(&bytes).map_err(|error| failed(world_file, error.into()))?;
    fastrand::seed(world.seed);
    let clock = Clock::starting_at(world.now);
    Ok(assemble(Shared::new(world), clock, manifest, Some(world_file.to_owned()))?.0)
}

/// A lab on a world that is there already: what the next process would find.
pub fn attach_world(shared: Shared, manifest: Manifest) -> Result<Mock, OpenError> {
    let clock = Clock::starting_at(shared.lock().now);
    Ok(assemble(shared, clock, manifest, None)?.0)
}

fn assemble(
    shared: Shared,
    clock: Clock,
    manifest: Manifest,
    world_file: Option<PathBuf>,
) -> Result<(Mock, Rc<Saver>), OpenError> {
    let seed = shared.lock().seed;
    let connection = connection(&shared, clock);
    let transport = Rc::new(MockTransport { shared: shared.clone(), clock });
    let saver = Rc::new(Saver { shared: shared.clone(), clock, file: world_file });
    let saves = saver.clone();
    let after_effect: lab::AfterEffect = Rc::new(move || {
        let saved = saves.save();
        saved.map_err(|error| format!("the mock's world cannot be kept: {error}"))
    });
    let go_seed = digest(seed, "go");
    let lab = Lab::new(manifest, clock, &connection, transport, after_effect)
        .that_grants_itself(&self_signers(&go_seed)?)
        .that_is_asked_by(watch_operator(&shared, clock), &[], Notices::default());
    let started = start_time(seed).format("%Y%m%dT%H%M%SZ");
    let run_id = format!("smoke-{started}-{}", &hex_of(seed, "run")[..8]);
    Ok((Mock { lab, shared, run_id, go_seed }, saver))
}

/// The world of a seed before any fault.
pub fn world_of(seed: u64, now: DateTime<Utc>) -> World {
    let cloud = Cloud::example(seed, now, true);
    let machines = Machines::example(seed, &cloud);
    World { seed, now, cloud, machines, faults: faults::Faults::default(), at_first_end: None }
}

fn digest(seed: u64, label: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"lab-smoke mock ")
        .chain_update(label)
        .chain_update(seed.to_be_bytes())
        .finalize()
        .into()
}

fn hex_of(seed: u64, label: &str) -> String {
    hex::encode(digest(seed, label))
}

/// Some second of 2026.
pub fn start_time(seed: u64) -> DateTime<Utc> {
    const NEW_YEAR_2026: i64 = 1_767_225_600;
    const YEAR_SECONDS: u32 = 365 * 24 * 3600;
    let bytes = digest(seed, "start");
    let random = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    DateTime::UNIX_EPOCH + TimeDelta::seconds(NEW_YEAR_2026 + i64::from(random % YEAR_SECONDS))
}

fn watch_operator(shared: &Shared, clock: Clock) -> OperatorWatch {
    match shared.lock().faults.operator_session_seconds {
        None => OperatorWatch::default(),
        Some(seconds) => {
            OperatorWatch::of(Some(clock.now() + TimeDelta::seconds(seconds)), Renewal::Impossible)
        }
    }
}

fn connection(shared: &Shared, clock: Clock) -> AwsConnection {
    let world = shared.lock();
    let operator = &world.cloud.operator;
    let credentials = Credentials::new(
        &operator.access_key_id,
        &operator.secret_access_key,
        None,
        None,
        "the mock's operator",
    );
    AwsConnection {
        region: world.cloud.region.clone(),
        credentials: SharedCredentialsProvider::new(credentials),
        http_client: Connector::operator(shared.clone(), clock),
        sleep: clock.sdk_sleep(),
        time: clock.sdk_time(),
        urls: ServiceUrls::default(),
        app_name: None,
        retry_partition: format!("mock-{}-{:p}", world.seed, shared),
    }
}

/// The manifest that an operator would write for this world.
pub fn manifest_of(world: &World) -> Result<Manifest, OpenError> {
    let cloud = &world.cloud;
    let captured = CAPTURED.parse().map_err(|_| OpenError::Lacks("a captured address"))?;
    let router = world.machines.get(Node::RouterdCloud);
    let primary = "10.88.60.4".parse().map_err(|_| OpenError::Lacks("the router's address"))?;
    let eni = cloud.owner_of(primary).ok_or(OpenError::Lacks("the router's ENI"))?;
    let instance = cloud.instance_of(Node::RouterdCloud).ok_or(OpenError::Lacks("its instance"))?;
    let profile = instance.instance_profile.clone().ok_or(OpenError::Lacks("a profile"))?;
    let role = cloud.role_of(&instance.id).ok_or(OpenError::Lacks("a role"))?;
    let planner = router.files.contents(PLANNER).ok_or(OpenError::Lacks("a planner"))?;
    let outlives = |volume: &super::cloud::Volume| {
        volume.attachments.iter().all(|it| !it.delete_on_termination)
    };
    debug_assert_eq!(router.instance_id.as_deref(), Some(instance.id.as_str()));
    let tagged = |tags: &BTreeMap<String, String>| {
        tags.get(LAB_TAG.0).is_some_and(|value| value == LAB_TAG.1)
    };
    Ok(Manifest {
        version: 1,
        lab: LabSection {
            kind: LabKind::Mock,
            name: "mock".to_owned(),
            tag_key: LAB_TAG.0.to_owned(),
            tag_value: LAB_TAG.1.to_owned(),
        },
        aws: Aws {
            account_id: cloud.account_id.clone(),
            region: cloud.region.clone(),
            vpc_id: eni.vpc_id.clone(),
            subnet_id: eni.subnet_id.clone(),
            dedicated_vpc: true,
        },
        onprem: lab::manifest::Onprem::default(),
        capture: Capture {
            address: captured,
            network_interface_id: eni.id.clone(),
            provider_ref: "aws-lab".to_owned(),
            allow_reassignment: false,
            hops: 2,
            path_mtu_bytes: 1420,
        },
        iam: Iam { role_name: role.name.clone(), instance_profile_name: profile },
        routerd: Routerd {
            config: "/usr/local/etc/routerd/router.yaml".to_owned(),
            state_file: "/var/lib/routerd/routerd.db".to_owned(),
            routerctl: ROUTERCTL.to_owned(),
            planner: "lab-planner".to_owned(),
            planner_sha256: Digest::of(planner).to_string(),
        },
        nodes: Node::ALL.into_iter().map(|node| (node, entry(world, node))).collect(),
        limits: Limits {
            max_instance_seconds: Ceiling::Seconds(7200),
            clock_skew_ms: 1000,
            guest_settle_ms: world.machines.guest_settle_ms,
        },
        consent: Consent { stop_instances: true, start_instances: false },
        teardown: Teardown {
            instances: Instances::Terminate,
            release_addresses: cloud
                .addresses
                .values()
                .filter(|address| tagged(&address.tags))
                .map(|address| address.allocation_id.clone())
                .collect(),
            delete_volumes: cloud
                .volumes
                .values()
                .filter(|volume| tagged(&volume.tags) && outlives(volume))
                .map(|volume| volume.id.clone())
                .collect(),
            keep: Vec::new(),
        },
        owner: Owner { allowed_signers: String::new() },
        identity: None,
        endpoints: EndpointUrls::default(),
        timing: Timing::default(),
    })
}

fn entry(world: &World, node: Node) -> NodeEntry {
    let machine = world.machines.get(node);
    let address = |interface: &super::machines::Interface| {
        interface.addresses.iter().find(|it| it.prefix_len() == 24).map(ipnet::Ipv4Net::addr)
    };
    let (interface, address) = machine
        .interfaces
        .iter()
        .find_map(|interface| Some((interface.name.clone(), address(interface)?)))
        .unwrap_or_else(|| (String::new(), std::net::Ipv4Addr::UNSPECIFIED));
    NodeEntry {
        hostname: machine.hostname.clone(),
        address,
        interface,
        overlay_interface: None,
        instance_id: machine.instance_id.clone(),
        host_key: machine.sshd.host_key.clone(),
        ssh: None,
        user: "lab".to_owned(),
        reach: None,
        port: None,
        identity_file: None,
        jump: Vec::new(),
        proxy: Vec::new(),
        // Datagrams a millisecond apart would be more than the rest of the mock's packets together.
        outage_probe: None,
        path_probe: matches!(node, Node::CloudClient | Node::OnpremClient)
            .then(|| super::shell::PROBE.to_owned()),
    }
}

/// On each client, the other nodes' keys: the nested ssh accepts no other.
fn pin_host_keys(world: &mut World, manifest: &Manifest) {
    let lines: Vec<String> = manifest
        .nodes
        .values()
        .map(|node| format!("{} {}\n", node.address, node.host_key))
        .collect();
    let lines = lines.concat();
    for node in [Node::CloudClient, Node::OnpremClient] {
        world.machines.get_mut(node).files.put(KNOWN_HOSTS, lines.clone(), 0o644);
    }
}

/// Writes the world into the run's folder, so that the next process finds the same lab.
struct Saver {
    shared: Shared,
    clock: Clock,
    file: Option<PathBuf>,
}

impl Saver {
    fn save(&self) -> Result<(), OpenError> {
        let mut world = self.shared.lock();
        world.now = self.clock.now();
        let Some(path) = &self.file else { return Ok(()) };
        let bytes = serde_json::to_vec(&*world).map_err(|error| failed(path, error.into()))?;
        drop(world);
        write_atomically(path, &bytes, Sync::No).map_err(|source| failed(path, source))
    }
}

fn failed(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::World { path: path.to_owned(), source }
}

/// Whether an instance of the lab still costs: for tests and for the last look.
pub fn running_instances(world: &World, now: DateTime<Utc>) -> Vec<String> {
    world
        .cloud
        .instances
        .values()
        .filter(|instance| instance.state_at(now) == InstanceState::Running)
        .map(|instance| instance.id.clone())
        .collect()
}
