//! Events: what happens in the world by itself once its moment has come.

use std::io::Cursor;
use std::net::Ipv4Addr;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::Ipv4Net;
use rusqlite::{Connection, MAIN_DB};

use super::detours;
use super::hand::{CLIENT, ROUTER};
use super::money;
use super::rules::{
    CallerKind, Event, Happening, InterfaceChange, Stray, THIEF_MAC, When, fits_pattern,
};
use crate::cloud::{ElasticIp, LAB_TAG, Tags};
use crate::machines::{ChainKind, Hook, Match, Neighbour, NftAction, PERMANENT, Transport};
use crate::world::World;
use lab::node::Node;

/// Where routerd's database lies on routerd-cloud.
pub(super) const DATABASE: &str = "/var/lib/routerd/routerd.db";

/// Lets happen what waits for this API call to be carried out.
pub fn after_api(world: &mut World, call: &str, from: CallerKind, now: DateTime<Utc>) {
    moment(world, now, call, |when| {
        matches!(when, When::AfterApi { action, caller }
            if action == call && (*caller == CallerKind::Anyone || *caller == from))
    });
}

/// Lets happen what waits for this command to begin.
pub fn before_command(world: &mut World, on: Node, line: &str, now: DateTime<Utc>) {
    fire_due_events(world, now);
    moment(
        world,
        now,
        line,
        |when| matches!(when, When::BeforeCommand { node, pattern } if *node == on && fits_pattern(pattern, line)),
    );
}

/// Lets happen what waits for this command to end.
pub fn after_command(world: &mut World, on: Node, line: &str, now: DateTime<Utc>) {
    moment(
        world,
        now,
        line,
        |when| matches!(when, When::AfterCommand { node, pattern } if *node == on && fits_pattern(pattern, line)),
    );
}

/// Lets happen what was to happen by now.
pub fn fire_due_events(world: &mut World, now: DateTime<Utc>) {
    let mut events = std::mem::take(&mut world.faults.events);
    for event in events.iter_mut().filter(|event| event.fired == 0) {
        if event.due.is_some_and(|due| due <= now) {
            match happen(world, &event.what) {
                Ok(()) => {
                    event.fired = 1;
                    world.faults.happened.push(event.what.clone());
                }
                Err(error) => {
                    // It never falls, and the test that waits for it says so.
                    tracing::error!(%error, ?event.what, "the event did not happen");
                    (event.due, event.skip) = (None, u32::MAX);
                }
            }
        }
    }
    keep(world, events);
}

fn moment(world: &mut World, now: DateTime<Utc>, line: &str, is_it: impl Fn(&When) -> bool) {
    let mut events = std::mem::take(&mut world.faults.events);
    for event in events.iter_mut().filter(|event| event.due.is_none() && is_it(&event.when)) {
        event.seen += 1;
        if event.seen > event.skip {
            let delay = i64::try_from(event.delay_ms).unwrap_or(i64::MAX);
            event.due = Some(now + TimeDelta::milliseconds(delay));
            name_file(&mut event.what, line);
        }
    }
    keep(world, events);
    fire_due_events(world, now);
}

/// Gives a happening its path now, where it is to happen to a file that the command names.
fn name_file(what: &mut Happening, line: &str) {
    if let Happening::FileNamed { node, begins, contents } = what
        && let Some(path) = line.split(' ').find(|word| word.starts_with(begins.as_str()))
    {
        *what = Happening::File { node: *node, path: path.to_owned(), contents: contents.clone() };
    }
}

/// Puts the events back, before those that were added meanwhile.
fn keep(world: &mut World, mut events: Vec<Event>) {
    events.append(&mut world.faults.events);
    world.faults.events = events;
}

