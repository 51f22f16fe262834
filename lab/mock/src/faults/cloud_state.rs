//! The surroundings of the lab in the cloud, changed by somebody before the lock is taken, during
//! the run and after its undo.

use super::cloud_changes::CloudChange;
use super::fault::Fault;
use super::gate::ABOUT_LOCK;
use super::hand::{
    Done, EXECUTE_ASSIGN, UNDO_ADDRESS, add_api_fault, happens_after, make_unauthorized,
};
use super::rules::{CallerKind, Happening};
use crate::world::World;

const ISSUE: &str = "issue 12";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("acls-unreadable", "the operator may not see the VPC's network ACLs", acls_unreadable)
        .on_netns().from("§4", ISSUE),
    Fault::new("role-widened-under-lock", "the executor's role may more since preflight, before the lock is taken", role_under_lock)
        .on_netns().from("§9", ISSUE),
    Fault::new("role-widened", "the executor's role may more since its first action", role_meanwhile)
        .on_netns().from("§7", ISSUE),
    Fault::new("security-group-opens", "the lab's security group admits another network since the run's first action", group_meanwhile)
        .on_netns().from("§7", ISSUE),
    Fault::new("acl-after-undo", "the subnet's network ACL has another entry after the undo", acl_after_undo)
        .on_netns().from("§6", ISSUE),
    Fault::new("cloud-route-after-undo", "the subnet's route table has another route after the undo", route_after_undo)
        .on_netns().from("§6", ISSUE),
    Fault::new("client-tag-after-undo", "cloud-client's interface is tagged otherwise after the undo", tag_after_undo)
        .on_netns().from("§6", ISSUE),
];

fn acls_unreadable(world: &mut World, _: &str) -> Done {
    add_api_fault(world, "DescribeNetworkAcls", CallerKind::Operator, u32::MAX, make_unauthorized())
}

fn role_under_lock(world: &mut World, _: &str) -> Done {
    happens_after(world, ABOUT_LOCK, Happening::Cloud(CloudChange::WiderRole))
}

fn role_meanwhile(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_ASSIGN, Happening::Cloud(CloudChange::WiderRole))
}

fn group_meanwhile(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_ASSIGN, Happening::Cloud(CloudChange::GroupRule))
}

fn acl_after_undo(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Cloud(CloudChange::AclEntry))
}

fn route_after_undo(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Cloud(CloudChange::Route))
}

fn tag_after_undo(world: &mut World, _: &str) -> Done {
    happens_after(world, UNDO_ADDRESS, Happening::Cloud(CloudChange::ClientTag))
}
