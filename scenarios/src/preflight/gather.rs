//! All reads of preflight that need nothing of one another, at the same time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lab::Lab;
use lab::ec2::{
    Answer, Identity, Instance, NetworkAcl, NetworkInterface, ReadError, RoleLimits, RouteTable,
    SecurityGroup, Subnet, Vpc,
};
use lab::iam::PolicyDocument;
use lab::node::Node;
use lab::router_yaml::{self, Executor, RouterConfig};
use lab::routerd::{DynamicPart, PartCounts, Row, UNIT, Unit};
use lab::shell::{Hashing, NodeAnswer, NodeFrames, Observe, RouterYaml, RouterctlVersion, Unread};

use super::identity::{ChainReads, IdentityRead, UnitRead, UnitReads};
use super::obstacles::{self, ObstacleReads};
use super::permissions::{self, NodeRehearsalRead, RehearsalReads};
use super::role::{self, NamedReads};
use super::router;
use super::shared::Ways;
use super::switch::{self, ShutdownReads};
use crate::node_state;
use crate::observe::Readout;
use crate::run::PlanSource;
use crate::silence::{self, WayAnswers, When};
use crate::watch::{self, Costly};

/// The files in a folder.
pub type Names = NodeAnswer<Result<Vec<String>, Unread>>;
/// The router.yaml of routerd-cloud.
pub type YamlRead = NodeAnswer<Result<RouterYaml, Unread>>;
pub type Read<T> = Result<Answer<T>, ReadError>;

pub struct Gathered {
    pub cloud: CloudReads,
    pub costly: Costly,
    pub shutdown: ShutdownReads,
    pub profile: Read<Vec<String>>,
    pub role: RoleReads,
    pub rehearsals: RehearsalReads,
    pub nodes: Vec<NodeReads>,
    pub router: RouterReads,
    pub silence: Vec<WayAnswers>,
}

/// The executor's role: what it is granted, what narrows that, and what its conditions name.
pub struct RoleReads {
    pub policies: Result<Vec<Answer<PolicyDocument>>, ReadError>,
    pub limits: RoleLimits,
    pub named: NamedReads,
}

pub struct CloudReads {
    pub identity: Read<Identity>,
    pub interface: Read<Option<NetworkInterface>>,
    /// All of the VPC's.
    pub interfaces: Read<Vec<NetworkInterface>>,
    pub instances: Read<Vec<Instance>>,
    pub subnet: Read<Option<Subnet>>,
    pub vpc: Read<Option<Vpc>>,
    pub route_tables: Read<Vec<RouteTable>>,
    pub ways: Ways,
    pub security_groups: Read<Vec<SecurityGroup>>,
    pub network_acls: Read<Vec<NetworkAcl>>,
    pub obstacles: ObstacleReads,
}

pub struct NodeReads {
    pub node: Node,
    pub hostname: NodeAnswer<Result<String, Unread>>,
    pub clock: ClockRead,
    pub state: NodeAnswer<Result<NodeFrames, Unread>>,
    pub host_key: NodeAnswer<Result<String, Unread>>,
}

/// A node's clock, between two readings of the harness's own.
pub struct ClockRead {
    pub before: DateTime<Utc>,
    pub told: NodeAnswer<Result<DateTime<Utc>, Unread>>,
    pub after: DateTime<Utc>,
}

pub struct RouterReads {
    pub yaml: YamlRead,
    /// Digests of the programs that router.yaml names; none where it cannot be read.
    pub programs: Option<Hashing>,
    /// None where router.yaml names no executor.
    pub identity: Option<IdentityRead>,
    /// Empty where nobody was asked.
    pub rehearsals: Vec<NodeRehearsalRead>,
    pub unit: UnitReads,
    pub version: NodeAnswer<Result<RouterctlVersion, Unread>>,
    pub rows: Readout<Vec<Row>>,
    pub parts: Readout<Vec<PartCounts>>,
    /// Parts of the run's own planner, with their plans.
    pub plans: Readout<Vec<DynamicPart>>,
    pub folder: Names,
}

pub async fn gather_reads(lab: &Lab) -> Gathered {
    let iam = &lab.manifest.iam;
    let (cloud, (costly, rehearsals), shutdown, profile, role, nodes, router, silence) = futures::join!(
        cloud(lab),
        costly_and_rehearsals(lab),
        switch::ask(lab),
        lab.reader.instance_profile_roles(&iam.instance_profile_name),
        role::read_role(lab),
        futures::future::join_all(Node::ALL.map(|node| one_node(lab, node))),
        router(lab),
        silence::ask_all_ways(lab, When::Before),
    );
    Gathered { cloud, costly, shutdown, profile, role, rehearsals, nodes, router, silence }
}

