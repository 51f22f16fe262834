//! Whatever the installed routerd has to say that the claim is ready: `RemoteAddressClaim` where it
//! knows that kind, the `MobilityPool` with the owner's row of the captured address where it has
//! that. Which one is found out by asking, never configured.

use lab::Lab;
use lab::node::Node;
use lab::routerd::{AnswerError, Owner, Refusal, Routerctl};
use lab::shell::Observe;
use serde_json::json;

use crate::context::{Context, How};
use crate::observe;

const READY: &str = "claim-ready.ready";

pub const ASSERTS: &[&str] = &[READY];
pub const NOT_APPLICABLE: &[&str] = &[NO_DAEMON, NO_KIND];

const NO_DAEMON: &str = "no routerd daemon runs on routerd-cloud: nothing claims the address, the run's own planner asked for it";
const NO_KIND: &str =
    "this routerd has neither a RemoteAddressClaim nor a MobilityPool: nothing claims the address";

/// What one kind's question came to.
enum Found {
    Phases(Vec<(String, Option<String>)>, How),
    NoDaemon,
    NoSuchKind,
    Unreadable(String, How),
}

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let routerd = &lab.manifest.routerd;
    let commands =
        [Observe::get(routerd, "RemoteAddressClaim"), Observe::get(routerd, "MobilityPool")];
    let owners = Observe::mobility_owners(routerd);
    let (claim, pool, owners) = futures::join!(
        lab.shell.observe(Node::RouterdCloud, &commands[0]),
        lab.shell.observe(Node::RouterdCloud, &commands[1]),
        lab.shell.observe(Node::RouterdCloud, &owners),
    );
    let claim = found(lab, ctx, "RemoteAddressClaim", claim);
    let pool = found(lab, ctx, "MobilityPool", pool);
    match (claim, pool) {
        (Found::Phases(phases, how), _) => judge(ctx, &phases, true, how),
        (_, Found::Phases(phases, how)) => {
            let (captured, owner_how) = captured(lab, ctx, owners);
            judge(ctx, &phases, captured, how.and(owner_how));
        }
        (Found::Unreadable(why, how), _) | (_, Found::Unreadable(why, how)) => {
            ctx.unknown(READY, json!("Ready"), how, why);
        }
        (Found::NoDaemon, _) | (_, Found::NoDaemon) => ctx.not_applicable(NO_DAEMON),
        (Found::NoSuchKind, Found::NoSuchKind) => ctx.not_applicable(NO_KIND),
    }
}

type Asked = Result<lab::ec2::Answer<lab::node::Output>, lab::shell::ShellError>;

fn found(lab: &Lab, ctx: &mut Context<'_>, kind: &str, asked: Asked) -> Found {
    let (output, how) = match observe::told(ctx, asked) {
        Ok(seen) => seen,
        Err((why, how)) => return Found::Unreadable(why, how),
    };
    match Routerctl::new(&lab.manifest.routerd).get(kind).read(&output) {
        Ok(resources) if resources.items.is_empty() => Found::NoSuchKind,
        Ok(resources) => {
            let phase = |item: &lab::routerd::Resource| {
                item.status.get("phase").and_then(|phase| phase.as_str()).map(str::to_owned)
            };
            let phases = resources.items.iter().map(|item| (item.name.clone(), phase(item)));
            Found::Phases(phases.collect(), how)
        }
        Err(AnswerError::Refused { refusal: Refusal::NoDaemon { .. }, .. }) => Found::NoDaemon,
        Err(AnswerError::Refused { refusal: Refusal::NoResource { .. }, .. }) => Found::NoSuchKind,
        Err(error) => Found::Unreadable(error.to_string(), how),
    }
}

/// A pool without plans is Ready as well: the owner's row of the address has to say that it is
/// captured here (contract §5.4).
fn captured(lab: &Lab, ctx: &mut Context<'_>, owners: Asked) -> (bool, How) {
    let address = lab.manifest.capture.address.to_string();
    match observe::told(ctx, owners) {
        Ok((output, how)) => {
            let owners = Routerctl::new(&lab.manifest.routerd).mobility_owners().read(&output);
            (owners.is_ok_and(|owners| owners.iter().any(|it| captures(it, &address))), how)
        }
        Err((_, how)) => (false, how),
    }
}

fn captures(owner: &Owner, address: &str) -> bool {
    owner.address == address
        && owner.state == "OK"
        && owner.capture_holder_node.as_deref().is_some_and(|node| !node.is_empty())
}

fn judge(ctx: &mut Context<'_>, phases: &[(String, Option<String>)], captured: bool, how: How) {
    let ready = phases.iter().all(|(_, phase)| phase.as_deref() == Some("Ready"));
    ctx.judge(
        READY,
        ready && captured,
        json!({ "phase": "Ready", "owner_row_captured": true }),
        json!({ "phases": phases, "owner_row_captured": captured }),
        how,
        Some("not Ready with the captured address in its owner table".to_owned()),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_captured_by_the_ok_row_that_names_a_node() {
        let table = [
            (json!({"address": "10.88.60.9/32", "state": "OK", "captureHolderNode": "r1"}), true),
            (json!({"address": "10.88.60.8/32", "state": "OK", "captureHolderNode": "r1"}), false),
            (
                json!({"address": "10.88.60.9/32", "state": "Stale", "captureHolderNode": "r1"}),
                false,
            ),
            (json!({"address": "10.88.60.9/32", "state": "OK", "captureHolderNode": ""}), false),
            (json!({"address": "10.88.60.9/32", "state": "OK"}), false),
        ];
        for (mut row, expected) in table {
            row["class"] = json!("Static");
            let owner: Owner = serde_json::from_value(row.clone()).expect("a row");
            assert_eq!(captures(&owner, "10.88.60.9/32"), expected, "{row}");
        }
    }
}
