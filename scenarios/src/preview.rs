//! Answers of routerctl's dry-runs, of an execution as of a rollback: one rule for both. A refusal in
//! words that are known is an answer, and the wrong one; what is lost or not understood is unknown.

use lab::routerd::{Previewed, RowStatus};
use serde_json::json;

use crate::context::{Context, How, Ruling};
use crate::observe::{self, Readout};

pub enum Preview {
    Said(Previewed, How),
    Refused(String, How),
    Unread(String, How),
}

pub fn read(ctx: &mut Context<'_>, asked: Readout<Previewed>) -> Preview {
    match observe::keep_answer(ctx, asked) {
        Err((why, how)) => Preview::Unread(why, how),
        Ok((Ok(preview), how)) => Preview::Said(preview, how),
        Ok((Err(error), how)) if error.refusal().is_some() => {
            Preview::Refused(error.to_string(), how)
        }
        Ok((Err(error), how)) => Preview::Unread(error.to_string(), how),
    }
}

/// The preview says that this would be done, in these words.
pub fn judge(ctx: &mut Context<'_>, id: &'static str, message: &str, preview: Preview) {
    let expected = json!({ "status": "succeeded", "message": message });
    match preview {
        Preview::Said(preview, how) => {
            let holds = preview.status == RowStatus::Succeeded
                && preview.message.as_deref() == Some(message);
            let observed = json!({ "status": preview.status, "message": preview.message });
            let said = format!("the preview says: {}", preview.message.unwrap_or_default());
            ctx.check(id).expects(expected).seen(how).comes_to(observed, Ruling::when(holds, said));
        }
        Preview::Refused(why, how) => {
            ctx.check(id).expects(expected).seen(how).fails(json!("refused"), why);
        }
        Preview::Unread(why, how) => ctx.check(id).expects(expected).seen(how).unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use lab::shell::Observe;
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    const ID: &str = "dry-run.assign";

    /// A refusal in words that are known is an answer, and the wrong one.
    #[test]
    fn what_a_preview_comes_to() {
        let said = |status: &str, message: &str| {
            let note = "preview only \u{2014} journal lifecycle unchanged; approval not consumed";
            example_answer(0, &format!("action 1 dry-run: {status} ({message})\n({note})\n"), "")
        };
        let refused = example_answer(1, "", "action 1 not found");
        let table = [
            (said("succeeded", "would do it"), A::Passed),
            (said("succeeded", "would do more"), A::Failed),
            (said("skipped", "would do it"), A::Failed),
            (refused, A::Failed),
            (example_answer(1, "", "what?"), A::Unknown),
            (example_silence(), A::Unknown),
        ];
        for (answer, expected) in table {
            let shown = format!("{answer:?}");
            let judged = judge_as_scenario("dry-run", async |lab, ctx| {
                let command = Observe::execute_dry_run(&lab.manifest.routerd, 1);
                let preview = read(ctx, read_by(&command, answer));
                judge(ctx, ID, "would do it", preview);
            });
            assert_eq!(judged.status(ID), expected, "{shown}");
        }
    }
}