/// What costs, and then whether the run may end it.
async fn costly_and_rehearsals(lab: &Lab) -> (Costly, RehearsalReads) {
    let (costly, honours) =
        futures::join!(watch::read_costly(lab), lab.reader.honours_rehearsals());
    let rehearsals = permissions::rehearse_own_calls(lab, honours, &costly).await;
    (costly, rehearsals)
}

async fn cloud(lab: &Lab) -> CloudReads {
    let manifest = &lab.manifest;
    let ids: Vec<String> =
        manifest.nodes.values().filter_map(|node| node.instance_id.clone()).collect();
    let (
        identity,
        interface,
        interfaces,
        (instances, limits),
        subnet,
        vpc,
        route_tables,
        peerings,
        transit,
        groups,
        acls,
        protections,
    ) = futures::join!(
        lab.reader.caller_identity(),
        lab.reader.network_interface(&manifest.capture.network_interface_id),
        lab.reader.interfaces_in(&manifest.aws.vpc_id),
        obstacles::read_instances(lab, &ids),
        lab.reader.subnet(&manifest.aws.subnet_id),
        lab.reader.vpc(&manifest.aws.vpc_id),
        lab.reader.route_tables(&manifest.aws.vpc_id),
        lab.reader.peerings(),
        lab.reader.transit_attachments(&manifest.aws.vpc_id),
        lab.reader.security_groups(&manifest.aws.vpc_id),
        lab.reader.network_acls(&manifest.aws.vpc_id),
        obstacles::read_protections(lab),
    );
    let ways = Ways { peerings, transit_attachments: transit };
    CloudReads {
        identity,
        interface,
        interfaces,
        instances,
        subnet,
        vpc,
        route_tables,
        ways,
        security_groups: groups,
        network_acls: acls,
        obstacles: ObstacleReads { protections, limits },
    }
}

async fn one_node(lab: &Lab, node: Node) -> NodeReads {
    let commands = [Observe::hostname(), Observe::host_key()];
    let clock = async {
        let before = lab.clock.now();
        let told = lab.shell.observe(node, &Observe::clock()).await;
        ClockRead { before, told, after: lab.clock.now() }
    };
    let (clock, hostname, state, host_key) = futures::join!(
        clock,
        lab.shell.observe(node, &commands[0]),
        node_state::ask_node(lab, node),
        lab.shell.observe(node, &commands[1]),
    );
    NodeReads { node, hostname, clock, state, host_key }
}

async fn router(lab: &Lab) -> RouterReads {
    let routerd = &lab.manifest.routerd;
    let config = Observe::router_yaml(routerd);
    let (rows, parts) = (Observe::rows(routerd), Observe::dynamic_parts(routerd));
    let (folder, version) = (Observe::node_folder(), Observe::routerctl_version(routerd));
    let plans = Observe::dynamic_part(routerd, &PlanSource::part_of(&routerd.planner));
    let node = Node::RouterdCloud;
    let programs = async {
        let yaml = lab.shell.observe(node, &config).await;
        let (programs, identity, rehearsals) = futures::join!(
            hash_programs(lab, &yaml),
            identity(lab, &yaml),
            rehearse_check(lab, &yaml)
        );
        (yaml, programs, identity, rehearsals)
    };
    let ((yaml, programs, identity, rehearsals), unit, rows, parts, folder, version, plans) = futures::join!(
        programs,
        unit(lab),
        lab.shell.observe(node, &rows),
        lab.shell.observe(node, &parts),
        lab.shell.observe(node, &folder),
        lab.shell.observe(node, &version),
        lab.shell.observe(node, &plans),
    );
    let identity = match identity {
        Some(IdentityRead::Metadata { role, chain: None }) => {
            let chain = Some(chain(lab, &unit).await);
            Some(IdentityRead::Metadata { role, chain })
        }
        other => other,
    };
    RouterReads { yaml, programs, identity, rehearsals, unit, version, rows, parts, plans, folder }
}

/// routerd's unit, then the files of variables that it names.
async fn unit(lab: &Lab) -> UnitReads {
    let node = Node::RouterdCloud;
    let shown = lab.shell.observe(node, &Observe::unit(UNIT)).await;
    let named = unit_of(&shown).map(|unit| unit.environment_files.clone()).unwrap_or_default();
    let files = futures::future::join_all(named.into_iter().map(async |file| {
        let told = lab.shell.observe(node, &Observe::environment_file(&file.path)).await;
        (file, told)
    }));
    UnitReads { files: files.await, shown }
}

/// `env` and a shell say so where there is no such program.
const NO_SUCH_PROGRAM: i32 = 127;

/// The configuration, where it could be read.
fn config_of(yaml: &YamlRead) -> Option<&RouterConfig> {
    yaml.as_ref().ok()?.value.as_ref().ok()?.config.as_ref().ok()
}

