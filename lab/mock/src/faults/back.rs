//! The way back: previews, rollbacks, and what changed while nobody looked.

use ipnet::Ipv4Net;

use super::acceptance::other_gateway;
use super::fault::Fault;
use super::hand::{
    CAPTURED, Done, PREVIEW_UNDO_ADDRESS, PREVIEW_UNDO_FORWARDING, STRANGE, UNDO_ADDRESS,
    add_api_fault, add_command_fault, after_router_command, happens_after, make_api_fault,
    make_command_answer, make_event, make_sql_happening, make_unauthorized, on_router_eni,
    strangers_row,
};
use super::rules::{
    ApiEffect, CallerKind, CommandEffect, CommandFault, Happening, InterfaceChange,
};
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("undo-preview-differs", "the preview of the forwarding's rollback says something else", undo_preview_differs)
        .from("§6.1", "contract F7"),
    Fault::new("undo-preview-refused", "the preview of the address' rollback is refused", undo_preview_refused)
        .from("§6.2", "contract F7"),
    Fault::new("restore-refused", "AWS refuses to switch the check on again", restore_refused)
        .from("§6.1", "contract F3"),
    Fault::new("unassign-refused", "AWS refuses to take the address off the ENI", unassign_refused)
        .from("§6.2", "contract F3"),
    Fault::new("unassign-reply-lost", "the address is taken off and the reply is lost: the executor is asked again", unassign_reply_lost)
        .from("§6.2", "contract F5"),
    Fault::new("rollback-reply-lost", "the connection breaks while the address is taken off", rollback_reply_lost)
        .from("§6.2", "contract F5"),
    Fault::new("change-set-stays", "the run's change set cannot be removed from the node", change_set_stays)
        .from("§6", "issue 3"),
    Fault::new("address-after-undo", "somebody puts another address on the ENI after the undo", address_after_undo)
        .from("§6", "contract §8.3"),
    Fault::new("address-answers", "the captured address answers from the cloud after the undo", address_answers)
        .from("§6", "contract F8"),
    Fault::new("address-answers-briefly", "the captured address answers once more after the undo: the cloud's dataplane lags", address_answers_briefly)
        .from("§6", "issue 14"),
    Fault::new("address-answers-later", "the captured address answers again after the first look that followed the undo", address_answers_later)
        .from("§6", "issue 14"),
    Fault::new("guest-address-after-undo", "a node has a new address after the undo", guest_address_after_undo)
        .on_netns().from("§6", "contract F8"),
    Fault::new("rules-after-undo", "a node has new rules after the undo", rules_after_undo)
        .on_netns().from("§6", "contract F14"),
    Fault::new("rollback-wedged", "the row of the address runs for ever after its rollback", rollback_wedged)
        .from("§6", "contract F23"),
    Fault::new("row-after-undo", "somebody makes a row in routerd's journal during the run", row_after_undo)
        .on_netns().from("§8.8", "contract F25"),
    Fault::new("file-after-undo", "a file that is not the run's appears beside its own", file_after_undo)
        .on_netns().from("§6", "contract F14"),
    Fault::new("late-route-routerd-cloud", "routerd-cloud's default route is replaced after the undo", late_route_of_routerd_cloud)
        .on_netns().from("§6", "contract §8.3"),
    Fault::new("late-route-cloud-client", "cloud-client's default route is replaced after the undo", late_route_of_cloud_client)
        .on_netns().from("§6", "contract §8.3"),
    Fault::new("late-route-onprem-router", "onprem-router's default route is replaced after the undo", late_route_of_onprem_router)
        .on_netns().from("§6", "contract §8.3"),
    Fault::new("late-route-onprem-client", "onprem-client's default route is replaced after the undo", late_route_of_onprem_client)
        .on_netns().from("§6", "contract §8.3"),
];

fn undo_preview_differs(world: &mut World, _: &str) -> Done {
    let said = "action {row} rollback dry-run: succeeded (would set SourceDestCheck=false)\n\
        (preview only \u{2014} journal lifecycle unchanged)\n";
    add_command_fault(world, PREVIEW_UNDO_FORWARDING, 0, make_command_answer(0, said, ""))
}

fn undo_preview_refused(world: &mut World, _: &str) -> Done {
    let said = "rollback action {row} refused: policy.allowUndo is false\n";
    add_command_fault(world, PREVIEW_UNDO_ADDRESS, 0, make_command_answer(1, "", said))
}

