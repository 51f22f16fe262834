//! The lock's lease, renewed for as long as the run holds the lock: who cannot see the run's process
//! takes it for alive until the lease ends.

use lab::Lab;
use lab::act::{Holder, LockState, RENEWAL};
use lab::permit::Release;
use reports::record::{Interrupted, Kind};

use super::Engine;

impl Engine<'_> {
    /// Renews the lease while `work` goes on. A renewal that was begun is ended first.
    pub(super) async fn while_renewing<T>(&self, work: impl Future<Output = T>) -> T {
        let (work, renewing) = (std::pin::pin!(work), Box::pin(self.renew()));
        match futures::future::select(work, renewing).await {
            futures::future::Either::Left((done, _)) => done,
            futures::future::Either::Right(((), work)) => work.await,
        }
    }

    /// Ends once the lock is another's.
    async fn renew(&self) {
        loop {
            self.lab.clock.sleep(RENEWAL).await;
            let _renewing = self.renewing.lock().await;
            if !self.run.state.borrow().lock_taken {
                continue;
            }
            self.renew_switches().await;
            if let Some(other) = self.renew_once().await {
                // Forward work ends; what was begun is undone.
                self.run.brake.pull();
                let signal = format!("the loss of the lab's lock to run {}", other.run_id);
                self.record(Kind::Interrupted(Interrupted { signal }));
                return;
            }
        }
    }

    /// Answers who else holds the lock by now.
    async fn renew_once(&self) -> Option<Holder> {
        let permit = self.run.forward().map(|forward| Release::from(forward.as_ref()));
        let permit = permit.or_else(|| Release::of_run(self.journal))?;
        match self.lab.renew_lock(&permit, self.journal, &self.run.id).await {
            Ok(acted) => acted.value.filter(|holder| holder.run_id != self.run.id),
            Err(error) => {
                tracing::error!(%error, "the lab's lock could not be renewed");
                None
            }
        }
    }
}

/// Who holds the lab for this run, where its lease has not ended by the node's clock, the only one
/// that counts: a process that cannot be seen from here is alive. Where the node does not say what
/// time it is, nobody can tell that the lease has ended.
pub async fn find_live_holder(lab: &Lab, run_id: &str) -> Option<Holder> {
    let LockState::Own(holder) = lab.lock_state(run_id).await else { return None };
    let ended = lab.node_time().await.is_some_and(|now| now >= holder.lease_until);
    (!ended).then_some(holder)
}
