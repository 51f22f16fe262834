//! Every step of undo and teardown is written down before anything is asked for (hard stop 4),
//! each with what it restores and with the command by which the owner can do it by hand.

use lab::Lab;
use lab::change_set::CaptureAction;
use lab::manifest::Instances;
use reports::digest::Digest;
use reports::record::{Kind, Operation, UndoPlanned, UndoStep};
use serde_json::{Value, json};

use crate::baseline::Baseline;
use crate::capture::CaptureStep;
use crate::context::{Context, How, Ruling};
use crate::run::Run;
use crate::stops;

pub const UNDO_FORWARDING: &str = "undo.forwarding";
pub const UNDO_ADDRESS: &str = "undo.address";
pub const UNDO_CHANGE_SET: &str = "undo.change-set";
pub const UNDO_LOCK: &str = "undo.lock";

pub const COMPLETE: &str = "undo-plan.complete";
pub const ON_DISK: &str = "undo-plan.on-disk";

pub const ASSERTS: &[&str] = &[COMPLETE, ON_DISK];
pub const NOT_APPLICABLE: &[&str] = &[];

/// Room for the outcomes of all undo steps with their samples.
pub const RESERVE_BYTES: u64 = 256 * 1024;

/// The id of the teardown step for one resource.
fn teardown_step(kind: &str, id: &str) -> String {
    format!("teardown.{kind}:{id}")
}

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(baseline) = ctx.run.baseline() else { return };
    let steps = steps(lab, ctx.run, &baseline);
    if !complete(lab, ctx, &steps).await {
        return;
    }
    let plan = UndoPlanned { digest: Digest::of_json(&json!(steps)), steps };
    let digest = plan.digest.clone();
    let written = ctx
        .journal
        .append_synced(lab.clock.now(), Kind::UndoPlanned(plan.clone()))
        .and_then(|_| ctx.journal.reserve(RESERVE_BYTES));
    let how = How::words("fdatasync of the journal");
    match written {
        Ok(reserved) => {
            let observed = json!({ "digest": digest, "reserved": format!("{reserved:?}") });
            ctx.check(ON_DISK).expects(json!({ "digest": digest })).seen(how).passes(observed);
            ctx.run.state.borrow_mut().undo_plan = Some(plan);
        }
        Err(error) => {
            ctx.check(ON_DISK)
                .expects(json!({ "digest": digest }))
                .seen(how)
                .fails(Value::Null, error.to_string());
        }
    }
}

/// Whether the plan is complete: what the manifest has torn down must be there and be the lab's. Else
/// its step would do nothing, or end what is somebody else's. The instances were looked at by
/// preflight.
async fn complete(lab: &Lab, ctx: &mut Context<'_>, steps: &[UndoStep]) -> bool {
    let (key, value) = (&lab.manifest.lab.tag_key, &lab.manifest.lab.tag_value);
    let expected = json!({ "not_the_labs": [] });
    let (addresses, volumes) = futures::join!(
        lab.reader.addresses_tagged(key, value),
        lab.reader.volumes_tagged(key, value)
    );
    let (addresses, volumes) = match (addresses, volumes) {
        (Ok(addresses), Ok(volumes)) => (addresses, volumes),
        (Err(error), _) | (_, Err(error)) => {
            let how = ctx.seen_error(&error);
            ctx.check(COMPLETE).expects(expected).seen(how).unknown(error.to_string());
            return false;
        }
    };
    let how = ctx.seen(&addresses).and(ctx.seen(&volumes));
    let address = |id: &&String| !addresses.value.iter().any(|it| it.allocation_id == **id);
    let volume = |id: &&String| !volumes.value.iter().any(|it| it.volume_id == **id);
    let teardown = &lab.manifest.teardown;
    let foreign: Vec<&String> = teardown
        .release_addresses
        .iter()
        .filter(address)
        .chain(teardown.delete_volumes.iter().filter(volume))
        .collect();
    let names: Vec<_> = steps.iter().map(|step| step.id.clone()).collect();
    let message = format!("to be torn down, and not there with the lab's tag: {foreign:?}");
    let observed = json!({ "steps": names, "not_the_labs": foreign });
    let ruling = Ruling::when(foreign.is_empty(), message.clone());
    let holds = ctx.check(COMPLETE).expects(expected).seen(how).comes_to(observed, ruling);
    let resource = foreign.first().map_or("the undo plan", |id| id.as_str());
    ctx.stop(&stops::UNDO_NOT_PLANNED, (!holds).then_some(message), resource);
    holds
}

/// Steps that take back, in reverse order, what the run changes, then its files.
fn steps(lab: &Lab, run: &Run, baseline: &Baseline) -> Vec<UndoStep> {
    let captured = run.steps.iter().rev().map(|step| undo_of(lab, step, baseline));
    let files = [
        (UNDO_CHANGE_SET, Operation::RemoveChangeSet { path: lab::change_set::PATH.to_owned() }),
        (UNDO_LOCK, Operation::ReleaseLock { path: lab::act::LOCK_PATH.to_owned() }),
    ];
    let files = files.map(|(id, operation)| UndoStep {
        id: id.to_owned(),
        section: "§6".to_owned(),
        operation,
        restores: json!({ "absent": true }),
    });
    captured.chain(files).chain(teardown_steps(lab)).collect()
}

