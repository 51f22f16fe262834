//! The changes that a run makes: a closed enum with everything that its intent needs, so that
//! whoever goes on with a run reads an effect back by what it is, and never by a sentence. Files
//! are on routerd-cloud.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of the ENI once a mutation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    Assigned(Ipv4Addr),
    Unassigned(Ipv4Addr),
    SourceDestCheck(bool),
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Assigned(address) => write!(f, "{address} on the ENI"),
            Self::Unassigned(address) => write!(f, "{address} not on the ENI"),
            Self::SourceDestCheck(on) => write!(f, "SourceDestCheck {on}"),
        }
    }
}

/// One change. `before` is what was read just before it, and proved to be the lab's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Effect {
    TakeLock {
        path: String,
        contents: String,
    },
    RenewLock {
        path: String,
        contents: String,
    },
    ReleaseLock {
        path: String,
    },
    BurnGo {
        path: String,
        contents: String,
    },
    PutChangeSet {
        path: String,
        contents: String,
    },
    RemoveChangeSet {
        path: String,
    },
    /// `routerctl plugin run`, which is to store plans with these idempotency keys.
    RunPlanner {
        /// The plans' source as routerd names it, `Plugin/NAME`.
        source: String,
        keys: Vec<String>,
    },
    /// `routerctl action import`, which is to make rows with these idempotency keys.
    ImportActions {
        state_file: String,
        keys: Vec<String>,
    },
    ApproveAction {
        row: u64,
        by: String,
    },
    ExecuteAction {
        row: u64,
        network_interface_id: String,
        goal: Goal,
        before: Value,
    },
    RollBackAction {
        row: u64,
        network_interface_id: String,
        goal: Goal,
        before: Value,
    },
    /// The executor itself, without routerd.
    UndoByExecutor {
        row: u64,
        network_interface_id: String,
        goal: Goal,
        before: Value,
        executable: String,
        /// Its request, as it reads it.
        stdin: Value,
    },
    Ec2TerminateInstance {
        instance_id: String,
        /// Its state.
        before: String,
    },
    Ec2StopInstance {
        instance_id: String,
        before: String,
    },
    Ec2StartInstance {
        instance_id: String,
        before: String,
    },
    Ec2DisassociateAddress {
        allocation_id: String,
        association_id: String,
        before: Value,
    },
    Ec2ReleaseAddress {
        allocation_id: String,
        before: Value,
    },
    Ec2DeleteVolume {
        volume_id: String,
        before: Value,
    },
    /// The dead man's switch of an instance: a timer on the node that powers it off once its uptime
    /// has come to what stands in a file.
    ArmSwitch {
        node: String,
        instance_id: String,
        /// The name of the timer and of its service, without the ending.
        unit: String,
        /// The file that says at which uptime.
        path: String,
        /// From the writing of the file on.
        deadline_seconds: u64,
    },
    RenewSwitch {
        node: String,
        instance_id: String,
        unit: String,
        path: String,
        deadline_seconds: u64,
    },
    DisarmSwitch {
        node: String,
        instance_id: String,
        unit: String,
        path: String,
    },
}

/// Whether an instance costs money after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    On,
    Off,
}

impl Effect {
    /// The name of what is done, for people; of EC2 the call's name.
    pub fn what(&self) -> String {
        let what = match self {
            Self::TakeLock { .. } => "take the lab's lock",
            Self::RenewLock { .. } => "keep the lab's lock for longer",
            Self::ReleaseLock { .. } => "release the lab's lock",
            Self::BurnGo { .. } => "burn the go",
            Self::PutChangeSet { .. } => "put the change set on the node",
            Self::RemoveChangeSet { .. } => "remove the change set from the node",
            Self::RunPlanner { .. } => "routerctl plugin run",
            Self::ImportActions { .. } => "routerctl action import",
            Self::ApproveAction { .. } => "routerctl action approve",
            Self::ExecuteAction { .. } => "routerctl action execute",
            Self::RollBackAction { .. } => "routerctl action rollback",
            Self::UndoByExecutor { executable, .. } => {
                return format!("{executable} with the baseline's prior value");
            }
            Self::Ec2TerminateInstance { .. } => "ec2 TerminateInstances",
            Self::Ec2StopInstance { .. } => "ec2 StopInstances",
            Self::Ec2StartInstance { .. } => "ec2 StartInstances",
            Self::Ec2DisassociateAddress { .. } => "ec2 DisassociateAddress",
            Self::Ec2ReleaseAddress { .. } => "ec2 ReleaseAddress",
            Self::Ec2DeleteVolume { .. } => "ec2 DeleteVolume",
            Self::ArmSwitch { .. } => "arm the dead man's switch",
            Self::RenewSwitch { .. } => "renew the dead man's switch",
            Self::DisarmSwitch { .. } => "disarm the dead man's switch",
        };
        what.to_owned()
    }