/// The environment that the plugin gives the executor; none where it cannot be read. Nobody is asked
/// with keys, or by another program, that router.yaml names: that it does is the policy's to say.
fn executors_environment(yaml: &YamlRead) -> Option<BTreeMap<String, String>> {
    let Executor::Resolved(plugin) = config_of(yaml)?.executor("aws") else { return None };
    let env = &plugin.env.0;
    let may_be = env.iter().all(|(name, value)| router_yaml::may_be_given(name, value));
    may_be.then(|| env.clone())
}

/// Whether the executor may set the source/dest check, to either value.
pub async fn rehearse_check(lab: &Lab, yaml: &YamlRead) -> Vec<NodeRehearsalRead> {
    let Some(env) = executors_environment(yaml) else { return Vec::new() };
    let asked = [false, true].map(|value| {
        let command = Observe::rehearse_check(&env, &lab.manifest, value);
        async move { (value, lab.shell.observe(Node::RouterdCloud, &command).await) }
    });
    futures::future::join_all(asked).await
}

/// Who the executor would be: by the AWS CLI that it would find, else by the metadata service.
async fn identity(lab: &Lab, yaml: &YamlRead) -> Option<IdentityRead> {
    let env = executors_environment(yaml)?;
    let node = Node::RouterdCloud;
    let command = Observe::executor_identity(&env, &lab.manifest.aws.region);
    let by_cli = lab.shell.observe(node, &command).await;
    let no_cli = |answer: &Answer<_>| {
        matches!(answer.value, Err(Unread::Ended { code: NO_SUCH_PROGRAM, .. }))
    };
    if by_cli.as_ref().is_ok_and(no_cli) {
        let role = lab.shell.observe(node, &Observe::instance_role()).await;
        return Some(IdentityRead::Metadata { role, chain: None });
    }
    Some(IdentityRead::Cli(by_cli))
}

/// Reads what an SDK finds in files before it asks the metadata service, of root and of whom
/// routerd's unit runs as: the executor is started by either.
async fn chain(lab: &Lab, unit: &UnitReads) -> ChainReads {
    let node = Node::RouterdCloud;
    let accounts = lab.shell.observe(node, &Observe::home_folders()).await;
    let mut users = vec!["root".to_owned()];
    let user = unit_of(&unit.shown).and_then(|unit| unit.user.clone());
    users.extend(user.filter(|user| user != "root"));
    let known = accounts.as_ref().ok().and_then(|answer| answer.value.as_ref().ok());
    let homes = known.map(|homes| users.iter().map(|user| homes.get(user)).collect::<Vec<_>>());
    let homes = homes.unwrap_or_default();
    let homeless =
        users.iter().cloned().zip(&homes).filter(|(_, home)| home.is_none()).map(|(user, _)| user);
    let homeless = homeless.collect();
    let files = homes.into_iter().flatten();
    let files =
        files.flat_map(|home| ["credentials", "config"].map(|it| format!("{home}/.aws/{it}")));
    let files = futures::future::join_all(files.map(async |path| {
        let told = lab.shell.observe(node, &Observe::credential_names(&path)).await;
        (path, told)
    }));
    ChainReads { files: files.await, accounts, homeless }
}

fn unit_of(shown: &UnitRead) -> Option<&Unit> {
    shown.as_ref().ok()?.value.as_ref().ok()
}

/// Several of them may be one file of 100 MB.
async fn hash_programs(lab: &Lab, yaml: &YamlRead) -> Option<Hashing> {
    let paths: Vec<String> =
        router::programs_of(lab, config_of(yaml)?).into_iter().map(|(_, path)| path).collect();
    Some(lab.shell.hash_files(Node::RouterdCloud, &paths, &[]).await)
}

impl Gathered {
    /// Why the lab cannot be used at all: AWS or a node does not answer. A lab that answers wrongly
    /// is another matter.
    pub fn unreachable(&self) -> Option<String> {
        let mut silent: Vec<String> = Vec::new();
        let mut cloud = |error: Option<&ReadError>| {
            if let Some(error @ ReadError::Unreachable { .. }) = error {
                silent.push(error.to_string());
            }
        };
        cloud(self.cloud.identity.as_ref().err());
        cloud(self.cloud.interface.as_ref().err());
        cloud(self.cloud.interfaces.as_ref().err());
        cloud(self.cloud.instances.as_ref().err());
        cloud(self.cloud.subnet.as_ref().err());
        cloud(self.cloud.vpc.as_ref().err());
        cloud(self.cloud.route_tables.as_ref().err());
        cloud(self.profile.as_ref().err());
        cloud(self.role.policies.as_ref().err());
        for node in &self.nodes {
            if let Err(error) = &node.hostname
                && error.why.other_host_key().is_none()
            {
                silent.push(error.to_string());
            }
        }
        silent.dedup();
        (!silent.is_empty()).then(|| format!("the lab does not answer: {}", silent.join("; ")))
    }
}
