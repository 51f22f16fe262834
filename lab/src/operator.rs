//! Who asks EC2 for the lab, as far as a run has to know: until when, and whether others can be had
//! before; and what is to be recorded of that.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use reports::record::{Kind, Renewal};

/// The state of the operator's credentials. The SDK's tasks write it, a run reads it.
#[derive(Clone, Debug)]
pub struct OperatorWatch(Arc<Mutex<OperatorState>>);

/// The credentials that are in use, without what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorState {
    /// None where they have no end, or nobody says which.
    pub expires_at: Option<DateTime<Utc>>,
    pub renewal: Renewal,
    /// Why they could not be renewed. Nothing takes it back: a run that was told to end ends.
    pub lost: Option<String>,
}

impl Default for OperatorWatch {
    /// The watch over credentials that have no end.
    fn default() -> Self {
        Self::of(None, Renewal::NotNeeded)
    }
}

impl OperatorWatch {
    /// The watch over credentials that end then, and can be renewed so.
    pub fn of(expires_at: Option<DateTime<Utc>>, renewal: Renewal) -> Self {
        Self(Arc::new(Mutex::new(OperatorState { expires_at, renewal, lost: None })))
    }

    /// The credentials' state now.
    pub fn read(&self) -> OperatorState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others were had.
    pub fn renewed(&self, expires_at: Option<DateTime<Utc>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).expires_at = expires_at;
    }

    /// None could be had; the first reason counts.
    pub fn lost(&self, why: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost.get_or_insert(why);
    }
}

/// Records that somebody below the run has for its journal: who asks, where a node was found.
#[derive(Clone, Debug, Default)]
pub struct Notices(Rc<RefCell<Vec<Kind>>>);

impl Notices {
    /// Adds a record for the journal.
    pub fn add(&self, kind: Kind) {
        self.0.borrow_mut().push(kind);
    }

    /// All that came since the last time.
    pub fn take(&self) -> Vec<Kind> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_whatever_is_renewed_later() {
        let watch = OperatorWatch::default();
        watch.lost("ExpiredToken".to_owned());
        watch.lost("another".to_owned());
        watch.renewed(Some(DateTime::UNIX_EPOCH));
        let state = watch.read();
        assert_eq!(state.lost.as_deref(), Some("ExpiredToken"));
        assert_eq!(state.expires_at, Some(DateTime::UNIX_EPOCH));
    }
}
