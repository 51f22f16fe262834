//! The manifest's sections and fields.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use reports::record::{LabKind, LabTarget, TargetNode};
use serde::{Deserialize, Serialize};

use crate::node::Node;

/// The lab manifest, `lab.toml`. A key that is not known is a problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub version: u32,
    pub lab: LabSection,
    pub aws: Aws,
    #[serde(default, skip_serializing_if = "Onprem::is_left_out")]
    pub onprem: Onprem,
    pub capture: Capture,
    pub iam: Iam,
    pub routerd: Routerd,
    pub nodes: BTreeMap<Node, NodeEntry>,
    pub limits: Limits,
    pub consent: Consent,
    pub teardown: Teardown,
    pub owner: Owner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentitySection>,
    #[serde(default, skip_serializing_if = "EndpointUrls::is_empty")]
    pub endpoints: EndpointUrls,
    #[serde(default, skip_serializing_if = "Timing::is_left_out")]
    pub timing: Timing,
}

impl Manifest {
    /// The same lab, asked by whom and reached as the other manifest says: that is the operator's own,
    /// and no part of what its owner decides on.
    #[must_use]
    pub fn reached_as(mut self, other: &Self) -> Self {
        for (node, entry) in &other.nodes {
            if let Some(own) = self.nodes.remove(node) {
                self.nodes.insert(*node, own.reached_as(entry));
            }
        }
        Self { identity: other.identity.clone(), ..self }
    }
}

/// Section `[identity]`: the role that the operator takes, unless he names another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySection {
    pub assume_role: RoleChoice,
}

/// One role, or one for each account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a role's ARN, or a table of them by account id")]
pub enum RoleChoice {
    One(String),
    ByAccount(BTreeMap<String, String>),
}

impl IdentitySection {
    /// The role's ARN for this account; none where the table has none for it.
    pub fn role_for(&self, account_id: &str) -> Option<&str> {
        match &self.assume_role {
            RoleChoice::One(arn) => Some(arn),
            RoleChoice::ByAccount(table) => table.get(account_id).map(String::as_str),
        }
    }
}

/// Section `[endpoints]`: where a service is asked that is not asked at AWS's own endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointUrls {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ec2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<String>,
}

impl EndpointUrls {
    /// Whether all are AWS's own.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether EC2 is asked at a port of this machine, where AWS is not.
    pub fn ec2_is_on_this_machine(&self) -> bool {
        let rest = self.ec2.as_deref().and_then(|url| url.strip_prefix("http://"));
        rest.is_some_and(|rest| {
            let Some((host, port)) = rest.trim_end_matches('/').rsplit_once(':') else {
                return false;
            };
            matches!(host, "127.0.0.1" | "localhost" | "[::1]") && port.parse::<u16>().is_ok()
        })
    }
}

/// Section `[timing]`, which may be left out: how long is waited for what AWS and routerd do late. A lab
/// whose EC2 is not AWS may be asked sooner; its owner is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Between two looks at EC2 of which equal ones prove something: [`LOOK_AGAIN_MS_ON_EC2`] where it is
    /// left out, and no less on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again_ms: Option<u64>,
    /// From the undo to the look that must find what it left: [`DAEMON_ROUNDS_MS`] where it is left out,
    /// and no less on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_rounds_ms: Option<u64>,
}

/// Longer than EC2's reads lag behind.
pub const LOOK_AGAIN_MS_ON_EC2: u64 = 10_000;

/// Two rounds of routerd, which runs its controllers every five seconds (contract §0.13), and a margin.
pub const DAEMON_ROUNDS_MS: u64 = 12_000;

impl Timing {
    fn is_left_out(&self) -> bool {
        *self == Self::default()
    }
}

impl Manifest {
    /// The waits that this manifest says, each with the least that it may be on AWS.
    pub fn waits(&self) -> [(&'static str, Option<u64>, u64); 3] {
        let settle_ms = Some(self.limits.guest_settle_ms);
        [
            ("limits.guest_settle_ms", settle_ms, guest_settle_ms_on_ec2()),
            ("timing.look_again_ms", self.timing.look_again_ms, LOOK_AGAIN_MS_ON_EC2),
            ("timing.daemon_rounds_ms", self.timing.daemon_rounds_ms, DAEMON_ROUNDS_MS),
        ]
    }

    /// Those of a lab of kind `aws` that are shorter than on AWS: then it is said to be none.
    pub fn shortened_waits(&self) -> BTreeMap<String, u64> {
        if self.lab.kind != LabKind::Aws {
            return BTreeMap::new();
        }
        let short = |(field, ms, least): (&str, Option<u64>, u64)| {
            ms.filter(|ms| *ms < least).map(|ms| (field.to_owned(), ms))
        };
        self.waits().into_iter().filter_map(short).collect()
    }
}

/// Section `[lab]`: the kind of lab, its name, and the tag of its resources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabSection {
    pub kind: LabKind,
    pub name: String,
    /// Every resource of the lab carries this tag; nothing without it is touched.
    pub tag_key: String,
    pub tag_value: String,
}