/// How one step of the capture is taken back: to the baseline.
fn undo_of(lab: &Lab, step: &CaptureStep, baseline: &Baseline) -> UndoStep {
    let region = lab.manifest.aws.region.clone();
    let network_interface_id = lab.manifest.capture.network_interface_id.clone();
    let before = &baseline.interface;
    let (section, operation, restores) = match step.action {
        CaptureAction::Forwarding => {
            let source_dest_check = before.source_dest_check;
            let operation = Operation::RestoreSourceDestCheck {
                network_interface_id,
                source_dest_check,
                region,
            };
            ("§6.1", operation, json!({ "source_dest_check": source_dest_check }))
        }
        CaptureAction::Assign(address) => {
            let address = address.addr();
            let operation = Operation::UnassignAddress { network_interface_id, address, region };
            ("§6.2", operation, json!({ "secondary_addresses": before.secondary_addresses }))
        }
    };
    UndoStep { id: step.undo.clone(), section: section.to_owned(), operation, restores }
}

/// Steps that end what costs money, as the manifest has it.
pub fn teardown_steps(lab: &Lab) -> Vec<UndoStep> {
    let region = || lab.manifest.aws.region.clone();
    let teardown = &lab.manifest.teardown;
    let destroy = |kind: &str, id: &String, operation: Operation| UndoStep {
        id: teardown_step(kind, id),
        section: "§6.3".to_owned(),
        operation,
        restores: Value::Null,
    };
    let instances = lab.manifest.nodes.values().filter_map(|node| node.instance_id.as_ref());
    let instances = instances.filter_map(|id| {
        let instance_id = id.clone();
        let operation = match teardown.instances {
            Instances::Terminate => Operation::TerminateInstance { instance_id, region: region() },
            Instances::Stop => Operation::StopInstance { instance_id, region: region() },
            Instances::Keep => return None,
        };
        Some(destroy("instance", id, operation))
    });
    let addresses = teardown.release_addresses.iter().map(|id| {
        let allocation_id = id.clone();
        destroy("address", id, Operation::ReleaseAddress { allocation_id, region: region() })
    });
    let volumes = teardown.delete_volumes.iter().map(|id| {
        let volume_id = id.clone();
        destroy("volume", id, Operation::DeleteVolume { volume_id, region: region() })
    });
    instances.chain(addresses).chain(volumes).collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use lab::node::Node;
    use reports::record::{Outcome, OutcomeRecorded};

    use super::*;
    use crate::example::judge_as_scenario;

    /// The last outcome of each step with all its samples, each a row and an ENI.
    #[test]
    fn the_reserve_holds_the_outcomes_of_all_steps() {
        judge_as_scenario("undo-plan", async |lab, _| {
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.teardown.instances = Instances::Terminate;
            let steps = 4 + teardown_steps(lab).len();
            let outcome = OutcomeRecorded {
                detail: "x".repeat(500),
                samples: vec![json!({ "row": "x".repeat(1000), "eni": "x".repeat(500) }); 10],
                ..OutcomeRecorded::of("intent", Outcome::Done)
            };
            let one = json!(outcome).to_string().len();
            assert!(RESERVE_BYTES > (one * steps) as u64, "{steps} steps of {one} bytes");
        });
    }

    #[test]
    fn each_resource_has_a_step_of_its_own_by_what_the_manifest_wants() {
        let table = [
            (Instances::Terminate, "aws ec2 terminate-instances --instance-ids i-1 --region "),
            (Instances::Stop, "aws ec2 stop-instances --instance-ids i-1 --region "),
            (Instances::Keep, ""),
        ];
        for (wanted, command) in table {
            judge_as_scenario("undo-plan", async |lab, _| {
                let manifest = Rc::make_mut(&mut lab.manifest);
                manifest.teardown.instances = wanted;
                manifest.teardown.release_addresses = vec!["eipalloc-1".to_owned()];
                manifest.teardown.delete_volumes = vec!["vol-1".to_owned()];
                for node in manifest.nodes.values_mut() {
                    node.instance_id = None;
                }
                let router = manifest.nodes.get_mut(&Node::RouterdCloud).expect("a node");
                router.instance_id = Some("i-1".to_owned());
                let steps = teardown_steps(lab);
                let ids: Vec<_> = steps.iter().map(|step| step.id.as_str()).collect();
                let rest = ["teardown.address:eipalloc-1", "teardown.volume:vol-1"];
                let expected: Vec<_> = (wanted != Instances::Keep)
                    .then_some("teardown.instance:i-1")
                    .into_iter()
                    .chain(rest)
                    .collect();
                assert_eq!(ids, expected);
                let said = steps[0].operation.owner_command();
                assert!(said.starts_with(command) || command.is_empty(), "{said}");
            });
        }
    }
}
