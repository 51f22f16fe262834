//! The lab is as it was: the ENI digest for digest, the nodes, routerd's journal, and the captured
//! address unreachable from the cloud again. Compared with the baseline and with nothing else.

use lab::Lab;
use lab::ec2::Answer;
use lab::node::Node;
use lab::routerd::{Row, RowStatus};
use lab::shell::{NodeAnswer, Observe, RouterYaml, ShellError, Unread};
use reports::record::{Kind, Phase, ResidueItem, RowsRecorded, StateRecorded};
use serde_json::{Value, json};

use crate::baseline::{self, Baseline, restorable_fields};
use crate::cloud_state;
use crate::context::{Context, How, Ruling};
use crate::left::{self, Changed};
use crate::node_state::{self, Explained, Looked, NodeState, REST, Source};
use crate::observe::{self, Readout};
use crate::silence::{self, WayAnswers, When};
use crate::twice::{EqualLooks, look_until_equal_unless};
use crate::{default_gateway, node_unchanged, stops};

pub const INTERFACE: &str = "restored.interface";
pub const UNREACHABLE: &str = "restored.captured-address-unreachable";
pub const ADDRESSES: &str = "restored.node-addresses";
pub const RULES: &str = "restored.nft-rulesets";
pub const ROWS: &str = "restored.rows";
pub const NO_NEW_ROWS: &str = "restored.no-new-rows";
pub const ROUTER_YAML: &str = "restored.router-yaml";
pub const PROGRAMS: &str = "restored.programs";
pub const CLOUD: &str = "restored.cloud-state";
pub const STAYS: &str = "restored.stays-restored";
pub const FILES: &str = "restored.node-files";
pub const GATEWAY_ROUTERD_CLOUD: &str = "restored.default-gateway.routerd-cloud";
pub const GATEWAY_CLOUD_CLIENT: &str = "restored.default-gateway.cloud-client";
pub const GATEWAY_ONPREM_ROUTER: &str = "restored.default-gateway.onprem-router";
pub const GATEWAY_ONPREM_CLIENT: &str = "restored.default-gateway.onprem-client";
pub const STATE_ROUTERD_CLOUD: &str = "restored.node-state.routerd-cloud";
pub const STATE_CLOUD_CLIENT: &str = "restored.node-state.cloud-client";
pub const STATE_ONPREM_ROUTER: &str = "restored.node-state.onprem-router";
pub const STATE_ONPREM_CLIENT: &str = "restored.node-state.onprem-client";

const GATEWAYS: &[&str] =
    &[GATEWAY_ROUTERD_CLOUD, GATEWAY_CLOUD_CLIENT, GATEWAY_ONPREM_ROUTER, GATEWAY_ONPREM_CLIENT];
/// All of a node's state that no other assertion here compares.
const STATES: &[&str] =
    &[STATE_ROUTERD_CLOUD, STATE_CLOUD_CLIENT, STATE_ONPREM_ROUTER, STATE_ONPREM_CLIENT];

pub const ASSERTS: &[&str] = &[
    INTERFACE,
    UNREACHABLE,
    ADDRESSES,
    RULES,
    ROWS,
    NO_NEW_ROWS,
    FILES,
    ROUTER_YAML,
    STAYS,
    PROGRAMS,
    CLOUD,
    GATEWAY_ROUTERD_CLOUD,
    GATEWAY_CLOUD_CLIENT,
    GATEWAY_ONPREM_ROUTER,
    GATEWAY_ONPREM_CLIENT,
    STATE_ROUTERD_CLOUD,
    STATE_CLOUD_CLIENT,
    STATE_ONPREM_ROUTER,
    STATE_ONPREM_CLIENT,
];
pub const NOT_APPLICABLE: &[&str] = &[];

/// The files in a folder.
type Names = Result<Answer<Result<Vec<String>, Unread>>, ShellError>;

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    if ctx.run.baseline().is_none() {
        return;
    }
    // Beside both looks: what the role may is asked for in two steps.
    let ((), around) = futures::join!(look_twice(lab, ctx), cloud_state::ask(lab));
    let differences = cloud_state::judge(lab, ctx, CLOUD, around).unwrap_or_default();
    let region = &lab.manifest.aws.region;
    let left = differences
        .iter()
        .map(|it| Changed { node: None, item: cloud_state::describe_difference(region, it) });
    note(ctx, left);
}