fn restore_refused(world: &mut World, _: &str) -> Done {
    let action = "ModifyNetworkInterfaceAttribute";
    world.faults.api.push(make_api_fault(
        action,
        CallerKind::Instance,
        1,
        u32::MAX,
        make_unauthorized(),
    ));
    Ok(())
}

const UNASSIGN: &str = "UnassignPrivateIpAddresses";

fn unassign_refused(world: &mut World, _: &str) -> Done {
    add_api_fault(world, UNASSIGN, CallerKind::Instance, u32::MAX, make_unauthorized())
}

fn unassign_reply_lost(world: &mut World, _: &str) -> Done {
    add_api_fault(world, UNASSIGN, CallerKind::Instance, 1, ApiEffect::ReplyLost)
}

fn rollback_reply_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, UNDO_ADDRESS, 0, CommandEffect::ReplyLost)
}

fn change_set_stays(world: &mut World, _: &str) -> Done {
    let said = "rm: cannot remove '/var/lib/lab-smoke/change-set.json': Read-only file system\n";
    add_command_fault(
        world,
        "rm -f /var/lib/lab-smoke/change-set.json",
        0,
        make_command_answer(1, "", said),
    )
}

fn after_undo(world: &mut World, what: Happening) -> Done {
    happens_after(world, UNDO_ADDRESS, what)
}

fn address_after_undo(world: &mut World, _: &str) -> Done {
    // After the look at the ENI that ends the undo; the address' step is the last one.
    after_undo(world, on_router_eni(InterfaceChange::Secondary(STRANGE)))
}

fn address_answers(world: &mut World, _: &str) -> Done {
    let (node, dev) = (Node::CloudClient, "ens5".to_owned());
    after_undo(world, Happening::OsAddress { node, dev, address: Ipv4Net::from(CAPTURED) })
}

/// The one ping that waits so long.
const PING_IN_VAIN: &str = "ping -n -c 3 -i 0.2 -W 1 -I 10.88.60.7 10.88.60.9";

fn address_answers_briefly(world: &mut World, _: &str) -> Done {
    let said = "3 packets transmitted, 3 received, 0% packet loss, time 400ms\n";
    world.faults.commands.push(CommandFault {
        node: Some(Node::CloudClient),
        pattern: PING_IN_VAIN.to_owned(),
        skip: 0,
        times: 1,
        effect: make_command_answer(0, said, ""),
        seen: 0,
        fired: 0,
    });
    Ok(())
}

fn address_answers_later(world: &mut World, _: &str) -> Done {
    let (node, dev) = (Node::CloudClient, "ens5".to_owned());
    let what = Happening::OsAddress { node, dev, address: Ipv4Net::from(CAPTURED) };
    let mut late = make_event(after_router_command(UNDO_ADDRESS), what);
    late.delay_ms = 8_000;
    world.faults.events.push(late);
    Ok(())
}

fn guest_address_after_undo(world: &mut World, _: &str) -> Done {
    let (node, dev) = (Node::OnpremRouter, "wan0".to_owned());
    after_undo(world, Happening::OsAddress { node, dev, address: Ipv4Net::from(STRANGE) })
}

fn rules_after_undo(world: &mut World, _: &str) -> Done {
    after_undo(world, Happening::NftTable { node: Node::OnpremClient })
}

fn rollback_wedged(world: &mut World, _: &str) -> Done {
    after_undo(
        world,
        make_sql_happening(
            "UPDATE action_executions SET status='running' WHERE id=(SELECT max(id) FROM action_executions WHERE action='assign-secondary-ip');",
        ),
    )
}

fn row_after_undo(world: &mut World, _: &str) -> Done {
    after_undo(world, make_sql_happening(&strangers_row("succeeded")))
}

fn file_after_undo(world: &mut World, _: &str) -> Done {
    let path = "/var/lib/lab-smoke/somebodys.json".to_owned();
    let (node, contents) = (Node::RouterdCloud, "{}".to_owned());
    after_undo(world, Happening::File { node, path, contents })
}

fn late_route_of_routerd_cloud(world: &mut World, _: &str) -> Done {
    after_undo(world, other_gateway(Node::RouterdCloud))
}

fn late_route_of_cloud_client(world: &mut World, _: &str) -> Done {
    after_undo(world, other_gateway(Node::CloudClient))
}

fn late_route_of_onprem_router(world: &mut World, _: &str) -> Done {
    after_undo(world, other_gateway(Node::OnpremRouter))
}

fn late_route_of_onprem_client(world: &mut World, _: &str) -> Done {
    after_undo(world, other_gateway(Node::OnpremClient))
}
