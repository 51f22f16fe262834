//! Resources that hang on the lab's instances: recorded while they are seen, and asked for by id ever
//! after. A tag may never have been there, and what a resource hung on may be gone by then.

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{Address, Instance, Sighted, seen_with};
use reports::journal::Writer;
use reports::record::{Kind, Life, ResourceKind, ResourceSeen, ResourcesSeen};

use crate::context::Context;

/// Which elastic IP addresses of the account are the lab's.
pub struct LabAddresses {
    tag: (String, String),
    allocation_ids: BTreeSet<String>,
    network_interface_ids: BTreeSet<String>,
}

impl LabAddresses {
    /// By what this run has seen so far.
    pub fn known(lab: &Lab, journal: &Writer) -> Self {
        let sighted = journal.with_records(Sighted::of);
        let mut network_interface_ids = sighted.ids(ResourceKind::NetworkInterface);
        network_interface_ids.insert(lab.manifest.capture.network_interface_id.clone());
        Self {
            tag: (lab.manifest.lab.tag_key.clone(), lab.manifest.lab.tag_value.clone()),
            allocation_ids: sighted.ids(ResourceKind::Address),
            network_interface_ids,
        }
    }

    /// And those on these interfaces.
    pub fn and_on(mut self, network_interface_ids: Vec<String>) -> Self {
        self.network_interface_ids.extend(network_interface_ids);
        self
    }

    /// By its tag, by its id, or by the interface that it is associated with.
    pub fn has(&self, address: &Address) -> bool {
        let (key, value) = &self.tag;
        address.tags.get(key) == Some(value)
            || self.allocation_ids.contains(&address.allocation_id)
            || self.hangs(address)
    }

    fn hangs(&self, address: &Address) -> bool {
        let on = address.network_interface_id.as_ref();
        on.is_some_and(|id| self.network_interface_ids.contains(id))
    }
}

/// Where nothing is in the VPC but the lab, an interface that hangs on nothing is the lab's too. What
/// cannot be read is known as far as the run has seen it.
pub async fn interfaces_of_the_vpc(lab: &Lab) -> Vec<String> {
    if !lab.manifest.aws.dedicated_vpc {
        return Vec::new();
    }
    let found = lab.reader.interfaces_in(&lab.manifest.aws.vpc_id).await;
    let found = found.map_or_else(|_| Vec::new(), |answer| answer.value);
    found.into_iter().map(|eni| eni.network_interface_id).collect()
}

/// Records what hangs on the instances by now, and on their addresses: once those are taken off, or
/// the instances are terminated, nothing says that it did.
pub async fn look_again(lab: &Lab, ctx: &mut Context<'_>) {
    let nodes = lab.manifest.nodes.values();
    let ids: Vec<String> = nodes.filter_map(|node| node.instance_id.clone()).collect();
    let (instances, addresses) = futures::join!(lab.reader.instances(&ids), lab.reader.addresses());
    // What cannot be seen now is known as preflight saw it.
    let instances = instances.map_or_else(|_| Vec::new(), |answer| answer.value);
    let addresses = addresses.map_or_else(|_| Vec::new(), |answer| answer.value);
    record(lab, ctx, &instances, &addresses);
}

/// Records these instances with what hangs on them, and the addresses that do.
pub fn record(lab: &Lab, ctx: &mut Context<'_>, instances: &[Instance], addresses: &[Address]) {
    let mut resources: Vec<ResourceSeen> = instances.iter().flat_map(seen_with).collect();
    let mut known = LabAddresses::known(lab, ctx.journal);
    let enis = resources.iter().filter(|it| it.kind == ResourceKind::NetworkInterface);
    known.network_interface_ids.extend(enis.map(|it| it.id.clone()));
    let hanging = addresses.iter().filter(|address| known.hangs(address));
    resources.extend(hanging.map(|address| ResourceSeen {
        kind: ResourceKind::Address,
        id: address.allocation_id.clone(),
        life: Life::Alive,
    }));
    if !resources.is_empty() {
        ctx.write(Kind::ResourcesSeen(ResourcesSeen { resources }));
    }
}
