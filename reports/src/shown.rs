//! The view that a run's journal gives of what is asked for and granted, with every digest computed
//! again from what is shown. A chain that verifies proves order alone: whoever writes a journal
//! anew can show other facts or another plan beside a digest that somebody signs.

use serde_json::{Value, json};
use thiserror::Error;

use crate::digest::Digest;
use crate::record::{FactsRecorded, GoBurnt, GoVerified, Kind, Record, UndoPlanned};

/// The last of each, where the journal has one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    pub facts: Option<&'a FactsRecorded>,
    pub plan: Option<&'a UndoPlanned>,
    /// Its undo plan is `plan`.
    pub verified: Option<&'a GoVerified>,
    /// Its go is `verified`'s.
    pub burnt: Option<Burnt<'a>>,
}

/// A burnt go, and its record.
#[derive(Clone, Copy, Debug)]
pub struct Burnt<'a> {
    pub go: &'a GoBurnt,
    pub record: &'a Record,
}

impl<'a> Shown<'a> {
    /// The change set that the facts were recorded for.
    pub fn change_set(&self) -> Option<&'a Value> {
        self.facts.map(|facts| &facts.change_set)
    }

    /// The plan that a go which was verified grants; none before there is one.
    pub fn granted_plan(&self) -> Option<&'a UndoPlanned> {
        self.plan.filter(|_| self.verified.is_some())
    }
}

/// A record says another digest than that of what it shows: it was changed by hand.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "journal line {line} ({kind}): {what} has the digest {shown}, and the record says {said}: one \
     of the two was changed, so that nothing of this journal is shown or done"
)]
pub struct Differs {
    /// From 1.
    pub line: u64,
    pub kind: &'static str,
    pub what: &'static str,
    pub shown: Digest,
    pub said: Digest,
}

/// Reads what is asked for and granted, and computes each digest again.
///
/// # Errors
/// The first record whose digest is not that of what is shown.
pub fn read_shown(records: &[Record]) -> Result<Shown<'_>, Differs> {
    let mut shown = Shown::default();
    for record in records {
        shown.take(record)?;
    }
    Ok(shown)
}

/// The digest of a plan's steps, which a go signs.
pub fn plan_digest(plan: &UndoPlanned) -> Digest {
    Digest::of_json(&json!(plan.steps))
}

impl<'a> Shown<'a> {
    fn take(&mut self, record: &'a Record) -> Result<(), Differs> {
        let line = record.seq + 1;
        let differs = |kind, what, shown: Digest, said: &Digest| {
            let said = said.clone();
            if shown == said { Ok(()) } else { Err(Differs { line, kind, what, shown, said }) }
        };
        match &record.kind {
            Kind::FactsRecorded(facts) => {
                let of_facts = Digest::of_json(&json!(facts.facts));
                differs("facts-recorded", "the facts", of_facts, &facts.facts_digest)?;
                let of_lab = Digest::of_json(&json!(facts.lab));
                differs("facts-recorded", "the lab", of_lab, &facts.lab_fingerprint)?;
                self.facts = Some(facts);
            }
            Kind::UndoPlanned(plan) => {
                differs("undo-planned", "the undo plan", plan_digest(plan), &plan.digest)?;
                self.plan = Some(plan);
            }
            Kind::GoVerified(go) => {
                let plan = self.plan.map_or_else(Digest::zero, |plan| plan.digest.clone());
                differs("go-verified", "the undo plan", plan, &go.undo_plan_digest)?;
                self.verified = Some(go);
            }
            Kind::GoBurnt(go) => {
                let verified = self.verified.map_or_else(Digest::zero, |go| go.go_digest.clone());
                differs("go-burnt", "the go that was verified", verified, &go.go_digest)?;
                self.burnt = Some(Burnt { go, record });
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use crate::sample::{pending_run, whole_run};

    fn change(records: &mut [Record], change: impl Fn(&mut Kind)) {
        for record in records {
            change(&mut record.kind);
        }
    }

    #[test]
    fn what_a_run_wrote_is_shown_and_nothing_differs() {
        let records = whole_run().records();
        let shown = read_shown(&records).expect("all digests are right");
        assert!(shown.facts.is_some());
        assert_eq!(shown.change_set(), shown.facts.map(|facts| &facts.change_set));
        assert_eq!(shown.granted_plan(), shown.plan);
        assert!(
            shown.burnt.is_some_and(|burnt| burnt.record.kind == Kind::GoBurnt(burnt.go.clone()))
        );
        let pending = pending_run().records();
        let shown = super::read_shown(&pending).expect("all digests are right");
        assert!(shown.plan.is_some() && shown.granted_plan().is_none() && shown.burnt.is_none());
        assert!(super::read_shown(&[]).expect("nothing differs").plan.is_none());
    }

    /// Each way to show something else than what is signed, and the record that is named.
    #[test]
    fn whatever_is_changed_beside_its_digest_is_named() {
        type Change = fn(&mut Kind);
        let table: &[(&str, &str, Change)] = &[
            ("facts-recorded", "the facts", |kind| {
                if let Kind::FactsRecorded(it) = kind {
                    it.facts.interface["network_interface_id"] = "eni-other".into();
                }
            }),
            ("facts-recorded", "the lab", |kind| {
                if let Kind::FactsRecorded(it) = kind {
                    it.lab.account_id = "210987654321".into();
                }
            }),
            ("undo-planned", "the undo plan", |kind| {
                if let Kind::UndoPlanned(it) = kind {
                    it.steps.clear();
                }
            }),
            ("undo-planned", "the undo plan", |kind| {
                if let Kind::UndoPlanned(it) = kind {
                    let (instance_id, region) = ("i-1".into(), "eu-central-1".into());
                    it.steps[0].operation = Operation::TerminateInstance { instance_id, region };
                }
            }),
            ("go-verified", "the undo plan", |kind| {
                if let Kind::UndoPlanned(it) = kind {
                    it.steps.clear();
                    it.digest = plan_digest(it);
                }
            }),
            ("go-burnt", "the go that was verified", |kind| {
                if let Kind::GoVerified(it) = kind {
                    it.go_digest = Digest::of("another");
                }
            }),
        ];
        for (kind, what, edit) in table {
            let mut records = whole_run().records();
            change(&mut records, edit);
            let differs = read_shown(&records).expect_err(what);
            assert_eq!((differs.kind, differs.what), (*kind, *what));
            let line = usize::try_from(differs.line).expect("small");
            let named = serde_json::to_value(&records[line - 1]).expect("JSON");
            assert_eq!(named["kind"], *kind, "{differs}");
        }
    }
}