async fn look_twice(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(before) = ctx.run.baseline() else { return };
    // A look at the silence takes longest: the second one begins while the first still waits.
    let (silence, (later, silence_later)) = futures::join!(
        silence::ask_all_ways(lab, When::After),
        look_at_all_else(lab, ctx, &before),
    );
    let silence = silence::ask_until_settled(lab, silence, silence_later).await;
    judge_later(lab, ctx, later, silence);
}

/// Looks at all that is judged once, and then for the second time at what has to stay.
async fn look_at_all_else(
    lab: &Lab,
    ctx: &mut Context<'_>,
    before: &Baseline,
) -> (Later, Vec<WayAnswers>) {
    let rows = Observe::rows(&lab.manifest.routerd);
    let folder = Observe::node_folder();
    let yaml = Observe::router_yaml(&lab.manifest.routerd);
    let (eni, states, rows, folder, yaml, programs) = futures::join!(
        look_at_the_interface(lab, before),
        node_state::ask_all(lab),
        lab.shell.observe(Node::RouterdCloud, &rows),
        lab.shell.observe(Node::RouterdCloud, &folder),
        lab.shell.observe(Node::RouterdCloud, &yaml),
        node_unchanged::ask_programs(lab, before),
    );
    // A recovery that is repeated looks anew.
    ctx.run.state.borrow_mut().changed.clear();
    let first = seen_first(eni.last(), rows_of(&rows).as_deref());
    judge_interface(lab, ctx, before, eni);
    let states: Vec<Looked> =
        states.into_iter().map(|told| node_state::read_look(ctx, told)).collect();
    judge_states(ctx, before, &states);
    let programs = node_unchanged::judge_programs(ctx, before, PROGRAMS, programs);
    note(ctx, programs);
    judge_rows(lab, ctx, before, rows);
    judge_files(ctx, folder);
    judge_yaml(lab, ctx, yaml);
    look_later(lab, first).await
}

/// What is looked at for the second time.
struct Later {
    first: First,
    eni: InterfaceRead,
    rows: Readout<Vec<Row>>,
}

async fn look_later(lab: &Lab, first: First) -> (Later, Vec<WayAnswers>) {
    lab.clock.sleep(lab.two_daemon_rounds().max(lab.pause_between_looks())).await;
    let rows = Observe::rows(&lab.manifest.routerd);
    let (eni, rows, silence) = futures::join!(
        lab.reader.network_interface(&lab.manifest.capture.network_interface_id),
        lab.shell.observe(Node::RouterdCloud, &rows),
        silence::ask_all_ways(lab, When::After),
    );
    (Later { first, eni, rows }, silence)
}

/// Looks until two looks are equal; where the first shows the baseline, the second is the one that is
/// made later.
async fn look_at_the_interface(lab: &Lab, before: &Baseline) -> InterfaceLooks {
    let id = &lab.manifest.capture.network_interface_id;
    let wanted = restorable_fields(&before.interface);
    let is_back = |eni: &Option<lab::ec2::NetworkInterface>| {
        eni.as_ref().is_some_and(|eni| restorable_fields(eni) == wanted)
    };
    look_until_equal_unless(lab, async || lab.reader.network_interface(id).await, is_back).await
}

type InterfaceLooks = EqualLooks<Option<lab::ec2::NetworkInterface>>;

/// The ENI and the rows that the first look saw, for the second to be compared with; none where it
/// saw not all of it.
type First = Option<(Value, Vec<u64>)>;

type InterfaceRead = Result<Answer<Option<lab::ec2::NetworkInterface>>, lab::ec2::ReadError>;

fn seen_first(eni: &InterfaceRead, rows: Option<&[Row]>) -> First {
    let eni = eni.as_ref().ok()?.value.as_ref().map(restorable_fields);
    Some((json!(eni), rows?.iter().map(|row| row.id).collect()))
}

