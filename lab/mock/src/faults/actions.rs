//! From the plan to the execution: what routerd, its database and its executor can do instead.

use super::fault::Fault;
use super::hand::{
    APPROVE_FORWARDING, CAPTURED, DRY_RUN_ASSIGN, DRY_RUN_FORWARDING, Done, EXECUTE_ASSIGN,
    EXECUTE_FORWARDING, IMPORT, PLANNER, PLUGIN_RUN, STRANGERS_PART, add_api_fault,
    add_command_fault, happens_after, make_command_answer, make_event, make_sql_happening,
    make_unauthorized, on_router_eni, strangers_row,
};
use super::rules::{ApiEffect, CallerKind, CommandEffect, Happening, InterfaceChange, When};
use crate::world::World;
use lab::node::Node;

/// The gate's last command: from here on the run has its go.
const BURN: &str = "*burnt-";
const ABOUT_CHANGE_SET: &str = "*change-set.json";

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    // plan
    Fault::new("change-set-refused", "the node's disk has no room for the change set", change_set_refused)
        .from("§7.1", "issue 3"),
    Fault::new("planner-broken", "the planner's file is replaced once it was looked at", planner_broken)
        .on_netns().from("§7.1", "contract F1"),
    Fault::new("plan-other-address", "what routerd stored names another address", plan_other_address)
        .on_netns().from("§7.1", "contract F2"),
    Fault::new("plan-reassigns", "what routerd stored may take the address from another ENI", plan_reassigns)
        .on_netns().from("§8.2", "contract F20"),
    Fault::new("plan-other-provider", "what routerd stored is a plan of another provider", plan_other_provider)
        .on_netns().from("§8.3", "contract §9.4"),
    Fault::new("part-beside", "another planner's plans appear beside the run's own", part_beside)
        .on_netns().from("§7.1", "contract F25"),
    // import
    Fault::new("approved-early", "somebody approves the assignment before the run does", approved_early)
        .on_netns().from("§7.2", "contract F25"),
    Fault::new("row-missing", "the forwarding is not among the imported rows", row_missing)
        .on_netns().from("§7.2", "contract F2"),
    Fault::new("row-beside", "a stranger's row is imported beside the run's own", row_beside)
        .on_netns().from("§7.2", "contract F25"),
    // approve
    Fault::new("approval-wiped", "the assignment's approval is wiped: its plan was imported again", approval_wiped)
        .on_netns().from("§7.3", "contract F26"),
    Fault::new("approved-by-another", "the forwarding is approved by somebody else", approved_by_another)
        .on_netns().from("§7.3", "contract F25"),
    Fault::new("row-edited", "the approved row names another address", row_edited)
        .on_netns().from("§7.3", "contract F15"),
    // dry-run
    Fault::new("preview-denied", "routerd's policy denies the preview of the assignment", preview_denied)
        .from("§2", "contract F2"),
    Fault::new("preview-differs", "the preview of the forwarding says something else", preview_differs)
        .from("§2", "contract F29"),
    Fault::new("preview-mutates", "the preview assigns an address", preview_mutates)
        .from("§2", "contract §4.2"),
    // execute
    Fault::new("untagged-meanwhile", "the ENI loses the lab's tag before the first mutation", untagged_meanwhile)
        .from("§8.2", "design I6"),
    Fault::new("executor-unauthorized", "AWS refuses the executor's assignment", executor_unauthorized)
        .from("§7.4", "contract F3; ec2-facts §4.7"),
    Fault::new("assign-reply-lost", "the assignment is done and its reply is lost", assign_reply_lost)
        .from("§8.5", "ec2-facts §1"),
    Fault::new("row-wedged", "routerctl is killed between claim and result: the row runs for ever", row_wedged)
        .from("§8.5", "contract F23"),
    Fault::new("executor-lies", "the row says succeeded, and the ENI has not the address", executor_lies)
        .from("§8.5", "contract F29"),
    Fault::new("modify-refused", "AWS refuses to change the source/dest check", modify_refused)
        .from("§7.4", "executor case 14"),
    Fault::new("modify-reply-lost", "the check is switched off and the reply is lost: routerd drops the prior value", modify_reply_lost)
        .from("§8.5", "contract F22"),
    Fault::new("check-back-on", "the row says succeeded, and the check is on again", check_back_on)
        .from("§8.5", "contract F29"),
    Fault::new("execute-reply-lost", "the connection breaks while the assignment is executed", execute_reply_lost)
        .from("§8.5", "design I4"),
];

fn change_set_refused(world: &mut World, _: &str) -> Done {
    let full = "sh: 1: cannot create /var/lib/lab-smoke/change-set.json: No space left on device\n";
    add_command_fault(world, ABOUT_CHANGE_SET, 0, make_command_answer(2, "", full))
}

fn planner_broken(world: &mut World, _: &str) -> Done {
    let (node, path) = (Node::RouterdCloud, PLANNER.to_owned());
    happens_after(world, BURN, Happening::File { node, path, contents: "garbage\n".to_owned() })
}

fn plan_edit(world: &mut World, from: &str, to: &str) -> Done {
    let statement = format!(
        "UPDATE dynamic_config_parts SET actionplans_json=replace(actionplans_json,'{from}','{to}');"
    );
    happens_after(world, PLUGIN_RUN, make_sql_happening(&statement))
}

