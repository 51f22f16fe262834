//! routerd rolls back what its row says by then, whoever wrote it: so the row is compared with the
//! change set that the owner granted, at first and again just before its rollback.

use lab::Lab;
use lab::routerd::{Row, RowStatus};
use serde_json::json;

use super::{GRANTED, StepToUndo};
use crate::context::{Context, How};
use crate::{approve, observe, stops};

/// The findings about the rows so far.
#[derive(Default)]
pub(super) struct Rows {
    /// How often a row was what the owner granted.
    same: u32,
    /// A row was another: said once.
    other: bool,
    /// The rows that were read and since which nothing was done.
    just_read: Option<(Vec<Row>, How)>,
}

impl Rows {
    /// The first look, before anything is taken back.
    pub fn look(&mut self, ctx: &mut Context<'_>, steps: &[StepToUndo], rows: &[Row], how: &How) {
        for step in steps {
            self.judge(ctx, step, rows, how);
        }
        self.just_read = Some((rows.to_vec(), how.clone()));
    }

    /// Compares the step's row, where routerd would roll it back; true where that is so, and it is
    /// the run's.
    pub fn judge(
        &mut self,
        ctx: &mut Context<'_>,
        step: &StepToUndo,
        rows: &[Row],
        how: &How,
    ) -> bool {
        let row = step.row_id.and_then(|id| observe::row_with(rows, id));
        let Some(row) = row.filter(|row| row.status == RowStatus::Succeeded) else { return false };
        let plan = &step.capture.plan;
        let expected =
            json!({ "key": plan.idempotency_key, "row": approve::as_executed(&json!(plan)) });
        let observed = json!({ "key": row.idempotency_key, "row": approve::row_as_executed(row) });
        let same = expected == observed;
        let message = format!(
            "row {} is not what the owner granted any more: routerd would roll back something else",
            row.id
        );
        let found = (!same && !self.other).then_some(message);
        if let Some(why) = &found {
            ctx.check(GRANTED).expects(expected).seen(how.clone()).fails(observed, why);
        }
        self.same += u32::from(same);
        self.other |= !same;
        ctx.stop(&stops::FOREIGN_PLAN, found, "routerd's journal");
        same
    }

    /// Looks at the row just before its rollback; or says why routerd is not asked.
    pub async fn may_be_rolled_back(
        &mut self,
        lab: &Lab,
        ctx: &mut Context<'_>,
        step: &StepToUndo,
    ) -> Result<(), String> {
        let read = match self.just_read.take() {
            Some(read) => Ok(read),
            None => observe::observe_rows(lab, ctx).await,
        };
        let (rows, how) = read.map_err(|(why, _)| format!("the row cannot be read: {why}"))?;
        if self.judge(ctx, step, &rows, &how) {
            return Ok(());
        }
        let row = step.row_id.and_then(|id| observe::row_with(&rows, id));
        Err(match row {
            Some(row) if row.status == RowStatus::Succeeded => {
                format!("row {} is not what the owner granted any more", row.id)
            }
            Some(row) => format!("row {} is {}", row.id, row.status),
            None => "the run has no such row".to_owned(),
        })
    }

    /// Judges what no row has spoiled.
    pub fn end(&self, ctx: &mut Context<'_>) {
        let how = How::words("routerctl action list, before each rollback");
        if self.same > 0 && !self.other {
            let expected = json!("the change set");
            ctx.check(GRANTED).expects(expected.clone()).seen(how).passes(expected);
        } else if !self.other {
            let why = "no row of the run succeeded: routerd has nothing to roll back";
            ctx.check(GRANTED).seen(how).skipped(json!(null), why);
        }
    }
}
