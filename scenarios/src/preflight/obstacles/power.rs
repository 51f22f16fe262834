//! Instances that the run could not stop, or not end, as the manifest has it: what is running cannot
//! then be kept from costing (hard stop 7).

use std::collections::{BTreeMap, BTreeSet};

use lab::Lab;
use lab::ec2::{Instance, Protection, ReadError};
use lab::manifest::Instances;

use super::InTheWay;
use crate::preflight::gather::Read;

/// The protections that instances have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// By `disableApiStop`, which refuses to terminate as well.
    pub stop: BTreeSet<String>,
    /// By `disableApiTermination`.
    pub termination: BTreeSet<String>,
}

/// One that could not be read may be there.
pub fn read_protected(
    protections: &[(String, Protection, Read<bool>)],
) -> Result<Protected, &ReadError> {
    let mut protected = Protected::default();
    for (id, protection, read) in protections {
        if !read.as_ref()?.value {
            continue;
        }
        let set = match protection {
            Protection::Stop => &mut protected.stop,
            Protection::Termination => &mut protected.termination,
        };
        set.insert(id.clone());
    }
    Ok(protected)
}

/// AWS puts this tag on the members of a group, which replaces a member that is stopped.
const AUTO_SCALING_TAG: &str = "aws:autoscaling:groupName";

/// By instance, what is in the way of stopping it, or of ending it where teardown does.
pub fn find_unstoppable(lab: &Lab, instances: &[Instance], protected: &Protected) -> InTheWay {
    let manifest = &lab.manifest;
    let ends = manifest.teardown.instances == Instances::Terminate;
    let stops = manifest.consent.stop_instances || manifest.teardown.instances == Instances::Stop;
    let region = &manifest.aws.region;
    let ids: BTreeSet<&String> =
        manifest.nodes.values().filter_map(|node| node.instance_id.as_ref()).collect();
    let takes_off = |id: &String, flag: &str| {
        format!("aws ec2 modify-instance-attribute --instance-id {id} {flag} --region {region}")
    };
    let mut found = BTreeMap::new();
    for instance in instances.iter().filter(|it| ids.contains(&it.instance_id)) {
        let id = &instance.instance_id;
        let group = instance.tags.get(AUTO_SCALING_TAG);
        let root = instance.root_device_type.as_deref().unwrap_or("unknown");
        let is_spot = instance.lifecycle.as_deref() == Some("spot");
        let checks = [
            (
                (stops || ends) && protected.stop.contains(id),
                format!(
                    "it is protected from being stopped ({})",
                    takes_off(id, "--no-disable-api-stop")
                ),
            ),
            (
                ends && protected.termination.contains(id),
                format!(
                    "it is protected from being terminated ({})",
                    takes_off(id, "--no-disable-api-termination")
                ),
            ),
            (stops && is_spot, "it is a spot instance, which cannot be stopped at will".to_owned()),
            (
                stops && root != "ebs",
                format!("its root device is of type {root}: only one on EBS can be stopped"),
            ),
            (
                (stops || ends) && group.is_some(),
                format!(
                    "it is a member of the Auto Scaling group {}, which replaces it",
                    group.map_or("", String::as_str)
                ),
            ),
        ];
        let why: Vec<String> =
            checks.into_iter().filter(|(holds, _)| *holds).map(|(_, why)| why).collect();
        if !why.is_empty() {
            found.insert(id.clone(), why);
        }
    }
    found
}

/// All of it in one sentence; none where nothing is in the way.
pub fn say_unstoppable(found: &InTheWay) -> Option<String> {
    let each = found.iter().map(|(id, why)| format!("{id}: {}", why.join(", and ")));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("the run could not stop its instances: {}", each.join("; ")))
}
