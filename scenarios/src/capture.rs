//! The runbook's actions on the lab's ENI, as one list of steps in the order of the change set. All
//! that import, approve, dry-run, execute, undo and resume know of an action stands here: none of
//! them counts the actions or tells one from another.

use lab::change_set::{ActionPlan, CaptureAction, ChangeSet};
use reports::record::Goal;

use crate::undo_plan::{UNDO_ADDRESS, UNDO_FORWARDING};
use crate::{approve, dry_run, execute, import, undo};

/// One action of the change set, from its plan to its undo.
#[derive(Clone, Debug)]
pub struct CaptureStep {
    pub action: CaptureAction,
    /// The plan of it that routerd is to have: the row is found by its key.
    pub plan: ActionPlan,
    /// The executor's words before it does it.
    pub preview: String,
    /// The step of the undo plan that takes it back.
    pub undo: String,
    /// Where several addresses are captured, each is judged under the same ids: a scenario fails
    /// where one of them does.
    pub asserts: &'static StepAsserts,
}

/// The ids under which a step is judged, each of the scenario that its prefix names.
#[derive(Debug)]
pub struct StepAsserts {
    pub pending: &'static str,
    pub approved: &'static str,
    pub previewed: &'static str,
    pub succeeded: &'static str,
    pub on_eni: &'static str,
    pub undo_previewed: &'static str,
    pub undone: &'static str,
}

static ASSIGN: StepAsserts = StepAsserts {
    pending: import::ASSIGN,
    approved: approve::ASSIGN,
    previewed: dry_run::ASSIGN,
    succeeded: execute::ASSIGN_ROW,
    on_eni: execute::ASSIGN_ENI,
    undo_previewed: undo::PREVIEW_ADDRESS,
    undone: undo::ADDRESS,
};

static FORWARDING: StepAsserts = StepAsserts {
    pending: import::FORWARDING,
    approved: approve::FORWARDING,
    previewed: dry_run::FORWARDING,
    succeeded: execute::FORWARDING_ROW,
    on_eni: execute::FORWARDING_ENI,
    undo_previewed: undo::PREVIEW_FORWARDING,
    undone: undo::FORWARDING,
};

impl CaptureStep {
    /// The ENI as it looks once the action is done.
    pub fn goal(&self) -> Goal {
        self.action.goal()
    }

    /// The key of its row.
    pub fn key(&self) -> &str {
        &self.plan.idempotency_key
    }
}

/// The steps of a change set. They are made once for a run, which keeps them.
pub fn capture_steps(change_set: &ChangeSet) -> Vec<CaptureStep> {
    let step = |action| CaptureStep {
        action,
        plan: change_set.plan(action),
        preview: preview_of(change_set, action),
        undo: undo_of(change_set, action),
        asserts: match action {
            CaptureAction::Assign(_) => &ASSIGN,
            CaptureAction::Forwarding => &FORWARDING,
        },
    };
    change_set.actions().into_iter().map(step).collect()
}

fn preview_of(change_set: &ChangeSet, action: CaptureAction) -> String {
    match action {
        CaptureAction::Assign(address) => {
            let verb = if change_set.allow_reassignment { "seize/reassign" } else { "assign" };
            format!("would {verb} {} to {}", address.addr(), change_set.network_interface_id)
        }
        CaptureAction::Forwarding => "would set SourceDestCheck=false".to_owned(),
    }
}

/// Each address has an undo step of its own; the first one's id names no address.
fn undo_of(change_set: &ChangeSet, action: CaptureAction) -> String {
    match action {
        CaptureAction::Assign(address) if change_set.addresses().first() == Some(&address) => {
            UNDO_ADDRESS.to_owned()
        }
        CaptureAction::Assign(address) => format!("{UNDO_ADDRESS}:{}", address.addr()),
        CaptureAction::Forwarding => UNDO_FORWARDING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::example::change_set;
    use crate::sequence::find_scenario;

    #[test]
    fn each_step_has_ids_of_its_own_in_the_tables_of_their_scenarios() {
        let steps = capture_steps(&change_set());
        let plans: Vec<_> = steps.iter().map(|step| step.plan.clone()).collect();
        assert_eq!(plans, change_set().plans());
        let undo: BTreeSet<_> = steps.iter().map(|step| &step.undo).collect();
        assert_eq!(undo.len(), steps.len());
        let change_set = change_set();
        let first = change_set.addresses()[0];
        let other = "10.88.60.8/32".parse().expect("an address");
        assert_eq!(undo_of(&change_set, CaptureAction::Assign(first)), UNDO_ADDRESS);
        let named = format!("{UNDO_ADDRESS}:10.88.60.8");
        assert_eq!(undo_of(&change_set, CaptureAction::Assign(other)), named);
        let mut seen = BTreeSet::new();
        for step in &steps {
            let StepAsserts {
                pending,
                approved,
                previewed,
                succeeded,
                on_eni,
                undo_previewed,
                undone,
            } = step.asserts;
            let ids = [pending, approved, previewed, succeeded, on_eni, undo_previewed, undone];
            for id in ids {
                let (scenario, _) = id.split_once('.').expect("an id");
                let scenario = find_scenario(scenario).expect("a scenario");
                assert!(scenario.asserts.contains(id) && seen.insert(*id), "{id}");
            }
        }
    }
}