    /// The thing that it is done to: an id of EC2, a file's path, or how routerd names it.
    pub fn resource(&self) -> String {
        match self {
            Self::TakeLock { path, .. }
            | Self::RenewLock { path, .. }
            | Self::ReleaseLock { path }
            | Self::BurnGo { path, .. }
            | Self::PutChangeSet { path, .. }
            | Self::RemoveChangeSet { path } => path.clone(),
            Self::RunPlanner { source, .. } => source.clone(),
            Self::ImportActions { state_file, .. } => state_file.clone(),
            Self::ApproveAction { row, .. } => format!("row {row}"),
            Self::ExecuteAction { network_interface_id, .. }
            | Self::RollBackAction { network_interface_id, .. }
            | Self::UndoByExecutor { network_interface_id, .. } => network_interface_id.clone(),
            Self::Ec2TerminateInstance { instance_id, .. }
            | Self::Ec2StopInstance { instance_id, .. }
            | Self::Ec2StartInstance { instance_id, .. }
            | Self::ArmSwitch { instance_id, .. }
            | Self::RenewSwitch { instance_id, .. }
            | Self::DisarmSwitch { instance_id, .. } => instance_id.clone(),
            Self::Ec2DisassociateAddress { allocation_id, .. }
            | Self::Ec2ReleaseAddress { allocation_id, .. } => allocation_id.clone(),
            Self::Ec2DeleteVolume { volume_id, .. } => volume_id.clone(),
        }
    }

    /// The instance whose dead man's switch it is about: the switch ends with the instance's power.
    pub fn switched_instance(&self) -> Option<&str> {
        match self {
            Self::ArmSwitch { instance_id, .. }
            | Self::RenewSwitch { instance_id, .. }
            | Self::DisarmSwitch { instance_id, .. } => Some(instance_id),
            _ => None,
        }
    }