fn happen(world: &mut World, what: &Happening) -> Result<(), String> {
    match what {
        Happening::DefaultRoute { node, via } => {
            let machine = world.machines.get_mut(*node);
            for route in machine.routes.iter_mut().filter(|it| it.destination.prefix_len() == 0) {
                route.via = Some(*via);
            }
        }
        Happening::OsAddress { node, dev, address } => {
            let machine = world.machines.get_mut(*node);
            let interface = machine.interfaces.iter_mut().find(|it| it.name == *dev);
            if let Some(interface) = interface {
                interface.addresses.push(*address);
            }
        }
        Happening::Interface { primary, change } => {
            if let InterfaceChange::Takes(address) = change {
                for eni in world.cloud.network_interfaces.values_mut() {
                    eni.remove_secondary(*address);
                }
            }
            let mut all = world.cloud.network_interfaces.values_mut();
            if let Some(eni) = all.find(|eni| eni.primary() == Some(*primary)) {
                match change {
                    InterfaceChange::Secondary(address) | InterfaceChange::Takes(address) => {
                        eni.add_secondary(*address);
                    }
                    InterfaceChange::Without(address) => eni.remove_secondary(*address),
                    InterfaceChange::SourceDestCheck(on) => eni.source_dest_check = *on,
                    InterfaceChange::Untagged => eni.tags.clear(),
                }
            }
        }
        Happening::TagLost { instance_id } => {
            if let Some(instance) = world.cloud.instances.get_mut(instance_id) {
                instance.tags.remove(crate::cloud::LAB_TAG.0);
            }
        }
        Happening::VolumeTagLost => {
            let mut volumes = world.cloud.volumes.values_mut();
            if let Some(orphan) = volumes.find(|volume| volume.attachments.is_empty()) {
                orphan.tags.remove(crate::cloud::LAB_TAG.0);
            }
        }
        Happening::VolumeOutlives { instance_id } => money::volume_outlives(world, instance_id),
        Happening::VolumeAttached { instance_id } => money::attach_volume(world, instance_id),
        Happening::AddressHangs { primary } => money::hang_address(world, *primary)?,
        Happening::InstanceVanishes { instance_id } => {
            world.cloud.instances.remove(instance_id);
        }
        Happening::Sql { statement } => {
            run_sql(world, statement)?;
        }
        Happening::File { node, path, contents } => {
            world.machines.get_mut(*node).files.put(path, contents.as_bytes(), 0o755);
        }
        Happening::FileNamed { begins, .. } => {
            return Err(format!("the command names no file `{begins}…`"));
        }
        Happening::NftTable { node } => {
            world.machines.get_mut(*node).nft.add(
                ("inet", "somebody"),
                (ChainKind::Filter, Hook::Output, 0),
                Vec::new(),
            );
        }
        Happening::Command(command) => world.faults.begun.push(command.clone()),
        Happening::Masquerade { node } => {
            world.machines.get_mut(*node).nft.add(
                ("ip", "somebodys_nat"),
                (ChainKind::Nat, Hook::Postrouting, 100),
                vec![(Vec::new(), NftAction::Masquerade)],
            );
        }
        Happening::Notrack { node } => {
            world.machines.get_mut(*node).nft.add(
                ("inet", "somebodys_notrack"),
                (ChainKind::Filter, Hook::Prerouting, -300),
                vec![(Vec::new(), NftAction::Notrack)],
            );
        }
        Happening::IcmpDropped { node, dev } => {
            let matches = vec![Match::InInterface(dev.clone()), Match::Protocol(Transport::Icmp)];
            world.machines.get_mut(*node).nft.add(
                ("inet", "somebodys_filter"),
                (ChainKind::Filter, Hook::Input, 0),
                vec![(matches, NftAction::Drop)],
            );
        }
        Happening::Route { node, to, via, dev, source } => {
            let route = detours::make_route(*to, *via, dev, *source);
            world.machines.get_mut(*node).routes.push(route);
        }
        Happening::NoRoute { node, to, dev } => {
            let routes = &mut world.machines.get_mut(*node).routes;
            routes.retain(|it| it.destination != Ipv4Net::from(*to) || it.dev != *dev);
        }
        Happening::Stray(stray) => add_stray(world, *stray),
        Happening::Cloud(change) => change.apply(world)?,
        Happening::Kernel { node, change } => {
            change.apply(*node, world.machines.get_mut(*node));
        }
        Happening::Way { node, change } => super::way::change_way(world, *node, *change),
        Happening::Thief { address } => steal(world, *address),
        Happening::Ingress { primary } => {
            let groups = world.cloud.owner_of(*primary).map(|eni| eni.groups.clone());
            for id in groups.unwrap_or_default() {
                if let Some(group) = world.cloud.security_groups.get_mut(&id) {
                    group.ingress.clear();
                }
            }
        }
        Happening::NoIcmpErrors { primary } => super::reach::take_icmp_errors_off(world, *primary)?,
        Happening::InterfaceOutlives { network_interface_id } => {
            let eni = world.cloud.network_interfaces.get_mut(network_interface_id);
            if let Some(attachment) = eni.and_then(|eni| eni.attachment.as_mut()) {
                attachment.delete_on_termination = false;
            }
        }
        Happening::Api(rule) => world.faults.api.push(rule.clone()),
        Happening::Then(event) => world.faults.events.push((**event).clone()),
    }
    Ok(())
}

