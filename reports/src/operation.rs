//! The operation of a step of the undo and teardown plan: a closed enum with every parameter, so
//! that the plan's digest, which the owner signs, covers all of it, and so that nobody acts by a
//! sentence.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One operation. The words for people and the owner's command are derived from it. Files are on
/// routerd-cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    RestoreSourceDestCheck {
        network_interface_id: String,
        /// The value that preflight saw.
        source_dest_check: bool,
        region: String,
    },
    UnassignAddress {
        network_interface_id: String,
        address: Ipv4Addr,
        region: String,
    },
    RemoveChangeSet {
        path: String,
    },
    ReleaseLock {
        path: String,
    },
    TerminateInstance {
        instance_id: String,
        region: String,
    },
    StopInstance {
        instance_id: String,
        region: String,
    },
    ReleaseAddress {
        allocation_id: String,
        region: String,
    },
    DeleteVolume {
        volume_id: String,
        region: String,
    },
}

/// A kind of resource that teardown ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    Instance,
    Address,
    Volume,
}

impl Operation {
    /// The name of what is done, for people.
    pub fn what(&self) -> String {
        match self {
            Self::RestoreSourceDestCheck { source_dest_check, .. } => {
                format!("restore SourceDestCheck to {source_dest_check}, as preflight saw it")
            }
            Self::UnassignAddress { address, .. } => format!("unassign {address}"),
            Self::RemoveChangeSet { .. } => "remove the change set from routerd-cloud".to_owned(),
            Self::ReleaseLock { .. } => "release the lab's lock".to_owned(),
            Self::TerminateInstance { .. } => "terminate the instance".to_owned(),
            Self::StopInstance { .. } => "stop the instance".to_owned(),
            Self::ReleaseAddress { .. } => "release the elastic IP address".to_owned(),
            Self::DeleteVolume { .. } => "delete the volume".to_owned(),
        }
    }

    /// The thing that it is done to: an id of EC2, or a file's path.
    pub fn resource(&self) -> &str {
        match self {
            Self::RestoreSourceDestCheck { network_interface_id, .. }
            | Self::UnassignAddress { network_interface_id, .. } => network_interface_id,
            Self::RemoveChangeSet { path } | Self::ReleaseLock { path } => path,
            Self::TerminateInstance { instance_id, .. }
            | Self::StopInstance { instance_id, .. } => instance_id,
            Self::ReleaseAddress { allocation_id, .. } => allocation_id,
            Self::DeleteVolume { volume_id, .. } => volume_id,
        }
    }

    /// The command with which the owner can do it by hand, as a shell takes it.
    pub fn owner_command(&self) -> String {
        match self {
            Self::RestoreSourceDestCheck { network_interface_id, source_dest_check, region } => {
                let flag = if *source_dest_check {
                    "--source-dest-check"
                } else {
                    "--no-source-dest-check"
                };
                ec2(
                    "modify-network-interface-attribute --network-interface-id",
                    network_interface_id,
                    &format!(" {flag}"),
                    region,
                )
            }
            Self::UnassignAddress { network_interface_id, address, region } => ec2(
                "unassign-private-ip-addresses --network-interface-id",
                network_interface_id,
                &format!(" --private-ip-addresses {address}"),
                region,
            ),
            Self::RemoveChangeSet { path } | Self::ReleaseLock { path } => {
                format!("sudo rm -f {}", shell_word(path))
            }
            Self::TerminateInstance { instance_id, region } => {
                ec2("terminate-instances --instance-ids", instance_id, "", region)
            }
            Self::StopInstance { instance_id, region } => {
                ec2("stop-instances --instance-ids", instance_id, "", region)
            }
            Self::ReleaseAddress { allocation_id, region } => {
                ec2("release-address --allocation-id", allocation_id, "", region)
            }
            Self::DeleteVolume { volume_id, region } => {
                ec2("delete-volume --volume-id", volume_id, "", region)
            }
        }
    }

    /// The part of the lab that teardown ends with it; none for what only takes back.
    pub fn torn(&self) -> Option<Torn> {
        match self {
            Self::RestoreSourceDestCheck { .. }
            | Self::UnassignAddress { .. }
            | Self::RemoveChangeSet { .. }
            | Self::ReleaseLock { .. } => None,
            Self::TerminateInstance { .. } | Self::StopInstance { .. } => Some(Torn::Instance),
            Self::ReleaseAddress { .. } => Some(Torn::Address),
            Self::DeleteVolume { .. } => Some(Torn::Volume),
        }
    }

    /// Whether a permit for it needs the proof that the owner granted it: whatever ends something of
    /// the lab. What is only stopped may be stopped with the manifest's consent as well.
    pub fn needs_proof(&self) -> bool {
        self.torn().is_some()
    }

    /// Whether nothing brings back what it ends.
    pub fn destroys(&self) -> bool {
        match self {
            Self::RestoreSourceDestCheck { .. }
            | Self::UnassignAddress { .. }
            | Self::RemoveChangeSet { .. }
            | Self::ReleaseLock { .. }
            | Self::StopInstance { .. } => false,
            Self::TerminateInstance { .. }
            | Self::ReleaseAddress { .. }
            | Self::DeleteVolume { .. } => true,
        }
    }
}