fn rows_of(rows: &Readout<Vec<Row>>) -> Option<Vec<Row>> {
    let read = rows.as_ref().ok()?.value.clone();
    observe::read_list(read, How::default()).ok().map(|(rows, _)| rows)
}

fn note(ctx: &Context<'_>, changed: impl IntoIterator<Item = Changed>) {
    ctx.run.state.borrow_mut().changed.extend(changed);
}

/// Those of somebody else.
fn note_rows<'a>(lab: &Lab, ctx: &Context<'_>, rows: impl Iterator<Item = &'a Row>) {
    note(ctx, rows.map(|row| left::strangers_row(&lab.manifest.routerd, row)));
}

/// The last look at the ENI is what counts.
fn replace_interface(ctx: &Context<'_>, item: Option<ResidueItem>) {
    let mut state = ctx.run.state.borrow_mut();
    state.changed.retain(|changed| changed.node.is_some());
    state.changed.extend(item.map(|item| Changed { node: None, item }));
}

/// Judges that what was restored stays so, and that nobody makes new rows: a daemon whose policy
/// approves by itself would by then have executed again what was undone.
fn judge_later(lab: &Lab, ctx: &mut Context<'_>, later: Later, silence: Vec<Vec<WayAnswers>>) {
    let Later { first, eni, rows } = later;
    silence::judge(ctx, UNREACHABLE, silence);
    let all = rows_of(&rows);
    let second = seen_first(&eni, all.as_deref());
    let now = eni.as_ref().ok().and_then(|answer| answer.value.clone());
    let eni = match eni {
        Ok(answer) => ctx.seen(&answer),
        Err(error) => ctx.seen_error(&error),
    };
    let how = observe::keep_answer(ctx, rows).map_or_else(|(_, how)| how, |(_, how)| how).and(eni);
    let (Some((interface, ids)), Some((later, later_ids))) = (first, second) else {
        let expected = json!("as at the first look");
        return ctx
            .check(STAYS)
            .expects(expected)
            .seen(how)
            .unknown("one of the two looks saw not all of it");
    };
    let new: Vec<u64> = later_ids.into_iter().filter(|id| !ids.contains(id)).collect();
    if let Some(now) = &now
        && interface != later
        && let Some(before) = ctx.run.baseline()
    {
        let item = baseline::describe_changed_interface(
            &lab.manifest.aws.region,
            &before.interface,
            Some(now),
        );
        replace_interface(ctx, item);
    }
    note_rows(lab, ctx, all.iter().flatten().filter(|row| new.contains(&row.id)));
    let expected = json!({ "interface": interface, "new_rows": [] });
    ctx.check(STAYS).expects(expected).seen(how).is(json!({ "interface": later, "new_rows": new }));
    let found = (!new.is_empty()).then(|| format!("somebody made rows after the undo: {new:?}"));
    ctx.stop(&stops::FOREIGN_ROWS, found, "routerd's journal");
}

fn judge_yaml(lab: &Lab, ctx: &mut Context<'_>, told: NodeAnswer<Result<RouterYaml, Unread>>) {
    let path = &lab.manifest.routerd.config;
    let expected = json!({ "sha256": ctx.run.state.borrow().router_yaml });
    match observe::keep_reading(ctx, told) {
        Ok((RouterYaml { sha256, .. }, how)) => {
            let observed = json!({ "sha256": sha256 });
            let before = expected["sha256"].clone();
            let holds = ctx.check(ROUTER_YAML).expects(expected).seen(how).is(observed);
            note(ctx, (!holds).then(|| left::router_yaml(path, &before)));
            let found = (!holds).then(|| format!("{path} is not what preflight read"));
            ctx.stop(&stops::POLICY_CHANGED, found, path);
        }
        Err((why, how)) => ctx.check(ROUTER_YAML).expects(expected).seen(how).unknown(why),
    }
}

