//! Where a node is by now: EC2 is asked each time a connection is made, because an address lasts as long
//! as its instance runs. The answer is recorded, and proves nothing: the pinned host key does.

use std::rc::Rc;

use futures::future::LocalBoxFuture;
use lab::ec2::{InstancePlace, Reader};
use lab::manifest::{NodeEntry, Reach, find_node};
use lab::node::Node;
use lab::operator::Notices;
use lab::ssh_transport::LocateNode;
use reports::record::{AddressRead, Kind};

use crate::ssh_config::SshFolder;

pub struct NodeLocator {
    pub folder: Rc<SshFolder>,
    pub reader: Reader,
    pub notices: Notices,
}

impl NodeLocator {
    /// The node, and the nodes on the way to it.
    async fn find_way(&self, node: Node) -> Result<(), String> {
        let nodes = &self.folder.manifest().nodes;
        let mut to_find = vec![node];
        let mut done = Vec::new();
        while let Some(node) = to_find.pop() {
            let Some(entry) = nodes.get(&node).filter(|_| !done.contains(&node)) else { continue };
            done.push(node);
            to_find.extend(entry.jump.iter().filter_map(|hop| find_node(hop)));
            if entry.told_by_ec2() {
                self.find_node(node, entry).await?;
            }
        }
        Ok(())
    }

    async fn find_node(&self, node: Node, entry: &NodeEntry) -> Result<(), String> {
        let Some(id) = &entry.instance_id else { return Ok(()) };
        let answer = self.reader.instance_place(id).await;
        let place = answer.map_err(|error| format!("where {id} is cannot be read: {error}"))?.value;
        let place = place.ok_or_else(|| format!("EC2 does not show {id}"))?;
        let reach = entry.how_reached();
        let address = match reach {
            Reach::Public => place.public,
            Reach::Private => place.private,
            Reach::Fixed => None,
        };
        self.notices.add(Kind::AddressRead(AddressRead {
            node: node.to_string(),
            instance_id: id.clone(),
            reach: reach.as_str().to_owned(),
            address: address.map(|address| address.to_string()),
            state: place.state.to_string(),
        }));
        // A proxy that goes by the instance's id needs no address.
        let by_address =
            entry.proxy.is_empty() || entry.proxy.iter().any(|it| it.contains("{address}"));
        if address.is_none() && by_address {
            return Err(has_none(&place, reach));
        }
        let set = self.folder.set_address(node, address);
        set.map_err(|error| format!("ssh's configuration cannot be written: {error}"))
    }
}

fn has_none(place: &InstancePlace, reach: Reach) -> String {
    let (id, state, reach) = (&place.instance_id, &place.state, reach.as_str());
    format!("{id} is {state} and has no {reach} address")
}

impl LocateNode for NodeLocator {
    fn locate(&self, node: Node) -> LocalBoxFuture<'_, Result<(), String>> {
        Box::pin(self.find_way(node))
    }
}