fn ec2(call: &str, id: &str, more: &str, region: &str) -> String {
    format!("aws ec2 {call} {}{more} --region {}", shell_word(id), shell_word(region))
}

/// A word as a shell takes it, whatever is in it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    // An equals sign in the first word would be an assignment, so such a word is quoted as well.
    if !word.is_empty() && word.chars().all(plain) && !word.contains('=') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One of each; a match without a default arm says where one is missing.
    pub(crate) fn each() -> Vec<Operation> {
        let region = || "eu-central-1".to_owned();
        let eni = || "eni-1".to_owned();
        let all = vec![
            Operation::RestoreSourceDestCheck {
                network_interface_id: eni(),
                source_dest_check: true,
                region: region(),
            },
            Operation::UnassignAddress {
                network_interface_id: eni(),
                address: Ipv4Addr::new(10, 88, 60, 9),
                region: region(),
            },
            Operation::RemoveChangeSet { path: "/p/change-set.json".to_owned() },
            Operation::ReleaseLock { path: "/p/lock.json".to_owned() },
            Operation::TerminateInstance { instance_id: "i-1".to_owned(), region: region() },
            Operation::StopInstance { instance_id: "i-1".to_owned(), region: region() },
            Operation::ReleaseAddress { allocation_id: "eipalloc-1".to_owned(), region: region() },
            Operation::DeleteVolume { volume_id: "vol-1".to_owned(), region: region() },
        ];
        for operation in &all {
            match operation {
                Operation::RestoreSourceDestCheck { .. }
                | Operation::UnassignAddress { .. }
                | Operation::RemoveChangeSet { .. }
                | Operation::ReleaseLock { .. }
                | Operation::TerminateInstance { .. }
                | Operation::StopInstance { .. }
                | Operation::ReleaseAddress { .. }
                | Operation::DeleteVolume { .. } => {}
            }
        }
        all
    }

    #[test]
    fn the_owners_command_and_the_words_say_what_is_done_and_to_what() {
        let said = [
            (
                "eni-1",
                "restore SourceDestCheck to true, as preflight saw it",
                "aws ec2 modify-network-interface-attribute --network-interface-id eni-1 --source-dest-check --region eu-central-1",
            ),
            (
                "eni-1",
                "unassign 10.88.60.9",
                "aws ec2 unassign-private-ip-addresses --network-interface-id eni-1 --private-ip-addresses 10.88.60.9 --region eu-central-1",
            ),
            (
                "/p/change-set.json",
                "remove the change set from routerd-cloud",
                "sudo rm -f /p/change-set.json",
            ),
            ("/p/lock.json", "release the lab's lock", "sudo rm -f /p/lock.json"),
            (
                "i-1",
                "terminate the instance",
                "aws ec2 terminate-instances --instance-ids i-1 --region eu-central-1",
            ),
            (
                "i-1",
                "stop the instance",
                "aws ec2 stop-instances --instance-ids i-1 --region eu-central-1",
            ),
            (
                "eipalloc-1",
                "release the elastic IP address",
                "aws ec2 release-address --allocation-id eipalloc-1 --region eu-central-1",
            ),
            (
                "vol-1",
                "delete the volume",
                "aws ec2 delete-volume --volume-id vol-1 --region eu-central-1",
            ),
        ];
        let all = each();
        assert_eq!(all.len(), said.len());
        for (operation, (resource, what, command)) in all.iter().zip(said) {
            assert_eq!(operation.resource(), resource);
            assert_eq!(
                (operation.what().as_str(), operation.owner_command().as_str()),
                (what, command)
            );
        }
    }

    #[test]
    fn a_check_that_was_off_is_restored_to_off() {
        let off = Operation::RestoreSourceDestCheck {
            network_interface_id: "eni-1".to_owned(),
            source_dest_check: false,
            region: "eu-central-1".to_owned(),
        };
        assert!(off.owner_command().contains(" --no-source-dest-check "));
    }

    /// An id that somebody wrote into a journal is a word of the command and no more.
    #[test]
    fn what_a_journal_says_is_no_second_command() {
        let instance_id = "i-1; rm -rf / #'".to_owned();
        let stop = Operation::StopInstance { instance_id, region: "x".to_owned() };
        let command = stop.owner_command();
        assert_eq!(
            command,
            r"aws ec2 stop-instances --instance-ids 'i-1; rm -rf / #'\''' --region x"
        );
    }

    #[test]
    fn what_destroys_is_told_from_what_takes_back_or_stops() {
        let destroying: Vec<String> =
            each().iter().filter(|it| it.destroys()).map(Operation::what).collect();
        assert_eq!(
            destroying,
            ["terminate the instance", "release the elastic IP address", "delete the volume"]
        );
        let torn: Vec<_> = each().iter().filter_map(Operation::torn).collect();
        assert_eq!(torn, [Torn::Instance, Torn::Instance, Torn::Address, Torn::Volume]);
    }
}