/// Judges the run's own files: only the lock is still there, which is released next; burnt goes stay on
/// purpose. Teardown may end the node, so that nobody could look any more.
fn judge_files(ctx: &mut Context<'_>, told: Names) {
    let expected = json!({ "left": [] });
    match observe::keep_reading(ctx, told) {
        Ok((names, how)) => {
            let left: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .filter(|name| !name.starts_with("burnt-") && !name.starts_with("lock.json"))
                .collect();
            let folder = lab::shell::NODE_FOLDER;
            let message = format!("left in {folder} on routerd-cloud: {}", left.join(", "));
            note(
                ctx,
                left.iter().map(|name| left::describe_left_file(&format!("{folder}/{name}"))),
            );
            let ruling = Ruling::when(left.is_empty(), message);
            ctx.check(FILES).expects(expected).seen(how).comes_to(json!({ "left": left }), ruling);
        }
        Err((why, how)) => ctx.check(FILES).expects(expected).seen(how).unknown(why),
    }
}

/// Judges the ENI: what it is by now, where that is not what it was, is listed with the commands that
/// settle it.
fn judge_interface(lab: &Lab, ctx: &mut Context<'_>, before: &Baseline, looks: InterfaceLooks) {
    let now = looks.last().as_ref().ok().and_then(|answer| answer.value.as_ref());
    let item =
        baseline::describe_changed_interface(&lab.manifest.aws.region, &before.interface, now);
    let message = item.as_ref().map(|item| {
        let settles = item.owner_commands.join("; ");
        format!("{} {}: {}; to settle it: {settles}", item.resource, item.id, item.why)
    });
    replace_interface(ctx, item);
    let digest = Baseline::interface_digest(&before.interface);
    let expected = json!({ "digest": digest, "interface": restorable_fields(&before.interface) });
    match looks.keep(lab, ctx) {
        Ok((eni, how)) => {
            let observed = eni.as_ref().map(|eni| {
                json!({ "digest": Baseline::interface_digest(eni), "interface": restorable_fields(eni) })
            });
            let observed = observed.unwrap_or(Value::Null);
            ctx.write(Kind::StateRecorded(StateRecorded {
                phase: Phase::Final,
                state: json!({ "interface": observed["interface"] }),
            }));
            let same = expected == observed;
            let ruling = Ruling::when(same, message);
            ctx.check(INTERFACE).expects(expected).seen(how).comes_to(observed, ruling);
        }
        Err((why, how)) => ctx.check(INTERFACE).expects(expected).seen(how).unknown(why),
    }
}

/// Every node's state is the baseline's: what decides the ways out, and the rest, of each; addresses
/// and rules of all together.
fn judge_states(ctx: &mut Context<'_>, before: &Baseline, states: &[Looked]) {
    for ((node, ids), looked) in Node::ALL.into_iter().zip(GATEWAYS.iter().zip(STATES)).zip(states)
    {
        let ways = default_gateway::judge(ctx, before, (node, ids.0), looked, Explained::Nothing);
        note(ctx, ways);
        let rest =
            node_unchanged::judge(ctx, before, (node, ids.1), looked, REST, Explained::Nothing);
        note(ctx, rest);
    }
    let addresses = |node: Node, was: &NodeState, now: &NodeState| {
        left::find_left_addresses(node, &was.addresses(), &now.addresses())
    };
    judge_nodes(ctx, ADDRESSES, before, states, Source::Addresses, addresses);
    let rules = |node: Node, _: &NodeState, now: &NodeState| {
        left::find_left_rules(node, before.rulesets.get(&node)?, &now.ruleset)
    };
    judge_nodes(ctx, RULES, before, states, Source::Nft, rules);
}

