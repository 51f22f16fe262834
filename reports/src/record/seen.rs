//! The records of what the lab was seen to be, what it cost, and what is left of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// The side of the comparison that a reading belongs to: before the run changed anything, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Baseline,
    Final,
}

/// routerd's own journal as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsRecorded {
    pub phase: Phase,
    pub rows: Value,
}

/// The lab's state: ENI, instances, nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateRecorded {
    pub phase: Phase,
    pub state: Value,
}

/// Which instances a preflight found to cost money. None of the others that it asked for does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstancesFound {
    pub costing: Vec<String>,
    /// The type of each that was listed, by its id.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
}

/// The things that a preflight found to cost money, and that neither the undo plan ends nor the manifest
/// keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NobodysFound {
    pub items: Vec<ResidueItem>,
}

/// How long the captured address was out of reach while a scenario moved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutageRecorded {
    /// `execute` or `undo`.
    pub scenario: String,
    pub outage: Outage,
    /// Digests of what the probes on the nodes said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw: Vec<Digest>,
}

/// The measurement of how long the captured address was out of reach, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outage {
    /// By numbered datagrams between the clients, one flow for each direction, with the receiving
    /// kernel's times.
    Measured {
        flows: Vec<FlowOutage>,
    },
    NotMeasured {
        reason: String,
    },
}

/// One direction between two clients, with its silences in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowOutage {
    pub source: String,
    pub destination: String,
    /// A datagram was sent every so often; no figure is finer.
    pub resolution_us: u64,
    /// The longest silence of the control run: right before or after the change, while the path was
    /// up. Null where it was up neither before nor after.
    pub noise_floor_us: Option<u64>,
    /// The control run's.
    pub control: Option<Datagrams>,
    /// While it was changed.
    pub change: Datagrams,
    /// The longest silence between two datagrams that arrived with others lost between them, less
    /// the resolution; 0 where none was lost between two. Null where the path was never up.
    pub outage_us: Option<u64>,
    /// How many datagrams were lost in it.
    pub lost_in_outage: u64,
    /// From the change's begin to the first that arrived, where the path was not up before.
    pub reachable_after_us: Option<u64>,
    /// From the change's begin to the last that arrived, where the path was not up afterwards.
    pub unreachable_after_us: Option<u64>,
}

/// The number of datagrams that were sent and received in one span of a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Datagrams {
    pub sent: u64,
    pub received: u64,
}

/// The time that the lab's instances ran during the run, summed over them, and its ceiling: seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostRecorded {
    /// Sum over the lab's instances of the seconds each was seen running.
    pub instance_seconds: u64,
    /// The manifest's ceiling; null where the manifest says `none`.
    pub max_instance_seconds: Option<u64>,
    /// The same sum by instance type; `unknown` where no preflight saw it.
    #[serde(default)]
    pub instance_seconds_by_type: BTreeMap<String, u64>,
    /// Seconds of the lab's elastic IP addresses, from their first sight to their release: also while the run
    /// was parked.
    #[serde(default)]
    pub address_seconds: u64,
    /// The same of its volumes, attached or not.
    #[serde(default)]
    pub volume_seconds: u64,
}

/// The resources that hang on the lab's instances and may cost money, as EC2 showed them at the record's
/// time. Who comes later asks for them by id: a tag may be lost, and what they hung on may be gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesSeen {
    pub resources: Vec<ResourceSeen>,
}

/// One EC2 resource that hangs on the lab's instances, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSeen {
    pub kind: ResourceKind,
    pub id: String,
    pub life: Life,
}

/// The kind of an EC2 resource that may cost money.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    Instance,
    NetworkInterface,
    Volume,
    /// An elastic IP address.
    Address,
}

/// The last state of a resource that EC2 showed: still there, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    Alive,
    /// EC2 said so itself, as of an instance that is `terminated`.
    Ended,
}

/// The record of the things that are still there after the run; the last such record counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidueListed {
    pub items: Vec<ResidueItem>,
    /// The things that stay and harm nobody: those that the manifest names, and rows that nobody approved.
    pub kept: Vec<ResidueItem>,
}

/// One thing that is still there, why that is so, and how the owner ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidueItem {
    pub resource: String,
    pub id: String,
    pub why: String,
    pub costs_money: bool,
    /// The commands that the owner can run to settle it.
    pub owner_commands: Vec<String>,
}