/// The router's entry is permanent, so that nobody is asked.
fn steal(world: &mut World, address: Ipv4Addr) {
    world.machines.get_mut(Node::OnpremRouter).neighbours.push(Neighbour {
        address,
        dev: "br-lan".to_owned(),
        mac: Some(THIEF_MAC.to_owned()),
        state: PERMANENT.to_owned(),
    });
}

/// Runs statements on routerd's database, which is made where there is none yet.
pub fn run_sql(world: &mut World, statements: &str) -> Result<(), String> {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    let stored = files.contents(DATABASE).map(<[u8]>::to_vec).unwrap_or_default();
    let bytes = changed(&stored, statements).map_err(|error| error.to_string())?;
    files.put(DATABASE, bytes, 0o644);
    Ok(())
}

fn changed(stored: &[u8], statements: &str) -> rusqlite::Result<Vec<u8>> {
    let mut connection = Connection::open_in_memory()?;
    if stored.is_empty() {
        lab_programs::routerctl::make_tables(&connection)?;
    } else {
        connection.deserialize_read_exact(MAIN_DB, Cursor::new(stored), stored.len(), false)?;
    }
    connection.execute_batch(statements)?;
    Ok(connection.serialize(MAIN_DB)?.to_vec())
}

/// With the lab's tag, and in its VPC.
pub fn add_stray(world: &mut World, stray: Stray) {
    let tags = Tags::from([(LAB_TAG.0.to_owned(), LAB_TAG.1.to_owned())]);
    let now = world.now;
    let cloud = &mut world.cloud;
    match stray {
        Stray::Instance => {
            let client = cloud.owner_of(CLIENT).and_then(|eni| eni.instance_id.clone());
            let client = client.and_then(|id| cloud.instances.get(&id));
            if let Some(mut stray) = client.cloned() {
                stray.id = "i-00000000000000001".to_owned();
                stray.reservation_id = "r-00000000000000001".to_owned();
                stray.tags.insert("Name".to_owned(), "forgotten".to_owned());
                cloud.instances.insert(stray.id.clone(), stray);
            }
        }
        Stray::Untagged => {
            let eni = cloud.owner_of(CLIENT).cloned();
            let client =
                eni.as_ref().and_then(|eni| cloud.instances.get(eni.instance_id.as_ref()?));
            if let (Some(mut eni), Some(mut stray)) = (eni, client.cloned()) {
                stray.id = "i-00000000000000002".to_owned();
                stray.reservation_id = "r-00000000000000002".to_owned();
                stray.tags.clear();
                eni.id = "eni-00000000000000002".to_owned();
                eni.tags.clear();
                eni.instance_id = Some(stray.id.clone());
                for (private, last) in eni.private_addresses.iter_mut().zip(77..) {
                    private.address = Ipv4Addr::new(10, 88, 60, last);
                }
                cloud.instances.insert(stray.id.clone(), stray);
                cloud.network_interfaces.insert(eni.id.clone(), eni);
            }
        }
        Stray::Address => {
            let stray = ElasticIp {
                allocation_id: "eipalloc-00000000000000001".to_owned(),
                public_ip: Ipv4Addr::new(203, 0, 113, 77),
                association: None,
                tags,
            };
            cloud.addresses.insert(stray.allocation_id.clone(), stray);
        }
        Stray::Volume => {
            let orphan = cloud.volumes.values().find(|volume| volume.attachments.is_empty());
            if let Some(mut stray) = orphan.cloned() {
                stray.id = "vol-00000000000000001".to_owned();
                cloud.volumes.insert(stray.id.clone(), stray);
            }
        }
        Stray::NatGateway => {
            if let Some(subnet) = cloud.owner_of(ROUTER).map(|eni| eni.subnet_id.clone()) {
                cloud.add_nat_gateway(&subnet, now, tags);
            }
        }
        Stray::Endpoint => {
            if let Some(vpc) = cloud.owner_of(ROUTER).map(|eni| eni.vpc_id.clone()) {
                cloud.add_endpoint(&vpc, now, tags);
            }
        }
    }
}