fn plan_other_address(world: &mut World, _: &str) -> Done {
    plan_edit(world, "10.88.60.9/32", "10.88.60.50/32")
}

fn plan_reassigns(world: &mut World, _: &str) -> Done {
    let plain = r#""undo":{"action":"unassign-secondary-ip""#;
    plan_edit(world, plain, &format!(r#""parameters":{{"allowReassignment":"true"}},{plain}"#))
}

fn plan_other_provider(world: &mut World, _: &str) -> Done {
    plan_edit(world, r#""provider":"aws""#, r#""provider":"azure""#)
}

fn part_beside(world: &mut World, _: &str) -> Done {
    happens_after(world, PLUGIN_RUN, make_sql_happening(STRANGERS_PART))
}

fn approved_early(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET status='approved',approved_by='somebody',\
        approved_at=updated_at WHERE id=(SELECT max(id) FROM action_executions WHERE action='assign-secondary-ip');";
    happens_after(world, IMPORT, make_sql_happening(statement))
}

fn row_missing(world: &mut World, _: &str) -> Done {
    happens_after(
        world,
        IMPORT,
        make_sql_happening(
            "DELETE FROM action_executions WHERE id=(SELECT max(id) FROM action_executions WHERE action='ensure-forwarding-enabled');",
        ),
    )
}

fn row_beside(world: &mut World, _: &str) -> Done {
    happens_after(world, IMPORT, make_sql_happening(&strangers_row("pending")))
}

fn approval_wiped(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET status='pending',approved_by=NULL,\
        approved_at=NULL WHERE id=(SELECT max(id) FROM action_executions WHERE action='assign-secondary-ip');";
    happens_after(world, APPROVE_FORWARDING, make_sql_happening(statement))
}

fn approved_by_another(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET approved_by='somebody' WHERE id=(SELECT max(id) FROM action_executions WHERE action='ensure-forwarding-enabled');";
    happens_after(world, APPROVE_FORWARDING, make_sql_happening(statement))
}

fn row_edited(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET target_json=\
        replace(target_json,'10.88.60.9/32','10.88.60.50/32') WHERE id=(SELECT max(id) FROM action_executions WHERE action='assign-secondary-ip');";
    happens_after(world, APPROVE_FORWARDING, make_sql_happening(statement))
}

fn preview_denied(world: &mut World, _: &str) -> Done {
    let said = "policy gate denied dry-run of action {row}: target has no address but \
        allowedCIDRs is set\n";
    add_command_fault(world, DRY_RUN_ASSIGN, 0, make_command_answer(1, "", said))
}

fn preview_differs(world: &mut World, _: &str) -> Done {
    let said = "action {row} dry-run: succeeded (would set SourceDestCheck=true)\n\
        (preview only \u{2014} journal lifecycle unchanged; approval not consumed)\n";
    add_command_fault(world, DRY_RUN_FORWARDING, 0, make_command_answer(0, said, ""))
}

fn preview_mutates(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Secondary(CAPTURED);
    happens_after(world, DRY_RUN_ASSIGN, on_router_eni(change))
}

fn untagged_meanwhile(world: &mut World, _: &str) -> Done {
    let (action, caller) = ("DescribeNetworkInterfaces".to_owned(), CallerKind::Operator);
    let untagged = on_router_eni(InterfaceChange::Untagged);
    let later = make_event(When::AfterApi { action, caller }, untagged);
    happens_after(world, DRY_RUN_FORWARDING, Happening::Then(Box::new(later)))
}

fn executor_unauthorized(world: &mut World, _: &str) -> Done {
    add_api_fault(
        world,
        "AssignPrivateIpAddresses",
        CallerKind::Instance,
        u32::MAX,
        make_unauthorized(),
    )
}

fn assign_reply_lost(world: &mut World, _: &str) -> Done {
    add_api_fault(world, "AssignPrivateIpAddresses", CallerKind::Instance, 1, ApiEffect::ReplyLost)
}

fn row_wedged(world: &mut World, _: &str) -> Done {
    let statement = "UPDATE action_executions SET status='running',executed_at=NULL,\
        result_message=NULL,observed_json=NULL WHERE id=(SELECT max(id) FROM action_executions WHERE action='assign-secondary-ip');";
    happens_after(world, EXECUTE_ASSIGN, make_sql_happening(statement))
}

fn executor_lies(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Without(CAPTURED);
    happens_after(world, EXECUTE_ASSIGN, on_router_eni(change))
}

fn modify_refused(world: &mut World, _: &str) -> Done {
    add_api_fault(
        world,
        "ModifyNetworkInterfaceAttribute",
        CallerKind::Instance,
        1,
        make_unauthorized(),
    )
}

fn modify_reply_lost(world: &mut World, _: &str) -> Done {
    add_api_fault(
        world,
        "ModifyNetworkInterfaceAttribute",
        CallerKind::Instance,
        1,
        ApiEffect::ReplyLost,
    )
}

fn check_back_on(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::SourceDestCheck(true);
    happens_after(world, EXECUTE_FORWARDING, on_router_eni(change))
}

fn execute_reply_lost(world: &mut World, _: &str) -> Done {
    add_command_fault(world, EXECUTE_ASSIGN, 0, CommandEffect::ReplyLost)
}