/// Section `[aws]`: the account, region, VPC and subnet of the lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// 12 digits.
    pub account_id: String,
    pub region: String,
    pub vpc_id: String,
    pub subnet_id: String,
    /// Whether nothing is in the VPC but the lab: then an instance there without the lab's tag is
    /// the lab's as well.
    #[serde(default)]
    pub dedicated_vpc: bool,
}

/// Section `[onprem]`, which may be left out: where the on-prem side is, if it is on EC2 as well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Onprem {
    /// The VPC of those on-prem nodes that have an `instance_id`: `aws.vpc_id` where it is left out.
    /// What routerd's role can touch is in `aws.vpc_id` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
}

impl Onprem {
    fn is_left_out(&self) -> bool {
        *self == Self::default()
    }
}

impl Manifest {
    /// The place where a run acts, for its journal.
    pub fn target(&self) -> LabTarget {
        let node = |(node, entry): (&Node, &NodeEntry)| TargetNode {
            name: node.as_str().to_owned(),
            address: entry.address.to_string(),
            instance_id: entry.instance_id.clone(),
        };
        LabTarget {
            account_id: self.aws.account_id.clone(),
            region: self.aws.region.clone(),
            vpc_id: self.aws.vpc_id.clone(),
            subnet_id: self.aws.subnet_id.clone(),
            network_interface_id: self.capture.network_interface_id.clone(),
            address: self.capture.address.to_string(),
            nodes: self.nodes.iter().map(node).collect(),
            max_instance_seconds: match self.limits.max_instance_seconds {
                Ceiling::Seconds(seconds) => Some(seconds),
                Ceiling::Word(NoCeiling::None) => None,
            },
            principals: self.owner.principals(),
        }
    }

    /// The VPC that a node's instance has to be in.
    pub fn vpc_of(&self, node: Node) -> &str {
        match node {
            Node::RouterdCloud | Node::CloudClient => &self.aws.vpc_id,
            Node::OnpremRouter | Node::OnpremClient => {
                self.onprem.vpc_id.as_ref().unwrap_or(&self.aws.vpc_id)
            }
        }
    }

    /// The VPC that an instance has to be in: of one that no node has, the lab's.
    pub fn vpc_of_instance(&self, instance_id: &str) -> &str {
        let mut nodes = self.nodes.iter();
        let node = nodes.find(|(_, entry)| entry.instance_id.as_deref() == Some(instance_id));
        node.map_or(&self.aws.vpc_id, |(node, _)| self.vpc_of(*node))
    }

    /// The VPC that the captured address is in, and that of the on-prem nodes where it is another.
    pub fn vpc_ids(&self) -> (&str, Option<&str>) {
        let other = self.onprem.vpc_id.as_deref().filter(|id| *id != self.aws.vpc_id);
        (&self.aws.vpc_id, other)
    }
}

/// Section `[capture]`: the captured address, the ENI that gets it, and the way between the clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The captured address: a /32.
    pub address: Ipv4Net,
    pub network_interface_id: String,
    /// routerd's name for the provider profile, as `aws-lab`.
    pub provider_ref: String,
    /// Whether the owner lets the address be taken from another ENI.
    #[serde(default)]
    pub allow_reassignment: bool,
    /// How many nodes between the clients take one from a packet's time to live.
    #[serde(default = "two_routers")]
    pub hops: u8,
    /// The longest packet that passes between the clients, with its headers.
    #[serde(default = "wireguards_mtu")]
    pub path_mtu_bytes: u16,
}

fn two_routers() -> u8 {
    2
}

/// On an underlay of 1500.
fn wireguards_mtu() -> u16 {
    1420
}

/// Section `[iam]`: the executor's role, and the instance profile that gives it to routerd-cloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iam {
    /// The executor's role, by name.
    pub role_name: String,
    pub instance_profile_name: String,
}

/// Section `[routerd]`: routerd's files on routerd-cloud, and the planner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routerd {
    /// Absolute paths on routerd-cloud.
    pub config: String,
    pub state_file: String,
    pub routerctl: String,
    /// The name of the `Plugin` resource that plans.
    pub planner: String,
    /// SHA-256 of the planner's file on the node: it makes the plans that are executed.
    pub planner_sha256: String,
}

