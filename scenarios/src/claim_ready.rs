//! Whatever the installed routerd has to say that the claim is ready: `RemoteAddressClaim` where it
//! knows that kind, the `MobilityPool` with the owner's row of the captured address where it has
//! that. Which one is found out by asking, never configured.

use lab::Lab;
use lab::node::Node;
use lab::routerd::{AnswerError, Owner, Refusal, Resources};
use lab::shell::Observe;
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::observe::{self, Readout};

pub const READY: &str = "claim-ready.ready";

pub const ASSERTS: &[&str] = &[READY];
pub const NOT_APPLICABLE: &[&str] = &[NO_DAEMON, NO_KIND];

const NO_DAEMON: &str = "no routerd daemon runs on routerd-cloud: nothing claims the address, the run's own planner asked for it";
const NO_KIND: &str =
    "this routerd has neither a RemoteAddressClaim nor a MobilityPool: nothing claims the address";

/// The answer to one kind's question.
enum ClaimAnswer {
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
    let claim = found(ctx, claim);
    let pool = found(ctx, pool);
    match (claim, pool) {
        (ClaimAnswer::Phases(phases, how), _) => judge(ctx, &phases, true, how),
        (_, ClaimAnswer::Phases(phases, how)) => {
            let (captured, owner_how) = captured(lab, ctx, owners);
            judge(ctx, &phases, captured, how.and(owner_how));
        }
        (ClaimAnswer::Unreadable(why, how), _) | (_, ClaimAnswer::Unreadable(why, how)) => {
            ctx.check(READY).expects(json!("Ready")).seen(how).unknown(why);
        }
        (ClaimAnswer::NoDaemon, _) | (_, ClaimAnswer::NoDaemon) => ctx.not_applicable(NO_DAEMON),
        (ClaimAnswer::NoSuchKind, ClaimAnswer::NoSuchKind) => ctx.not_applicable(NO_KIND),
    }
}

fn found(ctx: &mut Context<'_>, asked: Readout<Resources>) -> ClaimAnswer {
    let (read, how) = match observe::keep_answer(ctx, asked) {
        Ok(seen) => seen,
        Err((why, how)) => return ClaimAnswer::Unreadable(why, how),
    };
    match read {
        Ok(resources) if resources.items.is_empty() => ClaimAnswer::NoSuchKind,
        Ok(resources) => {
            let phase = |item: &lab::routerd::Resource| {
                item.status.get("phase").and_then(|phase| phase.as_str()).map(str::to_owned)
            };
            let phases = resources.items.iter().map(|item| (item.name.clone(), phase(item)));
            ClaimAnswer::Phases(phases.collect(), how)
        }
        Err(AnswerError::Refused { refusal: Refusal::NoDaemon { .. }, .. }) => {
            ClaimAnswer::NoDaemon
        }
        Err(AnswerError::Refused { refusal: Refusal::NoResource { .. }, .. }) => {
            ClaimAnswer::NoSuchKind
        }
        Err(error) => ClaimAnswer::Unreadable(error.to_string(), how),
    }
}

/// A pool without plans is Ready as well: the owner's row of the address has to say that it is
/// captured here (contract §5.4).
fn captured(lab: &Lab, ctx: &mut Context<'_>, owners: Readout<Vec<Owner>>) -> (bool, How) {
    let address = lab.manifest.capture.address.to_string();
    match observe::keep_answer(ctx, owners) {
        Ok((owners, how)) => {
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
    let ruling = Ruling::when(
        ready && captured,
        "not Ready with the captured address in its owner table".to_owned(),
    );
    ctx.check(READY)
        .expects(json!({ "phase": "Ready", "owner_row_captured": true }))
        .seen(how)
        .comes_to(json!({ "phases": phases, "owner_row_captured": captured }), ruling);
}

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    /// The result of `get` of a kind, in a word and with the phases.
    #[test]
    fn a_kind_without_an_item_is_as_one_that_is_not_there() {
        let items = |items: serde_json::Value| {
            let answer = json!({ "kind": "GetResult", "items": items }).to_string();
            example_answer(0, &answer, "")
        };
        let claim = json!({
            "apiVersion": "v1", "kind": "RemoteAddressClaim", "name": "claim",
            "status": { "phase": "Ready" },
        });
        let nobody = "Get \"http://routerd/v1/get\": dial unix /run/routerd.sock: no such file";
        let table = [
            (items(json!([claim])), "phases: claim Ready"),
            (items(json!([])), "no such kind"),
            (example_answer(1, "", "bad request: RemoteAddressClaim not found\n"), "no such kind"),
            (example_answer(1, "", nobody), "no daemon"),
            (example_answer(0, "not JSON", ""), "unreadable"),
            (example_silence(), "unreadable"),
        ];
        for (answer, expected) in table {
            let shown = format!("{answer:?}");
            judge_as_scenario("claim-ready", async |lab, ctx| {
                let command = Observe::get(&lab.manifest.routerd, "RemoteAddressClaim");
                let answer = read_by(&command, answer);
                let word = match found(ctx, answer) {
                    ClaimAnswer::Phases(phases, _) => {
                        let one = |(name, phase): (String, Option<String>)| {
                            format!("{name} {}", phase.unwrap_or_default())
                        };
                        let each: Vec<_> = phases.into_iter().map(one).collect();
                        format!("phases: {}", each.join(", "))
                    }
                    ClaimAnswer::NoDaemon => "no daemon".to_owned(),
                    ClaimAnswer::NoSuchKind => "no such kind".to_owned(),
                    ClaimAnswer::Unreadable(..) => "unreadable".to_owned(),
                };
                assert_eq!(word, expected, "{shown}");
            });
        }
    }

    #[test]
    fn the_owner_table_says_whether_the_address_is_captured() {
        let owners = |state: &str| {
            let row = json!([{
                "address": "10.88.60.9/32", "state": state, "class": "Static",
                "captureHolderNode": "r1",
            }]);
            example_answer(0, &row.to_string(), "")
        };
        let table = [
            (owners("OK"), true, "routerd-cloud$ command"),
            (owners("Stale"), false, "routerd-cloud$ command"),
            (example_answer(1, "", "what?"), false, "routerd-cloud$ command"),
            (example_silence(), false, "no answer"),
        ];
        for (answer, expected, seen) in table {
            let shown = format!("{answer:?}");
            judge_as_scenario("claim-ready", async |lab, ctx| {
                let command = Observe::mobility_owners(&lab.manifest.routerd);
                let (is, how) = captured(lab, ctx, read_by(&command, answer));
                assert_eq!(is, expected, "{shown}");
                assert!(how.how.contains(seen), "{shown}: {}", how.how);
            });
        }
    }

    #[test]
    fn it_is_ready_once_every_phase_is_and_the_address_is_captured() {
        use AssertionStatus::{Failed, Passed};
        let (ready, pending) = (Some("Ready"), Some("Pending"));
        let table = [
            (vec![ready], true, Passed),
            (vec![ready], false, Failed),
            (vec![ready, pending], true, Failed),
            (vec![None], true, Failed),
        ];
        for (phases, captured, expected) in table {
            let judged = judge_as_scenario("claim-ready", async |_, ctx| {
                let named = |phase: Option<&str>| ("one".to_owned(), phase.map(str::to_owned));
                let phases: Vec<_> = phases.iter().copied().map(named).collect();
                judge(ctx, &phases, captured, How::default());
            });
            assert_eq!(judged.status(READY), expected, "{phases:?} {captured}");
        }
    }

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
