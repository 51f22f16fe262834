//! The operator's credentials last as long as the run may, and its undo; or others can be had before they
//! end. A run that loses them in its midst can undo, and cannot see that it did.

use chrono::TimeDelta;
use lab::Lab;
use reports::record::Renewal;
use serde_json::json;

use super::CREDENTIALS;
use crate::context::{Context, How, Ruling};
use crate::cost;

/// A run without a ceiling is over by then: the plans that it imports are.
const WITHOUT_CEILING_SECONDS: u64 = 7200;
/// Undo, what it waits for, and teardown.
const UNDO_SECONDS: u64 = 1800;

pub fn judge(lab: &Lab, ctx: &mut Context<'_>) {
    let state = lab.operator.read();
    let seconds = longest_run_seconds(lab) + UNDO_SECONDS;
    let expected =
        json!({ "renewal": "possible, or not needed", "else_valid_for_seconds": seconds });
    let how = How::words("what the SDK says of the operator's credentials");
    let observed = json!({ "renewal": state.renewal, "expires_at": state.expires_at });
    let draft = ctx.check(CREDENTIALS).expects(expected).seen(how);
    match (state.renewal, state.expires_at) {
        (Renewal::NotNeeded | Renewal::Possible, _) => {
            draft.passes(observed);
        }
        (Renewal::Impossible, None) => draft.unknown(
            "the operator's session cannot be renewed, and nobody says when it ends: export \
             AWS_CREDENTIAL_EXPIRATION with it (`aws configure export-credentials --format env`), or name a \
             profile or a role that the harness can renew",
        ),
        (Renewal::Impossible, Some(end)) => {
            let needed = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
            let lasts = end - lab.clock.now() >= needed;
            let message = format!(
                "the operator's session cannot be renewed and ends at {end}, before the run's ceiling and its \
                 undo ({seconds} s from now): begin with a fresh one, or name a profile or a role that the \
                 harness can renew"
            );
            draft.comes_to(observed, Ruling::when(lasts, message));
        }
    }
}

/// The ceiling is of seconds summed over the instances that run at the same time.
fn longest_run_seconds(lab: &Lab) -> u64 {
    let nodes = lab.manifest.nodes.values();
    let instances = nodes.filter(|entry| entry.instance_id.is_some()).count().max(1) as u64;
    cost::read_ceiling(lab).map_or(WITHOUT_CEILING_SECONDS, |ceiling| ceiling / instances)
}

#[cfg(test)]
mod tests {
    use lab::operator::OperatorWatch;
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::judge_as_scenario;

    /// How the credentials can be renewed, in how many seconds they end, and what is made of it.
    #[test]
    fn a_session_that_nobody_renews_lasts_as_long_as_the_run_may() {
        use Renewal::{Impossible, NotNeeded, Possible};
        let table = [
            (NotNeeded, None, A::Passed),
            (Possible, Some(60), A::Passed),
            (Impossible, None, A::Unknown),
            (Impossible, Some(60), A::Failed),
            (Impossible, Some(5399), A::Failed),
            (Impossible, Some(5400), A::Passed),
        ];
        for (renewal, seconds, expected) in table {
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                let end = seconds.map(|seconds| lab.clock.now() + TimeDelta::seconds(seconds));
                let mut lab = lab.clone();
                lab.operator = OperatorWatch::of(end, renewal);
                judge(&lab, ctx);
            });
            assert_eq!(judged.status(CREDENTIALS), expected, "{renewal:?} {seconds:?}");
        }
    }
}
