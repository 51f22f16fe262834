//! Faults in which the things that the owner granted do not stay as they were: rows are edited
//! after their approval, the lock is taken away, the watchdog is blinded.

use super::fault::Fault;
use super::gate::{LOCK, STRANGERS_LOCK};
use super::hand::{
    CAPTURED, DRY_RUN_FORWARDING, Done, EXECUTE_ASSIGN, EXECUTE_FORWARDING, ROUTER, STRANGE,
    UNDO_FORWARDING, YAML, add_command_fault, happens_after, interface_of, make_api_fault,
    make_command_answer, make_sql_happening, make_unauthorized,
};
use super::product::know_the_strange_address;
use super::rules::{CallerKind, GoFault, Happening, NodeCommand};
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("row-edited-later", "after the previews somebody lets the approved row take the address from whoever has it", row_edited_later)
        .from("§8.2", "issue 5: after approve the rows must still be the change set"),
    Fault::new("row-edited-between", "between the two executions somebody takes the undo out of the second row", row_edited_between)
        .from("§8.4", "issue 5: after approve the rows must still be the change set"),
    Fault::new("row-edited-before-undo", "before the undo somebody has the address' row name another address, which the ENI had before the run", row_edited_before_undo)
        .from("§8.2", "issue 5: undo only what is provably this run's"),
    Fault::new("row-edited-between-undos", "between the two rollbacks somebody gives the address' row another undo", row_edited_between_undos)
        .from("§8.2", "issue 5: undo only what is provably this run's"),
    Fault::new("lock-removed", "somebody removes the lab's lock before the first mutation", lock_removed)
        .from("§8.8", "issue 5: one run per lab"),
    Fault::new("lock-taken-over", "another run has the lab's lock before the first mutation", lock_taken_over)
        .from("§8.8", "issue 5: one run per lab"),
    Fault::new("lock-taken-between", "another run has the lab's lock between the two executions", lock_taken_between)
        .from("§8.8", "issue 5: one run per lab"),
    Fault::new("watchdog-blinded", "one look of the watchdog at the volumes is refused", watchdog_blinded)
        .from("§8.6", "issue 5"),
    Fault::new("watchdog-blind", "EC2 refuses every look at the volumes while the run is on", watchdog_blind)
        .from("§8.6", "issue 5"),
    Fault::new("yaml-unreadable", "router.yaml cannot be read any more while the run is on", yaml_unreadable)
        .from("§8.8", "issue 5"),
    Fault::new("owner-dear", "the owner does not answer, and the instances cost more than the manifest allows meanwhile", owner_dear)
        .from("§8.6", "issue 5"),
];

fn row_edited_later(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET parameters_json='{\"allowReassignment\":\"true\"}' \
        WHERE action='assign-secondary-ip' AND status='approved';";
    happens_after(world, DRY_RUN_FORWARDING, make_sql_happening(statement))
}

fn row_edited_between(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET undo_json=NULL \
        WHERE action='ensure-forwarding-enabled' AND status='approved';";
    happens_after(world, EXECUTE_ASSIGN, make_sql_happening(statement))
}

fn row_edited_before_undo(world: &mut World, _: &str) -> Done {
    interface_of(world, ROUTER)?.add_secondary(STRANGE);
    know_the_strange_address(world)?;
    let statement = format!(
        "UPDATE action_executions SET target_json=replace(target_json, '{CAPTURED}', '{STRANGE}') \
         WHERE action='assign-secondary-ip' AND status='succeeded';"
    );
    happens_after(world, EXECUTE_FORWARDING, make_sql_happening(&statement))
}

fn row_edited_between_undos(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET undo_json='{\"action\":\"ensure-forwarding-enabled\"}' \
        WHERE action='assign-secondary-ip' AND status='succeeded';";
    happens_after(world, UNDO_FORWARDING, make_sql_happening(statement))
}

fn lock_removed(world: &mut World, _: &str) -> Done {
    let argv = ["sudo", "-n", "rm", "-f", LOCK].map(str::to_owned).into();
    let command = NodeCommand { node: Node::RouterdCloud, argv, stdin: Vec::new() };
    happens_after(world, DRY_RUN_FORWARDING, Happening::Command(command))
}

fn strangers_lock() -> Happening {
    let (node, path) = (Node::RouterdCloud, LOCK.to_owned());
    Happening::File { node, path, contents: STRANGERS_LOCK.to_owned() }
}

fn lock_taken_over(world: &mut World, _: &str) -> Done {
    happens_after(world, DRY_RUN_FORWARDING, strangers_lock())
}

fn lock_taken_between(world: &mut World, _: &str) -> Done {
    happens_after(world, EXECUTE_ASSIGN, strangers_lock())
}

/// Preflight and the undo plan have looked before.
const LOOKS_BEFORE: u32 = 2;

fn blinded(world: &mut World, times: u32) -> Done {
    let refused = make_api_fault(
        "DescribeVolumes",
        CallerKind::Operator,
        LOOKS_BEFORE,
        times,
        make_unauthorized(),
    );
    world.faults.api.push(refused);
    Ok(())
}

fn watchdog_blinded(world: &mut World, _: &str) -> Done {
    blinded(world, 1)
}

fn watchdog_blind(world: &mut World, _: &str) -> Done {
    blinded(world, u32::MAX)
}

fn yaml_unreadable(world: &mut World, _: &str) -> Done {
    let said = format!("cat: {YAML}: Input/output error\n");
    add_command_fault(world, &format!("*cat {YAML}"), 1, make_command_answer(1, "", &said))?;
    if let Some(rule) = world.faults.commands.last_mut() {
        rule.times = u32::MAX;
    }
    Ok(())
}

fn owner_dear(world: &mut World, _: &str) -> Done {
    world.faults.go = Some(GoFault::OwnerSilent);
    // Two instances, for less than ten minutes.
    world.faults.max_instance_seconds = Some(300);
    Ok(())
}
