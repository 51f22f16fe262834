//! Changes something before there is a go, in a build for the tests: I1 is shown to be missed.

use chrono::{DateTime, Utc};
use reports::journal::Writer;
use reports::record::{Effect, Outcome};

use super::files::Created;
use super::{Acted, Mutation, record_outcome};
use crate::Lab;
use crate::permit::Permit;
use crate::sabotage::Sabotage;
use crate::shell::NODE_FOLDER;

impl Lab {
    /// Does what [`Sabotage::ActsBeforeTheGo`] does; nothing where it was not asked for.
    pub async fn act_before_the_go(&self, journal: &Writer) {
        if !self.is_sabotaged(Sabotage::ActsBeforeTheGo) {
            return;
        }
        let path = format!("{NODE_FOLDER}/before-the-go");
        let effect = Effect::PutChangeSet { path: path.clone(), contents: String::new() };
        let mutation = Mutation { scenario: "preflight", effect, undo: None };
        if let Ok(intent) = mutation.begin(self, &NoPermit, journal) {
            let outcome = match self.create(&path, "").await {
                Created::Ours => Outcome::Done,
                _ => Outcome::NotDone,
            };
            let detail = "sabotage".to_owned();
            record_outcome(
                self,
                journal,
                &intent,
                Acted { outcome, detail, samples: Vec::new(), value: () },
            );
        }
    }
}

/// The permit that [`Sabotage::ActsBeforeTheGo`] acts with.
struct NoPermit;

impl Permit for NoPermit {
    fn kind(&self) -> reports::record::Permit {
        reports::record::Permit::Forward
    }

    fn check(&self, _now: DateTime<Utc>) -> Result<(), crate::permit::PermitRefused> {
        Ok(())
    }

    fn needs_record(&self) -> bool {
        false
    }
}
