//! What costs money is stopped or destroyed, as the undo plan says and the manifest grants:
//! instances and volumes at the same time, then the elastic IP addresses. Each is proved to be the
//! lab's just before, and read back after.

use lab::Lab;
use lab::act::{Acted, LockState, NotTried};
use lab::manifest::Instances;
use lab::permit::Undo;
use reports::record::Outcome;
use serde_json::json;

use crate::context::{Context, How};
use crate::run::not_tried;
use crate::undo_plan::teardown_step;

const INSTANCES: &str = "teardown.instances";
const ADDRESSES: &str = "teardown.addresses";
const VOLUMES: &str = "teardown.volumes";

pub const ASSERTS: &[&str] = &[INSTANCES, ADDRESSES, VOLUMES];
pub const NOT_APPLICABLE: &[&str] = &[];

/// What came of one resource.
type Torn = (String, Result<Acted<()>, String>);

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let teardown = &lab.manifest.teardown;
    let journal = ctx.journal;
    let others = match lab.lock_state(&ctx.run.id).await {
        LockState::Other(holder) => Some(format!("the lab's lock is held by {holder}")),
        // A node that cannot be asked is perhaps gone already: what was begun is ended.
        LockState::Own(_) | LockState::Free | LockState::Unread(_) => None,
    };
    let permit = |ctx: &Context<'_>, kind: &str, id: &str| match &others {
        Some(why) => Err(why.clone()),
        None => permit(ctx, kind, id),
    };
    let instances: Vec<String> = match teardown.instances {
        Instances::Keep => Vec::new(),
        _ => lab.manifest.nodes.values().filter_map(|node| node.instance_id.clone()).collect(),
    };
    let instances = instances.into_iter().map(async |id| {
        let step = permit(ctx, "instance", &id);
        let result = match (step, teardown.instances) {
            (Ok(step), Instances::Terminate) => {
                plain(lab.terminate_instance(&step, journal, &id).await)
            }
            (Ok(step), _) => plain(lab.stop_instance_for_good(&step, journal, &id).await),
            (Err(why), _) => Err(why),
        };
        (id, result)
    });
    let volumes = teardown.delete_volumes.iter().map(async |id| {
        let result = match permit(ctx, "volume", id) {
            Ok(step) => plain(lab.delete_volume(&step, journal, id).await),
            Err(why) => Err(why),
        };
        (id.clone(), result)
    });
    let addresses = teardown.release_addresses.iter().map(async |id| {
        let result = match permit(ctx, "address", id) {
            Ok(step) => plain(lab.release_address(&step, journal, id).await),
            Err(why) => Err(why),
        };
        (id.clone(), result)
    });
    let (instances, volumes, addresses) = futures::join!(
        futures::future::join_all(instances),
        futures::future::join_all(volumes),
        futures::future::join_all(addresses),
    );
    judge(ctx, INSTANCES, &instances);
    judge(ctx, ADDRESSES, &addresses);
    judge(ctx, VOLUMES, &volumes);
}

fn permit(ctx: &Context<'_>, kind: &str, id: &str) -> Result<Undo, String> {
    Undo::for_step(ctx.journal, &teardown_step(kind, id)).map_err(|error| error.to_string())
}

fn plain(acted: Result<Acted<()>, NotTried>) -> Result<Acted<()>, String> {
    acted.map_err(|error| not_tried(&error))
}

fn judge(ctx: &mut Context<'_>, id: &'static str, torn: &[Torn]) {
    let how = How::words("the resource, read back from EC2");
    let expected = json!({ "not_done": [] });
    let observed: Vec<_> = torn
        .iter()
        .map(|(resource, result)| match result {
            Ok(acted) => {
                json!({ "resource": resource, "outcome": acted.outcome, "detail": acted.detail })
            }
            Err(why) => json!({ "resource": resource, "outcome": "not-tried", "detail": why }),
        })
        .collect();
    let bad = |wanted: Option<Outcome>| -> Vec<String> {
        torn.iter()
            .filter(|(_, result)| match (result, wanted) {
                (Ok(acted), Some(outcome)) => acted.outcome == outcome,
                (Err(_), None) => true,
                _ => false,
            })
            .map(|(resource, _)| resource.clone())
            .collect()
    };
    let unknown = bad(Some(Outcome::Unknown));
    if !unknown.is_empty() {
        let why = format!("not established for {}", unknown.join(", "));
        return ctx.unknown(id, expected, how, why);
    }
    let failed: Vec<_> = bad(Some(Outcome::NotDone)).into_iter().chain(bad(None)).collect();
    let message = format!("not done: {}", failed.join(", "));
    ctx.judge(id, failed.is_empty(), expected, json!(observed), how, Some(message));
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{acted, judged};

    #[test]
    fn where_the_manifest_keeps_the_instances_none_is_touched() {
        let judged = judged("teardown", async |lab, ctx| {
            let manifest = Rc::make_mut(&mut lab.manifest);
            manifest.teardown.instances = Instances::Keep;
            manifest.teardown.delete_volumes.clear();
            manifest.teardown.release_addresses.clear();
            run(lab, ctx).await;
        });
        for id in ASSERTS {
            assert_eq!(judged.status(id), A::Passed, "{id}");
            assert_eq!(judged.assertion(id).observed, json!([]), "{id}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_before_what_was_not_done() {
        let is = |outcome| Ok(acted(outcome, ()));
        let not_tried = || Err("not tried".to_owned());
        let table = [
            (vec![], A::Passed, ""),
            (vec![is(Outcome::Done)], A::Passed, ""),
            (vec![is(Outcome::Done), is(Outcome::NotDone)], A::Failed, "not done: 1"),
            (vec![is(Outcome::Done), not_tried()], A::Failed, "not done: 1"),
            (vec![is(Outcome::NotDone), not_tried()], A::Failed, "not done: 0, 1"),
            (vec![is(Outcome::NotDone), is(Outcome::Unknown)], A::Unknown, "established for 1"),
        ];
        for (results, expected, why) in table {
            let shown = format!("{results:?}");
            let named = |(index, result): (usize, _)| (index.to_string(), result);
            let torn: Vec<Torn> = results.into_iter().enumerate().map(named).collect();
            let judged = judged("teardown", async |_, ctx| judge(ctx, VOLUMES, &torn));
            assert_eq!(judged.status(VOLUMES), expected, "{shown}");
            assert!(judged.message(VOLUMES).contains(why), "{shown}");
        }
    }
}
