//! One command for a node and a phase; all nodes at once.

use std::cell::Cell;
use std::rc::Rc;

use futures::future::join_all;
use lab::Lab;
use lab::node::Node;
use lab::shell::{NodeAnswer, NodeFrames, Observe, Unread};
use tokio::sync::Notify;

use super::NodeState;
use crate::context::Context;
use crate::observe::{self, Fact};
use crate::run::Run;

/// A node's answer to one look.
pub type NodeLook = NodeAnswer<Result<NodeFrames, Unread>>;

/// A node's state, or why it is not known.
pub type Looked = Fact<NodeState>;

/// Looks that several scenarios share, and which of the acceptance's still run.
#[derive(Default)]
pub struct Looks {
    acceptance: futures::lock::Mutex<Option<Rc<Vec<NodeLook>>>>,
    running: Cell<usize>,
    one_ended: Notify,
}

impl Looks {
    /// So many scenarios begin to look at the same time.
    pub fn begin(&self, scenarios: usize) {
        self.running.set(scenarios);
    }

    /// One of them has ended.
    pub fn end_one(&self) {
        self.running.set(self.running.get().saturating_sub(1));
        self.one_ended.notify_waiters();
    }

    /// Waits until nobody but who asks is looking any more.
    pub async fn are_over(&self) {
        while self.running.get() > 1 {
            self.one_ended.notified().await;
        }
    }
}

/// Sends the command; [`read`] reads its answer.
pub async fn ask_node(lab: &Lab, node: Node) -> NodeLook {
    lab.shell.observe(node, &Observe::node_state(&[])).await
}

pub async fn ask_all(lab: &Lab) -> Vec<NodeLook> {
    join_all(Node::ALL.map(|node| ask_node(lab, node))).await
}

/// Keeps the raw answer.
pub fn read_look(ctx: &mut Context<'_>, told: NodeLook) -> Looked {
    let (frames, how) = observe::keep_reading(ctx, told)?;
    match NodeState::read(&frames) {
        Ok(state) => Ok((state, how)),
        Err(why) => Err((why, how)),
    }
}

pub async fn look_at_node(lab: &Lab, ctx: &mut Context<'_>, node: Node) -> Looked {
    let told = ask_node(lab, node).await;
    read_look(ctx, told)
}

/// The answers of all nodes, in the order of [`Node::ALL`]: whoever comes first asks for all who want
/// to know.
pub async fn at_acceptance(lab: &Lab, run: &Run) -> Rc<Vec<NodeLook>> {
    let looks = run.state.borrow().looks.clone();
    let mut kept = looks.acceptance.lock().await;
    match kept.as_ref() {
        Some(all) => all.clone(),
        None => kept.insert(Rc::new(ask_all(lab).await)).clone(),
    }
}

/// Keeps the raw answers.
pub fn read_all(ctx: &mut Context<'_>, told: &[NodeLook]) -> Vec<Looked> {
    told.iter().map(|told| read_look(ctx, told.clone())).collect()
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn the_looks_are_over_once_nobody_but_who_asks_is_looking() {
        let looks = Looks::default();
        looks.are_over().await;
        looks.begin(3);
        let mut over = std::pin::pin!(looks.are_over());
        assert!(poll!(over.as_mut()).is_pending());
        looks.end_one();
        assert!(poll!(over.as_mut()).is_pending());
        looks.end_one();
        assert!(poll!(over.as_mut()).is_ready());
        looks.end_one();
        looks.end_one();
        looks.are_over().await;
    }
}
