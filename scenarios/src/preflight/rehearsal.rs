//! The executor's own dry run, before anybody is asked for a go: one that cannot run on the node is
//! found here, and not when the go is used up. It changes nothing, which is proved: the ENI is the same
//! before and after.

use lab::Lab;
use lab::act::{ExecutorAnswer, ExecutorSilence};
use lab::ec2::{Answer, NetworkInterface};
use lab::node::Node;
use lab::shell::{Observe, ShellError};
use reports::record::{Kind, ResidueListed};
use serde_json::{Value, json};

use super::{EXECUTOR_DRY_RUN, EXECUTOR_READS};
use crate::baseline::{describe_changed_interface, restorable_fields};
use crate::capture::CaptureStep;
use crate::context::{Context, How, Ruling};
use crate::observe;
use crate::run::Executor;

type DryRunAnswer = Result<Answer<Result<ExecutorAnswer, ExecutorSilence>>, ShellError>;

pub async fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    executor: &Executor,
    before: &NetworkInterface,
) {
    let dry_run = |step: &CaptureStep| {
        Observe::executor_dry_run(&lab.manifest, &executor.program, &step.plan, executor.timeout)
    };
    let commands: Vec<_> = ctx.run.steps.iter().map(dry_run).collect();
    let asked = commands.iter().map(|command| lab.shell.observe(Node::RouterdCloud, command));
    let told = futures::future::join_all(asked).await;
    let after = observe::observe_interface(lab, ctx).await;
    said(ctx, told);
    let expected = restorable_fields(before);
    match after {
        Err((why, how)) => ctx.check(EXECUTOR_READS).expects(expected).seen(how).unknown(why),
        Ok((after, how)) => {
            let now = restorable_fields(&after);
            let left = describe_changed_interface(&lab.manifest.aws.region, before, Some(&after));
            let message = left.as_ref().map(|left| {
                format!(
                    "the executor's dry run changed the ENI: {}",
                    left.owner_commands.join("; ")
                )
            });
            let ruling = Ruling::when(now == expected, message);
            ctx.check(EXECUTOR_READS).expects(expected).seen(how).comes_to(now, ruling);
            // Nobody granted it, so that nobody may take it back but the owner.
            let items: Vec<_> = left.into_iter().collect();
            if !items.is_empty() {
                ctx.write(Kind::ResidueListed(ResidueListed { items, kept: Vec::new() }));
            }
        }
    }
}

/// Nobody runs a program on a lab of which something else is wrong or unknown.
pub fn leave_out(ctx: &mut Context<'_>) {
    for id in [EXECUTOR_DRY_RUN, EXECUTOR_READS] {
        let why = "not judged: something before it does not hold";
        ctx.check(id).seen(How::default()).skipped(Value::Null, why);
    }
}

/// An answer for each step, as the executor gives it to routerd.
fn said(ctx: &mut Context<'_>, told: Vec<DryRunAnswer>) {
    let messages: Vec<&String> = ctx.run.steps.iter().map(|step| &step.preview).collect();
    let expected = json!(messages);
    let (mut how, mut observed, mut wrong) = (How::default(), Vec::new(), Vec::new());
    for (told, message) in told.into_iter().zip(&messages) {
        let (read, one) = match observe::keep_answer(ctx, told) {
            Ok(seen) => seen,
            Err((why, one)) => {
                return ctx
                    .check(EXECUTOR_DRY_RUN)
                    .expects(expected)
                    .seen(how.and(one))
                    .unknown(why);
            }
        };
        how = how.and(one);
        let said = match read {
            Ok(answer) if answer.would(message) => {
                observed.push(answer.message);
                continue;
            }
            Ok(answer) => answer.to_string(),
            Err(silence) => silence.to_string(),
        };
        observed.push(said.clone());
        if !wrong.contains(&said) {
            wrong.push(said);
        }
    }
    let message = (!wrong.is_empty()).then(|| {
        let node = Node::RouterdCloud;
        format!(
            "on {node} the executor's dry run does not say what it would do: {}",
            wrong.join("; ")
        )
    });
    let ruling = Ruling::unless(message);
    ctx.check(EXECUTOR_DRY_RUN).expects(expected).seen(how).comes_to(json!(observed), ruling);
}

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario};

    fn read(told: lab::shell::NodeAnswer) -> DryRunAnswer {
        told.map(|answer| {
            let Answer { value, call, raw, form, attempts } = answer;
            Answer { value: ExecutorAnswer::read(&value), call, raw, form, attempts }
        })
    }

    /// How the executor ends and what it prints, for the assignment alone.
    #[test]
    fn only_an_answer_that_says_what_would_be_done_lets_the_owner_be_asked() {
        let answer = |status: &str, message: &str| {
            json!({ "status": { "status": status, "message": message, "error": "the CLI's words" } })
                .to_string()
        };
        let table = [
            (true, 0, "succeeded", A::Passed, ""),
            (true, 0, "failed", A::Failed, "the CLI's words"),
            (true, 1, "succeeded", A::Failed, "exit code 1"),
            (false, 0, "succeeded", A::Failed, "(succeeded)"),
        ];
        for (right, code, status, expected, says) in table {
            let judged = judge_as_scenario("preflight", async |_, ctx| {
                let [assign, forwarding] = &ctx.run.steps[..] else { panic!("two steps") };
                let first = if right { &assign.preview } else { "would do more" };
                let told = [
                    example_answer(code, &answer(status, first), ""),
                    example_answer(0, &answer("succeeded", &forwarding.preview), ""),
                ];
                said(ctx, told.map(read).into());
            });
            assert_eq!(judged.status(EXECUTOR_DRY_RUN), expected, "{right} {code} {status}");
            if expected != A::Passed {
                assert!(judged.message(EXECUTOR_DRY_RUN).contains(says), "{right} {code} {status}");
            }
        }
        let judged = judge_as_scenario("preflight", async |_, ctx| {
            said(
                ctx,
                [example_answer(127, "", "aws: not found"), example_silence()].map(read).into(),
            );
        });
        assert_eq!(judged.status(EXECUTOR_DRY_RUN), A::Unknown);
    }
}