/// One source of all nodes.
fn judge_nodes(
    ctx: &mut Context<'_>,
    id: &'static str,
    before: &Baseline,
    states: &[Looked],
    source: Source,
    changed: impl Fn(Node, &NodeState, &NodeState) -> Option<Changed>,
) {
    let mut how = How::default();
    let (mut expected, mut observed) = (serde_json::Map::new(), serde_json::Map::new());
    let (mut unknown, mut differs) = (Vec::new(), false);
    let shown = |state: &NodeState| match source {
        Source::Addresses => json!(state.addresses()),
        source => json!(state.digest_of(source)),
    };
    for (node, looked) in Node::ALL.into_iter().zip(states) {
        let Some(was) = before.nodes.get(&node).map(|it| &it.state) else { continue };
        match looked {
            Ok((now, one)) => {
                how = how.and(one.clone());
                let sources = [source];
                let comparison = node_state::compare_states(was, now, &sources, Explained::Nothing);
                if !comparison.is_equal() {
                    differs = true;
                    let with_commands = changed(node, was, now);
                    let other = || node_state::describe_changed_node(node, &comparison, was, now);
                    note(ctx, with_commands.or_else(other));
                }
                unknown.extend(comparison.unknown.iter().map(|why| format!("{node}: {why}")));
                expected.insert(node.to_string(), shown(was));
                observed.insert(node.to_string(), shown(now));
            }
            Err((why, one)) => {
                how = how.and(one.clone());
                unknown.push(format!("{node}: {why}"));
            }
        }
    }
    if !differs && !unknown.is_empty() {
        return ctx
            .check(id)
            .expects(Value::Object(expected))
            .seen(how)
            .unknown(unknown.join("; "));
    }
    let message = differs.then(|| {
        let (expected, observed) = (json!(expected), json!(observed));
        format!("expected {expected}, observed {observed}")
    });
    let ruling = Ruling::unless(message);
    ctx.check(id)
        .expects(Value::Object(expected))
        .seen(how)
        .comes_to(Value::Object(observed), ruling);
}

fn judge_rows(lab: &Lab, ctx: &mut Context<'_>, before: &Baseline, asked: Readout<Vec<Row>>) {
    let expected = json!("none pending, approved or running");
    let (rows, how) = match observe::keep_list(ctx, asked) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(ROWS).expects(expected).seen(how).unknown(why),
    };
    // By their keys: where one of the two was never imported, the other is the run's all the same.
    let plans = ctx.run.change_set.plans();
    let own = |row: &&Row| plans.iter().any(|plan| plan.idempotency_key == row.idempotency_key);
    let wedged = || rows.iter().filter(own).filter(|row| row.status == RowStatus::Running);
    let running: Vec<_> = wedged().map(|row| row.id).collect();
    note(ctx, wedged().map(|row| left::wedged_row(&lab.manifest.routerd, row)));
    let statuses: Vec<_> = rows
        .iter()
        .filter(own)
        .map(|row| json!({ "id": row.id, "action": row.action, "status": row.status }))
        .collect();
    let message = format!("routerctl cannot move these rows any more: {running:?}");
    let expected = json!({ "running": [] });
    let observed = json!({ "running": running, "rows": statuses });
    let ruling = Ruling::when(running.is_empty(), message);
    ctx.check(ROWS).expects(expected).seen(how.clone()).comes_to(observed, ruling);
    let strangers = || rows.iter().filter(|row| !own(row) && !before.rows.contains(&row.id));
    note_rows(lab, ctx, strangers());
    let new: Vec<_> =
        strangers().map(|row| format!("{} ({})", row.idempotency_key, row.status)).collect();
    let message = format!("somebody made rows during the run: {}", new.join(", "));
    let found = (!new.is_empty()).then(|| message.clone());
    let ruling = Ruling::unless(found.clone());
    ctx.check(NO_NEW_ROWS).expects(json!([])).seen(how).comes_to(json!(new), ruling);
    ctx.stop(&stops::FOREIGN_ROWS, found, "routerd's journal");
    ctx.write(Kind::RowsRecorded(RowsRecorded { phase: Phase::Final, rows: json!(rows) }));
}

#[cfg(test)]
mod tests {
    use reports::digest::Digest;
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{
        change_set, example_answer, example_baseline, judge_as_scenario, read_by,
    };

    fn list(rows: &[(u64, &str, &str)]) -> String {
        let at = "2026-10-01T12:00:00Z";
        let row = |(id, key, status): &(u64, &str, &str)| {
            json!({
                "id": id, "idempotencyKey": key, "provider": "aws", "action": "any",
                "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
                "status": status, "createdAt": at, "updatedAt": at,
            })
        };
        json!(rows.iter().map(row).collect::<Vec<_>>()).to_string()
    }

