//! routerd on its node as preflight finds it: configuration, programs, journal.

use super::events::run_sql;
use super::fault::Fault;
use super::hand::{
    CAPTURED, Done, EXECUTOR, PLANNER, STRANGERS_PART, edit_yaml, happens_after, on_router_eni,
    strangers_row,
};
use super::kernel;
use super::rules::InterfaceChange;
use crate::world::World;
use lab::node::Node;

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    Fault::new("policy-typo", "allowedCIDRs is misspelt in router.yaml: routerd takes it for no restriction", policy_typo)
        .in_kernel(kernel::router::policy_typo).from("§8.8", "contract F28"),
    Fault::new("wider-policy", "the policy allows the whole subnet", wider_policy)
        .in_kernel(kernel::router::wider_policy).from("§8.8", "contract §9.4"),
    Fault::new("auto-approve", "the policy approves by itself", auto_approve)
        .in_kernel(kernel::router::auto_approve).from("§8.8", "contract F25"),
    Fault::new("second-provider", "the policy allows a second provider", second_provider)
        .in_kernel(kernel::router::second_provider).from("§8.3", "contract §9.4"),
    Fault::new("no-undo", "the policy does not allow undo", no_undo)
        .in_kernel(kernel::router::no_undo).from("§8.4", "contract §1.9"),
    Fault::new("credentials-in-yaml", "the executor's plugin has static AWS keys in its environment", credentials_in_yaml)
        .in_kernel(kernel::router::credentials_in_yaml).from("§8.1", "contract §3.2"),
    Fault::new("planner-missing", "the planner's file is not on the node", planner_missing)
        .in_kernel(kernel::router::planner_missing).from("§7.1", "contract F17"),
    Fault::new("planner-replaced", "the planner on the node is another program than the manifest's", planner_replaced)
        .in_kernel(kernel::router::planner_replaced).from("§7.1", "contract F17"),
    Fault::new("executor-fails", "the executor cannot run on its node: the AWS CLI that it needs is not its to read", executor_fails)
        .in_kernel(kernel::router::executor_fails).from("§4", "contract §4.2"),
    Fault::new("dry-run-mutates", "the executor's dry run assigns the address", dry_run_mutates)
        .on_netns().from("§4", "contract §4.2"),
    Fault::new("database-garbage", "routerd's database is not a database", database_garbage)
        .in_kernel(kernel::router::database_garbage).from("§4", "contract F6"),
    Fault::new("open-row", "routerd's journal has a pending row that is nobody's run", open_row)
        .in_kernel(kernel::router::open_row).from("§8.8", "contract F25"),
    Fault::new("wedged-row", "routerd's journal has a row that runs for ever", wedged_row)
        .in_kernel(kernel::router::wedged_row).from("§8.8", "contract F23"),
    Fault::new("earlier-run", "routerd's journal has a row that was rolled back long ago", earlier_run)
        .in_kernel(kernel::router::earlier_run).from("§4", "design: rows of earlier runs are facts"),
    Fault::new("mobility-plans", "a MobilityPool has plans that would be imported too", mobility_plans)
        .in_kernel(kernel::router::mobility_plans).from("§7.1", "contract §2.6"),
    Fault::new("leftover", "a run that never ended left its change set on the node", leftover_change_set)
        .in_kernel(kernel::router::leftover_change_set).from("§4", "contract F14"),
];

fn policy_typo(world: &mut World, _: &str) -> Done {
    edit_yaml(world, "allowedCIDRs:", "allowedCidrs:")
}

fn wider_policy(world: &mut World, _: &str) -> Done {
    edit_yaml(world, "allowedCIDRs: [10.88.60.9/32]", "allowedCIDRs: [10.88.60.0/24]")
}

fn auto_approve(world: &mut World, _: &str) -> Done {
    edit_yaml(world, "requireApproval: true", "requireApproval: false")
}

fn second_provider(world: &mut World, _: &str) -> Done {
    edit_yaml(world, "allowedProviders: [aws]", "allowedProviders: [aws, azure]")
}

fn no_undo(world: &mut World, _: &str) -> Done {
    edit_yaml(world, "allowUndo: true", "allowUndo: false")
}

fn credentials_in_yaml(world: &mut World, _: &str) -> Done {
    edit_yaml(
        world,
        "        timeout: 120s\n",
        "        timeout: 120s\n        env: { AWS_ACCESS_KEY_ID: AKIAIOSFODNN7EXAMPLE }\n",
    )
}

fn planner_missing(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.remove(PLANNER, 0).map_err(|error| format!("{PLANNER}: {error:?}"))
}

fn planner_replaced(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put(PLANNER, "#!lab-smoke-program lab-planner 0.0.0\n", 0o755);
    Ok(())
}

fn executor_fails(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put(EXECUTOR, "#!/bin/sh\nexec aws\n", 0o755);
    Ok(())
}

fn dry_run_mutates(world: &mut World, _: &str) -> Done {
    let change = InterfaceChange::Secondary(CAPTURED);
    // Not where its file is looked at.
    happens_after(world, "*env -i *bin/aws-provider-executor", on_router_eni(change))
}

fn database_garbage(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put("/var/lib/routerd/routerd.db", vec![b'x'; 8192], 0o644);
    Ok(())
}

fn open_row(world: &mut World, _: &str) -> Done {
    run_sql(world, &strangers_row("pending"))
}

fn wedged_row(world: &mut World, _: &str) -> Done {
    run_sql(world, &strangers_row("running"))
}

fn earlier_run(world: &mut World, _: &str) -> Done {
    run_sql(world, &strangers_row("rolledBack"))
}

fn mobility_plans(world: &mut World, _: &str) -> Done {
    run_sql(world, STRANGERS_PART)
}

fn leftover_change_set(world: &mut World, _: &str) -> Done {
    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
    files.put(lab::change_set::PATH, "{}", 0o600);
    Ok(())
}