/// Section `[nodes.NAME]`: one node, and how it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    pub hostname: String,
    /// The address that the smoke's packets use; 10.88.60.x.
    pub address: Ipv4Addr,
    /// The interface that has it.
    pub interface: String,
    /// A router's interface to the other router: `wg-hybrid` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay_interface: Option<String>,
    /// For a node on EC2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The pinned host key, as `ssh-ed25519 AAAA…`.
    pub host_key: String,
    /// How the harness reaches it: `user@host[:port]`. Not used on the mock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<String>,
    /// The user of the nested ssh between the clients; the harness's as well, where `ssh` names none.
    pub user: String,
    /// Where the harness finds its address: see [`Reach`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// sshd's, where it is not 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The operator's key; without it, the agent's and ssh's usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<String>,
    /// The hosts on the way, the nearest first: a node's name, or `user@host[:port]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jump: Vec<String>,
    /// A program that speaks with the node's sshd, word for word; `{instance_id}`, `{address}`, `{port}`
    /// and `{region}` are put in. No shell reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxy: Vec<String>,
    /// Where `outage-probe` lies on a client: an absolute path. Without it no outage is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_probe: Option<String>,
    /// Where it lies on a client for the packets of `no-nat` alone, where no outage is to be
    /// measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_probe: Option<String>,
}

/// Where the harness finds a node's address. Proved it is by the pinned host key alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The instance's public one, as EC2 tells it whenever a connection is made.
    Public,
    /// The instance's private one, as EC2 tells it.
    Private,
    /// The manifest's: `ssh`, or `address`.
    Fixed,
}

impl Reach {
    /// Its word in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Fixed => "fixed",
        }
    }
}

impl NodeEntry {
    /// `reach`; a manifest that is older than it, or has `ssh`, says the address itself.
    pub fn how_reached(&self) -> Reach {
        self.reach.unwrap_or(Reach::Fixed)
    }

    /// Whether EC2 tells the address that the harness goes to.
    pub fn told_by_ec2(&self) -> bool {
        matches!(self.how_reached(), Reach::Public | Reach::Private)
    }

    /// The same node, reached as the other one is.
    #[must_use]
    fn reached_as(self, other: &Self) -> Self {
        Self {
            ssh: other.ssh.clone(),
            reach: other.reach,
            port: other.port,
            identity_file: other.identity_file.clone(),
            jump: other.jump.clone(),
            proxy: other.proxy.clone(),
            ..self
        }
    }

    /// The interface through which a router's packets go to the other site.
    pub fn overlay(&self) -> &str {
        self.overlay_interface.as_deref().unwrap_or("wg-hybrid")
    }

    /// Where `outage-probe` lies for what `no-nat` sends.
    pub fn probe(&self) -> Option<&str> {
        self.path_probe.as_deref().or(self.outage_probe.as_deref())
    }
}

/// Section `[limits]`: the ceiling of a run's instance time, the clock skew, and the guests' time to settle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub max_instance_seconds: Ceiling,
    /// Between the harness's clock and a node's.
    pub clock_skew_ms: u64,
    /// How long whatever configures the guests (cloud-init's network hot-plug hook, a DHCP client)
    /// may take to act on an address that its interface has got.
    #[serde(default = "guest_settle_ms_on_ec2")]
    pub guest_settle_ms: u64,
}

/// cloud-init's hook acts within a few seconds. A lab on AWS may not ask for less.
pub fn guest_settle_ms_on_ec2() -> u64 {
    10_000
}

/// A ceiling that is said aloud: leaving it out is an error, and `none` is a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of seconds, or \"none\"")]
pub enum Ceiling {
    Seconds(u64),
    Word(NoCeiling),
}

/// The word `none`: there is no ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoCeiling {
    None,
}

/// Section `[consent]`: the owner's consent that the run stops and starts instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The run may stop the lab's instances, and start what it stopped (hard stop 7).
    pub stop_instances: bool,
    /// Preflight may start what it finds stopped; it needs `stop_instances` too, for what is started
    /// has to be stopped again.
    #[serde(default)]
    pub start_instances: bool,
}

/// The fate of the lab's instances at teardown: `terminate`, `stop` or `keep`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    Terminate,
    Stop,
    Keep,
}

/// Section `[teardown]`: what becomes of the lab's resources at the end of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teardown {
    pub instances: Instances,
    /// Allocation ids of the lab's EIPs that are released; all others of the lab are residue.
    #[serde(default)]
    pub release_addresses: Vec<String>,
    /// Volumes of the lab that are deleted when nothing is attached to them any more.
    #[serde(default)]
    pub delete_volumes: Vec<String>,
    /// Ids that stay, on purpose: listed as `kept`, not as residue.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// Section `[owner]`: who may grant a go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Lines in OpenSSH's allowed_signers format.
    pub allowed_signers: String,
}

impl Owner {
    /// The names, or patterns of names, of those who may grant a go, in the order of their lines.
    pub fn principals(&self) -> Vec<String> {
        let lines = self.allowed_signers.lines().map(str::trim);
        let lines = lines.filter(|it| !it.is_empty() && !it.starts_with('#'));
        lines.filter_map(|it| it.split_whitespace().next()).map(str::to_owned).collect()
    }
}
