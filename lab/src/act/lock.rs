//! Whose the lab's lock is, and the clock that its lease counts by.

use chrono::{DateTime, Utc};

use super::Holder;
use crate::Lab;
use crate::node::{Node, Output};
use crate::shell::Observe;

/// The lock as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    Own(Holder),
    Free,
    /// Another run's, whether or not its lease has ended: that frees nothing by itself.
    Other(Holder),
    /// With the reason.
    Unread(String),
}

impl LockState {
    /// From the answer to `cat` of the lock's file.
    pub(crate) fn read(output: &Output, run_id: &str) -> Self {
        if output.code != 0 {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let absent = said.contains("No such file");
            return if absent { Self::Free } else { Self::Unread(said) };
        }
        match serde_json::from_slice::<Holder>(&output.stdout) {
            Ok(holder) if holder.run_id == run_id => Self::Own(holder),
            Ok(holder) => Self::Other(holder),
            Err(error) => Self::Unread(format!("it cannot be understood: {error}")),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {} until {}", self.run_id, self.lease_until)
    }
}

impl Lab {
    /// The lock as it is now.
    pub async fn lock_state(&self, run_id: &str) -> LockState {
        match self.shell.observe(Node::RouterdCloud, &Observe::lock(run_id)).await {
            Ok(answer) => answer.value,
            Err(error) => LockState::Unread(error.to_string()),
        }
    }

    /// The same, asked a second time where the first answer was lost.
    pub(super) async fn lock_state_or_again(&self, run_id: &str) -> LockState {
        match self.lock_state(run_id).await {
            LockState::Unread(_) => self.lock_state(run_id).await,
            read => read,
        }
    }

    /// The time by routerd-cloud's clock, where the node says it.
    pub async fn node_time(&self) -> Option<DateTime<Utc>> {
        self.shell.observe(Node::RouterdCloud, &Observe::clock()).await.ok()?.value.ok()
    }

    /// When a lease begins that is written now: by the clock of the node that keeps it, so that it
    /// is the same for whoever looks, with whatever clock.
    pub(super) async fn lease_begins(&self) -> DateTime<Utc> {
        self.node_time().await.unwrap_or_else(|| self.clock.now())
    }
}
