//! The read-only preflight of the runbook's §4: what the owner decides on, and the baseline that
//! is restored in the end. All that is independent is read at the same time.

mod captures;
mod cloud;
mod credentials;
mod facts;
mod gather;
mod identity;
mod nodes;
mod obstacles;
mod permissions;
mod rehearsal;
mod role;
mod router;
mod shared;
mod survey;
mod switch;

pub use survey::{PermissionProof, PermissionSurvey, survey_permissions};

use lab::Lab;
use reports::record::{FactsRecorded, Kind, Phase, StateRecorded};

use crate::context::Context;
use crate::{sight, silence, watch};

pub use obstacles::{FoundObstacles, find_obstacles};

pub const IDENTITY: &str = "preflight.identity";
pub const CREDENTIALS: &str = "preflight.credentials";
pub const INTERFACE: &str = "preflight.network-interface";
pub const ADDRESS_FREE: &str = "preflight.address-free";
pub const INSTANCES: &str = "preflight.instances";
pub const STOPPABLE: &str = "preflight.stoppable";
pub const CAPACITY: &str = "preflight.address-capacity";
pub const ICMP_ERRORS: &str = "preflight.icmp-errors";
pub const PORTS: &str = "preflight.ports";
pub const SUBNET: &str = "preflight.subnet";
pub const VPC: &str = "preflight.vpc";
pub const ROUTES: &str = "preflight.route-table";
pub const PROFILE: &str = "preflight.instance-profile";
pub const ROLE: &str = "preflight.role";
pub const PERMISSIONS: &str = "preflight.permissions";
pub const EXECUTOR_PERMISSIONS: &str = "preflight.executor-permissions";
pub const NODES: &str = "preflight.nodes";
pub const HOST_KEYS: &str = "preflight.host-keys";
pub const CLOCKS: &str = "preflight.clocks";
pub const OS_ADDRESS: &str = "preflight.os-address";
pub const AGENTS: &str = "preflight.address-agents";
pub const BASELINE: &str = "preflight.baseline";
pub const ROUTER_YAML: &str = "preflight.router-yaml";
pub const POLICY: &str = "preflight.policy";
pub const VERSION: &str = "preflight.routerctl-version";
pub const PROGRAMS: &str = "preflight.programs";
pub const PLANNER: &str = "preflight.planner-digest";
pub const ROUTERD_UNIT: &str = "preflight.routerd-unit";
pub const EXECUTOR_IDENTITY: &str = "preflight.executor-identity";
pub const EXECUTOR_DRY_RUN: &str = "preflight.executor-dry-run";
pub const EXECUTOR_READS: &str = "preflight.executor-changes-nothing";
pub const ROWS: &str = "preflight.rows";
pub const CAPTURES: &str = "preflight.captures-known";
pub const PLAN_SOURCE: &str = "preflight.plan-source";
pub const STATE: &str = "preflight.cloud-state";
pub const SHARED: &str = "preflight.nothing-attached";
pub const SHUTDOWN: &str = "preflight.shutdown-behavior";
pub const EXPIRY: &str = "preflight.lab-expiry";
pub const COSTLY: &str = "preflight.cost-bearing";
pub const LEFTOVERS: &str = "preflight.leftovers";
pub const SILENT: &str = "preflight.captured-address-silent";

