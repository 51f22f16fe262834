//! routerctl's own release: one that the contract does not cover behaves as nobody has looked up.

use lab::Lab;
use lab::routerd::RouterdRelease;
use lab::shell::{NodeAnswer, RouterctlVersion, Unread};
use serde_json::json;

use crate::context::{Context, Ruling};
use crate::observe;
use crate::preflight::VERSION;

/// Judges the answer; answers routerctl's own words.
pub fn judge_version(
    lab: &Lab,
    ctx: &mut Context<'_>,
    told: NodeAnswer<Result<RouterctlVersion, Unread>>,
) -> Option<String> {
    let (first, last) = (RouterdRelease::FIRST, RouterdRelease::LAST);
    let expected = json!({ "from": first.to_string(), "to": last.to_string() });
    let (RouterctlVersion { said, release }, how) = match observe::keep_reading(ctx, told) {
        Ok(seen) => seen,
        Err((why, how)) => {
            ctx.check(VERSION).expects(expected).seen(how).unknown(why);
            return None;
        }
    };
    let message = match release {
        Some(release) if release.is_covered() => None,
        Some(release) => Some(format!("is {release}")),
        None => Some(format!("says `{said}`, which names no release")),
    };
    let routerctl = &lab.manifest.routerd.routerctl;
    let message = message.map(|what| {
        format!(
            "{routerctl} {what}; how routerd behaves is known from {first} to {last} alone, and what \
             upstream recommends as stable is older: install {last}"
        )
    });
    ctx.check(VERSION).expects(expected).seen(how).comes_to(json!(said), Ruling::unless(message));
    Some(said)
}

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus as A;

    use lab::shell::Observe;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    #[test]
    fn only_a_release_that_was_read_passes() {
        let table = [
            (example_answer(0, "routerctl v20260822.1715\n", ""), A::Passed),
            (example_answer(0, "routerctl v20260512.0633\n", ""), A::Failed),
            (example_answer(0, "routerctl v20270101.0000\n", ""), A::Failed),
            (example_answer(0, "routerctl dev\n", ""), A::Failed),
            (example_answer(1, "", "unknown command version"), A::Unknown),
            (example_silence(), A::Unknown),
        ];
        for (told, status) in table {
            let shown = format!("{told:?}");
            let judged = judge_as_scenario("preflight", async |lab, ctx| {
                let command = Observe::routerctl_version(&lab.manifest.routerd);
                judge_version(lab, ctx, read_by(&command, told));
            });
            assert_eq!(judged.status(VERSION), status, "{shown}");
            let remedy = judged.message(VERSION).contains("install v20260822.1715");
            assert_eq!(remedy, status == A::Failed, "{shown}");
        }
    }
}
