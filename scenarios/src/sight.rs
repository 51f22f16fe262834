//! Resources that hang on the lab's instances: recorded while they are seen, and asked for by id ever
//! after. A tag may never have been there, and what a resource hung on may be gone by then.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lab::Lab;
use lab::ec2::{Address, Instance, Sighted, Volume, seen_with};
use reports::journal::Writer;
use reports::record::{Kind, Life, Record, ResourceKind, ResourceSeen, ResourcesSeen};

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
    let (key, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
    let (instances, addresses, volumes) = futures::join!(
        lab.reader.instances(&ids),
        lab.reader.addresses(),
        lab.reader.volumes_tagged(key, value),
    );
    // What cannot be seen now is known as preflight saw it.
    let instances = instances.map_or_else(|_| Vec::new(), |answer| answer.value);
    let addresses = addresses.map_or_else(|_| Vec::new(), |answer| answer.value);
    let volumes = volumes.map_or_else(|_| Vec::new(), |answer| answer.value);
    record(lab, ctx, &instances, &addresses, &volumes);
}

/// Records these instances with what hangs on them, the addresses that are the lab's, and the volumes
/// that bear its tag.
pub fn record(
    lab: &Lab,
    ctx: &mut Context<'_>,
    instances: &[Instance],
    addresses: &[Address],
    volumes: &[Volume],
) {
    let mut resources: Vec<ResourceSeen> = instances.iter().flat_map(seen_with).collect();
    let mut known = LabAddresses::known(lab, ctx.journal);
    let enis = resources.iter().filter(|it| it.kind == ResourceKind::NetworkInterface);
    known.network_interface_ids.extend(enis.map(|it| it.id.clone()));
    let own = addresses.iter().filter(|address| known.has(address));
    let own = own.map(|it| (ResourceKind::Address, it.allocation_id.clone()));
    let loose = volumes.iter().map(|it| (ResourceKind::Volume, it.volume_id.clone()));
    for (kind, id) in own.chain(loose) {
        if !resources.iter().any(|it| (it.kind, &it.id) == (kind, &id)) {
            resources.push(ResourceSeen { kind, id, life: Life::Alive });
        }
    }
    if !resources.is_empty() {
        ctx.write(Kind::ResourcesSeen(ResourcesSeen { resources }));
    }
}

/// When this run saw the resource first.
pub fn first_seen(records: &[Record], id: &str) -> Option<DateTime<Utc>> {
    let seen = records.iter().find(|record| match &record.kind {
        Kind::ResourcesSeen(it) => it.resources.iter().any(|it| it.id == id),
        _ => false,
    });
    seen.map(|record| record.at)
}
