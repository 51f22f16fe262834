//! What hangs on the lab's instances: recorded while it is seen, and asked for by id ever after. A
//! tag may never have been there, and what a resource hung on may be gone by then.

use std::collections::BTreeSet;

use lab::Lab;
use lab::ec2::{Address, Instance, Sighted, seen_with};
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
    pub fn known(lab: &Lab, ctx: &Context<'_>) -> Self {
        let sighted = ctx.journal.with_records(Sighted::of);
        let mut network_interface_ids = sighted.ids(ResourceKind::NetworkInterface);
        network_interface_ids.insert(lab.manifest.capture.network_interface_id.clone());
        Self {
            tag: (lab.manifest.lab.tag_key.clone(), lab.manifest.lab.tag_value.clone()),
            allocation_ids: sighted.ids(ResourceKind::Address),
            network_interface_ids,
        }
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

/// Records these instances with what hangs on them, and the addresses that do.
pub fn record(lab: &Lab, ctx: &mut Context<'_>, instances: &[Instance], addresses: &[Address]) {
    let mut resources: Vec<ResourceSeen> = instances.iter().flat_map(seen_with).collect();
    let mut known = LabAddresses::known(lab, ctx);
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
