//! The things that a run owes to the lab, read from the mock's world itself and never from what the
//! harness says.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::Ipv4Addr;

use lab::manifest::{Instances, Manifest};
use lab::node::Node;
use lab_mock::cloud::{Cloud, InstanceState, NetworkInterface};
use lab_mock::faults::InterfaceChange;
use lab_mock::faults::{Event, Happening};
use lab_mock::machines::{Machine, Machines};
use lab_mock::world::World;
use rusqlite::{Connection, MAIN_DB};
use serde_json::{Value, json};

use crate::crash::{Aftermath, Plan, Prior};

pub const CAPTURED: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 9);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 60, 4);
const DATABASE: &str = "/var/lib/routerd/routerd.db";
/// The dead man's switch is armed until its instance ends.
const SWITCHS_FOLDER: &str = "/run/lab-smoke";
const RUNS_FOLDER: &str = "/var/lib/lab-smoke";

/// The lab where the first thing that costs was to be ended, or at the end.
fn at_the_end_of_the_run(world: &World) -> (&Cloud, &Machines) {
    match &world.at_first_end {
        Some(lab) => (&lab.cloud, &lab.machines),
        None => (&world.cloud, &world.machines),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, before: &T, after: &T) -> Result<(), String> {
    if before == after { Ok(()) } else { Err(format!("{what}: was {before:?}, is {after:?}")) }
}

/// The ENI and the nodes are as before the run; where nobody else touches the lab, all of it is.
pub fn restored(plan: &Plan, aftermath: &Aftermath) -> Result<(), String> {
    let (cloud, machines) = at_the_end_of_the_run(&aftermath.world);
    let before = &aftermath.before;
    if plan.is_alone() {
        same("interfaces", &before.cloud.network_interfaces, &cloud.network_interfaces)?;
        same("addresses", &before.cloud.addresses, &cloud.addresses)?;
        same("volumes", &before.cloud.volumes, &cloud.volumes)?;
        network(&before.cloud, cloud)?;
        for node in Node::ALL {
            let (before, after) = (before.machines.get(node), machines.get(node));
            same(node.as_str(), &kept(before), &kept(after))?;
        }
        return Ok(());
    }
    let Some(eni) = cloud.owner_of(ROUTER) else { return Ok(()) };
    if eni.owns(CAPTURED) && !had_it_before(before) && !others(plan, gives_it) {
        return Err(format!("{} still has {CAPTURED}", eni.id));
    }
    let wanted = plan.prior == Prior::CheckOn;
    if eni.source_dest_check != wanted && !plan_touches_the_check(plan) {
        return Err(format!("the check is {}, and was {wanted}", eni.source_dest_check));
    }
    Ok(())
}

fn had_it_before(before: &World) -> bool {
    before.cloud.owner_of(ROUTER).is_some_and(|eni: &NetworkInterface| eni.owns(CAPTURED))
}

fn others(plan: &Plan, is: impl Fn(&Event) -> bool) -> bool {
    plan.others.iter().any(is)
}

fn gives_it(event: &Event) -> bool {
    matches!(&event.what, Happening::Interface { primary, change: InterfaceChange::Secondary(_) } if *primary == ROUTER)
}

/// A named fault may have switched it by hand after the undo.
fn plan_touches_the_check(plan: &Plan) -> bool {
    plan.faults.iter().any(|fault| fault.contains("check"))
}

/// Compares what no run ever changes.
fn network(before: &Cloud, after: &Cloud) -> Result<(), String> {
    same("VPCs", &before.vpcs, &after.vpcs)?;
    same("subnets", &before.subnets, &after.subnets)?;
    same("route tables", &before.route_tables, &after.route_tables)?;
    same("security groups", &before.security_groups, &after.security_groups)
}

/// A node without what a run may leave: counters, its connections, routerd's database, burnt goes.
fn kept(machine: &Machine) -> Value {
    let mut files = serde_json::to_value(&machine.files).unwrap_or_default();
    if let Some(files) = files.as_object_mut() {
        let burnt = format!("{RUNS_FOLDER}/burnt-");
        let runs = |path: &str| path == DATABASE || path == RUNS_FOLDER || path.starts_with(&burnt);
        files.retain(|path, _| !runs(path) && !path.starts_with(SWITCHS_FOLDER));
    }
    json!({
        "interfaces": machine.interfaces,
        "routes": machine.routes,
        "proxy": machine.proxy_neighbours,
        "legacy_nat": machine.legacy_nat,
        "sysctls": machine.sysctls,
        "files": files,
    })
}

/// Checks that what the manifest says is ended, and nothing else.
pub fn torn_down(plan: &Plan, aftermath: &Aftermath, manifest: &Manifest) -> Result<(), String> {
    let world = &aftermath.world;
    let wanted = match manifest.teardown.instances {
        Instances::Terminate => InstanceState::Terminated,
        Instances::Stop => InstanceState::Stopped,
        Instances::Keep => return Ok(()),
    };
    for node in manifest.nodes.values().filter_map(|node| node.instance_id.as_ref()) {
        let Some(instance) = world.cloud.instances.get(node) else { continue };
        let state = instance.state_at(world.now);
        if state != wanted {
            return Err(format!("{node} is {state:?}"));
        }
    }
    for id in &manifest.teardown.release_addresses {
        if world.cloud.addresses.contains_key(id) {
            return Err(format!("{id} is still there"));
        }
    }
    for id in &manifest.teardown.delete_volumes {
        if world.cloud.volumes.contains_key(id) {
            return Err(format!("{id} is still there"));
        }
    }
    if plan.is_alone() { network(&aftermath.before.cloud, &world.cloud) } else { Ok(()) }
}

/// A run that never burnt its go ends nothing; it may stop instances.
pub fn nothing_torn_down(plan: &Plan, aftermath: &Aftermath) -> Result<(), String> {
    if !plan.is_alone() {
        return Ok(());
    }
    let (before, after) = (&aftermath.before.cloud, &aftermath.world.cloud);
    same("interfaces", &names(&before.network_interfaces), &names(&after.network_interfaces))?;
    same("instances", &names(&before.instances), &names(&after.instances))?;
    same("volumes", &names(&before.volumes), &names(&after.volumes))?;
    same("addresses", &names(&before.addresses), &names(&after.addresses))?;
    network(before, after)
}

fn names<T>(map: &BTreeMap<String, T>) -> Vec<&String> {
    map.keys().collect()
}

/// Whether the node says that a go was used by this run; somebody else may have used one, too.
pub fn go_is_used(run_id: &str, aftermath: &Aftermath) -> bool {
    let (_, machines) = at_the_end_of_the_run(&aftermath.world);
    let files = &machines.get(Node::RouterdCloud).files;
    let used_by_it = |name: &String| {
        let burnt = files.contents(&format!("{RUNS_FOLDER}/{name}"));
        name.starts_with("burnt-") && burnt.is_some_and(|bytes| names_the_run(bytes, run_id))
    };
    files.list(RUNS_FOLDER).is_ok_and(|names| names.iter().any(used_by_it))
}

/// A file that was hit by a death in the middle may be half written: the name is enough.
fn names_the_run(bytes: &[u8], run_id: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(run_id)
}

/// Whether routerd's database has a row that a command was at work on when it was cut off: no command
/// of routerctl moves such a row ever again.
pub fn has_a_wedged_row(aftermath: &Aftermath) -> bool {
    let (_, machines) = at_the_end_of_the_run(&aftermath.world);
    let Some(stored) = machines.get(Node::RouterdCloud).files.contents(DATABASE) else {
        return false;
    };
    let count = || -> rusqlite::Result<u32> {
        let mut database = Connection::open_in_memory()?;
        database.deserialize_read_exact(MAIN_DB, Cursor::new(stored), stored.len(), true)?;
        let running = "SELECT count(*) FROM action_executions WHERE status = 'running'";
        database.query_row(running, [], |row| row.get(0))
    };
    count().is_ok_and(|running| running > 0)
}

/// Whether this run's lock is on the node where the run leaves it.
pub fn holds_the_lock(aftermath: &Aftermath) -> bool {
    let (cloud, machines) = at_the_end_of_the_run(&aftermath.world);
    let there = |machines: &Machines| {
        let files = &machines.get(Node::RouterdCloud).files;
        files.contents(lab::act::LOCK_PATH).map(<[u8]>::to_vec)
    };
    let held = there(machines);
    cloud.owner_of(ROUTER).is_some() && held.is_some() && held != there(&aftermath.before.machines)
}