    #[test]
    fn only_the_runs_rows_are_new_and_none_of_them_runs_for_ever() {
        let keys = change_set().keys();
        let own = keys[0].as_str();
        let table = [
            (vec![], A::Passed, A::Passed),
            (vec![(1, "earlier", "running"), (2, own, "rolledBack")], A::Passed, A::Passed),
            (vec![(2, own, "running")], A::Failed, A::Passed),
            (vec![(2, own, "rolledBack"), (3, "another", "pending")], A::Passed, A::Failed),
        ];
        for (rows, ended, alone) in table {
            let judged = judge_as_scenario("restored", async |lab, ctx| {
                let rows = example_answer(0, &list(&rows), "");
                let rows = read_by(&Observe::rows(&lab.manifest.routerd), rows);
                judge_rows(lab, ctx, &example_baseline(), rows);
            });
            let given = (judged.status(ROWS), judged.status(NO_NEW_ROWS));
            assert_eq!(given, (ended, alone), "{rows:?}");
        }
    }

    /// The items that are listed as left, by their ids.
    fn changed(ctx: &Context<'_>) -> Vec<String> {
        ctx.run.state.borrow().changed.iter().map(|it| it.item.id.clone()).collect()
    }

    #[test]
    fn the_wedged_row_and_those_of_somebody_else_are_left() {
        let keys = change_set().keys();
        let own = keys[0].as_str();
        let rows =
            list(&[(1, "earlier", "running"), (2, own, "running"), (3, "another", "pending")]);
        judge_as_scenario("restored", async |lab, ctx| {
            let rows = read_by(&Observe::rows(&lab.manifest.routerd), example_answer(0, &rows, ""));
            let seen = rows_of(&rows).expect("rows");
            assert_eq!(seen.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2, 3]);
            judge_rows(lab, ctx, &example_baseline(), rows);
            assert_eq!(changed(ctx), ["2", "3"]);
        });
    }

    #[test]
    fn only_another_router_yaml_is_left() {
        for (read, left) in [("policy", 0), ("another", 1)] {
            judge_as_scenario("restored", async |lab, ctx| {
                ctx.run.state.borrow_mut().router_yaml = Some(Digest::of("policy"));
                let command = Observe::router_yaml(&lab.manifest.routerd);
                judge_yaml(lab, ctx, read_by(&command, example_answer(0, read, "")));
                let path = lab.manifest.routerd.config.clone();
                assert_eq!(changed(ctx), &[path][..left], "{read}");
            });
        }
    }

    /// A file stands for what is on a node, and stays.
    #[test]
    fn of_the_interface_the_last_look_that_saw_a_change_counts() {
        for (same, left) in [(true, &["eni-1", "file"][..]), (false, &["file"][..])] {
            judge_as_scenario("restored", async |lab, ctx| {
                let mut before = example_baseline();
                before.interface.source_dest_check = false;
                let now = example_baseline().interface;
                let item = baseline::describe_changed_interface(
                    "eu-central-1",
                    &before.interface,
                    Some(&now),
                );
                replace_interface(ctx, item.clone());
                replace_interface(ctx, item);
                note(ctx, [left::describe_left_file("file")]);
                let id = lab.manifest.capture.network_interface_id.clone();
                let eni = lab.reader.network_interface(&id).await.expect("an answer").value;
                // By the last look it is as before.
                before.interface = eni.clone().expect("an interface");
                ctx.run.state.borrow_mut().baseline = Some(std::rc::Rc::new(before));
                let mut first = json!(eni.as_ref().map(restorable_fields));
                if !same {
                    first["source_dest_check"] = json!("unlike");
                }
                let (later, _) = look_later(lab, Some((first, vec![]))).await;
                judge_later(lab, ctx, later, Vec::new());
                assert_eq!(changed(ctx), left, "the same: {same}");
            });
        }
    }
}
