//! What the lab itself has to say to a run: who asks, where a node was found, and that the operator's
//! credentials could not be renewed. Then nothing more is begun.

use reports::record::{Kind, OperatorLost};

use super::Engine;

impl Engine<'_> {
    pub(super) fn hear_from_below(&self) {
        for kind in self.lab.notices.take() {
            self.record(kind);
        }
        let state = self.lab.operator.read();
        let Some(why) = state.lost.filter(|_| !self.has_said_so()) else { return };
        self.run.brake.pull();
        let run = &self.run.id;
        let next = if self.run.state.borrow().burnt { "recover" } else { "resume" };
        self.record(Kind::OperatorLost(OperatorLost {
            why,
            expires_at: state.expires_at,
            owner_commands: vec![
                "aws sts get-caller-identity".to_owned(),
                format!("lab-smoke {next} {run}"),
            ],
        }));
    }

    /// Since this command has credentials at all.
    fn has_said_so(&self) -> bool {
        self.journal.with_records(|records| {
            let last = records.iter().rev().find_map(|record| match record.kind {
                Kind::OperatorLost(_) => Some(true),
                Kind::OperatorIdentified(_) | Kind::RecoveryStarted(_) => Some(false),
                _ => None,
            });
            last.unwrap_or(false)
        })
    }
}