pub const ASSERTS: &[&str] = &[
    IDENTITY,
    CREDENTIALS,
    INTERFACE,
    ADDRESS_FREE,
    INSTANCES,
    STOPPABLE,
    CAPACITY,
    ICMP_ERRORS,
    PORTS,
    SUBNET,
    VPC,
    ROUTES,
    STATE,
    SHARED,
    COSTLY,
    SHUTDOWN,
    EXPIRY,
    PROFILE,
    ROLE,
    PERMISSIONS,
    NODES,
    HOST_KEYS,
    CLOCKS,
    OS_ADDRESS,
    AGENTS,
    BASELINE,
    ROUTER_YAML,
    POLICY,
    VERSION,
    PROGRAMS,
    PLANNER,
    ROUTERD_UNIT,
    EXECUTOR_IDENTITY,
    EXECUTOR_PERMISSIONS,
    EXECUTOR_DRY_RUN,
    EXECUTOR_READS,
    ROWS,
    CAPTURES,
    PLAN_SOURCE,
    LEFTOVERS,
    SILENT,
];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    // On the heap: it is all of preflight's reads at once.
    let gathered = Box::pin(gather::gather_reads(lab)).await;
    if let Some(why) = gathered.unreachable() {
        return ctx.unavailable(why, None);
    }
    credentials::judge(lab, ctx);
    let executor = (&gathered.profile, &gathered.role.policies);
    let vpc_tags = cloud::vpc_tags(&gathered.cloud);
    let cloud = cloud::judge(lab, ctx, gathered.cloud, executor);
    let addresses = gathered.costly.addresses.as_ref().map_or(&[][..], |it| &it.value);
    let instances = cloud.as_ref().map_or(&[][..], |cloud| &cloud.instances);
    sight::record(lab, ctx, instances, addresses);
    let expiring = switch::Expiring { instances, vpc: vpc_tags.as_ref() };
    switch::judge(lab, ctx, gathered.shutdown, expiring);
    watch::judge_before(lab, ctx, COSTLY, &gathered.costly);
    let instance_profile = cloud.as_ref().and_then(|cloud| cloud.router_profile(lab));
    let profile = (gathered.profile, instance_profile);
    let role = role::judge(lab, ctx, profile, gathered.role);
    permissions::judge_own(lab, ctx, gathered.rehearsals);
    let nodes = nodes::judge(lab, ctx, gathered.nodes);
    let router = router::judge(lab, ctx, gathered.router, cloud.as_ref());
    silence::judge(ctx, SILENT, vec![gathered.silence]);
    let all = (cloud, nodes, router);
    let ((Some(cloud), Some(nodes), Some(router)), true) = (all, ctx.holds()) else {
        return rehearsal::leave_out(ctx);
    };
    // Only now: hard stop 1 has judged who the executor would be.
    Box::pin(rehearsal::judge(lab, ctx, &router.executor, &cloud.interface)).await;
    if !ctx.holds() {
        return;
    }
    let facts = facts::project(lab, ctx.run, &cloud, &role, &nodes, &router);
    let baseline = facts::make_baseline(cloud, nodes, router.row_ids, router.files);
    ctx.write(Kind::StateRecorded(StateRecorded {
        phase: Phase::Baseline,
        state: serde_json::json!(baseline),
    }));
    let mut state = ctx.run.state.borrow_mut();
    state.baseline = Some(std::rc::Rc::new(baseline));
    state.facts_digest = Some(facts.facts_digest.clone());
    state.lab_fingerprint = Some(facts.lab_fingerprint.clone());
    state.executor = Some(router.executor);
    state.router_yaml = Some(router.yaml_digest);
    drop(state);
    record(ctx, facts);
}

fn record(ctx: &mut Context<'_>, facts: FactsRecorded) {
    ctx.write(Kind::FactsRecorded(Box::new(facts)));
}

#[cfg(test)]
mod tests {
    use lab::node::Node;
    use reports::record::ScenarioStatus;

    use super::*;
    use crate::baseline::Baseline;
    use crate::example::judge_as_scenario;

    /// The facts that the owner decides on, what is restored, and what a later process goes on from.
    #[test]
    fn on_a_lab_in_order_facts_rows_and_baseline_are_recorded() {
        let mut keys = Vec::new();
        let judged = judge_as_scenario("preflight", async |lab, ctx| {
            run(lab, ctx).await;
            let bare = |key: &str| key.split(' ').take(2).collect::<Vec<_>>().join(" ");
            keys = Node::ALL.map(|node| bare(&lab.manifest.nodes[&node].host_key)).to_vec();
        });
        assert_eq!(judged.finished.status, ScenarioStatus::Passed, "{:?}", judged.finished);
        let kinds: Vec<_> = judged.records.iter().map(|record| &record.kind).collect();
        assert!(kinds.iter().any(|kind| matches!(kind, Kind::RowsRecorded(_))));
        let facts = kinds.iter().find_map(|kind| match kind {
            Kind::FactsRecorded(facts) => Some(facts),
            _ => None,
        });
        let versions: Vec<_> = facts
            .expect("the facts are recorded")
            .programs
            .iter()
            .map(|program| (program.name.as_str(), program.version.is_some()))
            .collect();
        assert_eq!(versions[0], ("routerctl", true));
        assert!(versions[1..].iter().all(|(_, version)| !version), "{versions:?}");
        let baseline = kinds.iter().find_map(|kind| match kind {
            Kind::StateRecorded(it) => serde_json::from_value::<Baseline>(it.state.clone()).ok(),
            _ => None,
        });
        let baseline = baseline.expect("the baseline is recorded");
        let known: Vec<_> = Node::ALL.map(|node| baseline.nodes[&node].host_key.clone()).to_vec();
        assert_eq!(known, keys);
        let steps = crate::capture::capture_steps(&crate::example::change_set());
        let recorded = crate::resume::rebuild_state(&judged.records, &steps);
        assert_eq!(recorded.baseline.as_deref().map(|it| &it.nodes), Some(&baseline.nodes));
        assert!(recorded.router_yaml.is_some() && recorded.facts_digest.is_some());
    }
}