    /// How long after it the node goes off by itself, where nobody renews it.
    pub fn powers_off_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::ArmSwitch { deadline_seconds, .. }
            | Self::RenewSwitch { deadline_seconds, .. } => {
                Some(std::time::Duration::from_secs(*deadline_seconds))
            }
            _ => None,
        }
    }

    /// The instance that it turns on or off, and which.
    pub fn power(&self) -> Option<(&str, Power)> {
        match self {
            Self::Ec2TerminateInstance { instance_id, .. }
            | Self::Ec2StopInstance { instance_id, .. } => Some((instance_id, Power::Off)),
            Self::Ec2StartInstance { instance_id, .. } => Some((instance_id, Power::On)),
            Self::TakeLock { .. }
            | Self::RenewLock { .. }
            | Self::ReleaseLock { .. }
            | Self::BurnGo { .. }
            | Self::PutChangeSet { .. }
            | Self::RemoveChangeSet { .. }
            | Self::RunPlanner { .. }
            | Self::ImportActions { .. }
            | Self::ApproveAction { .. }
            | Self::ExecuteAction { .. }
            | Self::RollBackAction { .. }
            | Self::UndoByExecutor { .. }
            | Self::Ec2DisassociateAddress { .. }
            | Self::Ec2ReleaseAddress { .. }
            | Self::Ec2DeleteVolume { .. }
            | Self::ArmSwitch { .. }
            | Self::RenewSwitch { .. }
            | Self::DisarmSwitch { .. } => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One of each, in the order of the enum.
    pub(crate) fn each() -> Vec<Effect> {
        let text = |text: &str| text.to_owned();
        let (eni, row, goal) = (|| text("eni-1"), 3, Goal::SourceDestCheck(false));
        let before = || Value::Null;
        vec![
            Effect::TakeLock { path: text("/p"), contents: text("{}") },
            Effect::RenewLock { path: text("/p"), contents: text("{}") },
            Effect::ReleaseLock { path: text("/p") },
            Effect::BurnGo { path: text("/p"), contents: text("{}") },
            Effect::PutChangeSet { path: text("/p"), contents: text("{}") },
            Effect::RemoveChangeSet { path: text("/p") },
            Effect::RunPlanner { source: text("Plugin/lab-planner"), keys: vec![text("k")] },
            Effect::ImportActions { state_file: text("/p"), keys: vec![text("k")] },
            Effect::ApproveAction { row, by: text("owner") },
            Effect::ExecuteAction { row, network_interface_id: eni(), goal, before: before() },
            Effect::RollBackAction { row, network_interface_id: eni(), goal, before: before() },
            Effect::UndoByExecutor {
                row,
                network_interface_id: eni(),
                goal,
                before: before(),
                executable: text("/opt/executor"),
                stdin: before(),
            },
            Effect::Ec2TerminateInstance { instance_id: text("i-1"), before: text("running") },
            Effect::Ec2StopInstance { instance_id: text("i-1"), before: text("running") },
            Effect::Ec2StartInstance { instance_id: text("i-1"), before: text("stopped") },
            Effect::Ec2DisassociateAddress {
                allocation_id: text("eipalloc-1"),
                association_id: text("eipassoc-1"),
                before: before(),
            },
            Effect::Ec2ReleaseAddress { allocation_id: text("eipalloc-1"), before: before() },
            Effect::Ec2DeleteVolume { volume_id: text("vol-1"), before: before() },
            Effect::ArmSwitch {
                node: text("cloud-client"),
                instance_id: text("i-1"),
                unit: text("u"),
                path: text("/p"),
                deadline_seconds: 720,
            },
            Effect::RenewSwitch {
                node: text("cloud-client"),
                instance_id: text("i-1"),
                unit: text("u"),
                path: text("/p"),
                deadline_seconds: 600,
            },
            Effect::DisarmSwitch {
                node: text("cloud-client"),
                instance_id: text("i-1"),
                unit: text("u"),
                path: text("/p"),
            },
        ]
    }

    /// A journal that was written is read again, whatever the effect is.
    #[test]
    fn each_effect_is_read_as_it_was_written() {
        let mut kinds = std::collections::BTreeSet::new();
        for effect in each() {
            let written = serde_json::to_value(&effect).expect("serialisable");
            assert!(kinds.insert(written["kind"].to_string()), "{written}");
            assert_eq!(serde_json::from_value::<Effect>(written).expect("readable"), effect);
            assert!(!effect.what().is_empty() && !effect.resource().is_empty());
        }
        assert_eq!(kinds.len(), 21);
    }

    #[test]
    fn only_what_turns_an_instance_on_or_off_has_power() {
        let found: Vec<String> =
            each().iter().filter(|it| it.power().is_some()).map(Effect::what).collect();
        assert_eq!(found, ["ec2 TerminateInstances", "ec2 StopInstances", "ec2 StartInstances"]);
    }

    #[test]
    fn a_switch_is_an_instances_and_only_one_that_is_set_goes_off() {
        let about: Vec<(String, Option<u64>)> = each()
            .iter()
            .filter(|it| it.switched_instance() == Some("i-1"))
            .map(|it| (it.what(), it.powers_off_after().map(|after| after.as_secs())))
            .collect();
        let of = |what: &str, after| (format!("{what} the dead man's switch"), after);
        assert_eq!(about, [of("arm", Some(720)), of("renew", Some(600)), of("disarm", None)]);
        assert_eq!(each().iter().filter(|it| it.powers_off_after().is_some()).count(), 2);
    }
}
