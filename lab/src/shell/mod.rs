//! The harness's way to a node: read-only commands for everyone, actions for who has a permit.

mod action;
mod echo;
mod follow;
mod hashing;
mod observe;
mod readiness;
mod readings;
pub mod ssh;
mod switch;

pub use action::{Action, NODE_FOLDER};
pub use echo::{CanaryAnswer, PingReport, RoundTripMs, SniffedEchoes};
pub use follow::{Heard, Stream};
pub use hashing::{FileIdentity, HashedFile, Hashing, IDENTITY_FORMAT};
pub use observe::Observe;
pub use readiness::NodeReadiness;
pub use readings::{NodeRehearsal, Unread};
pub use switch::{CHECK_SWITCH, SwitchUnit};
pub(crate) use switch::{SWITCH, SwitchSeen};

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::clock::Clock;
use crate::ec2::Answer;
use crate::node::{Node, Output};

/// `env -i` with what routerd gives its executor: a PATH, and `spec.env` of the plugin.
fn as_executor(env: &BTreeMap<String, String>) -> Vec<String> {
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut argv: Vec<String> = ["sudo", "-n", "env", "-i", path].map(str::to_owned).into();
    argv.extend(env.iter().map(|(name, value)| format!("{name}={value}")));
    argv
}

/// The answer to a command, as the command reads it; an error where nobody answered.
pub type NodeAnswer<T = Output> = Result<Answer<T>, ShellError>;

/// How a command reaches a node.
pub trait Transport {
    fn run<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>>;

    /// Runs a command without input and tells what it says as it comes; answers its exit code.
    /// Where this is dropped nobody listens any more.
    fn follow<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        heard: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>>;

    /// The node starts anew: an open connection to it leads nowhere, and it may be somewhere else.
    fn forget(&self, _node: Node) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// An error of the transport, by whether the command was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The command was never sent.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// Who answers has another host key than the pinned one: nothing was said to it.
    #[error("is another machine: {0}")]
    OtherHostKey(String),
    /// The connection broke after the command was sent: it may have run, or run still.
    #[error("lost the connection: {0}")]
    Lost(String),
}

/// A command without an answer: where it was to run, its words, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node}: `{command}`: {why}")]
pub struct ShellError {
    pub node: Node,
    pub command: String,
    pub why: Failure,
}

/// The reason why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Transport(TransportError),
    #[error("no answer after {0:?}")]
    TimedOut(Duration),
}

impl Failure {
    /// The transport's words on what was found instead of the node, where its host key is not the
    /// pinned one.
    pub fn other_host_key(&self) -> Option<&str> {
        match self {
            Self::Transport(TransportError::OtherHostKey(why)) => Some(why),
            Self::Transport(_) | Self::TimedOut(_) => None,
        }
    }

    /// Whether the command certainly did not run.
    pub fn never_sent(&self) -> bool {
        matches!(
            self,
            Self::Transport(TransportError::Unreachable(_) | TransportError::OtherHostKey(_))
        )
    }
}

/// The four nodes.
#[derive(Clone)]
pub struct Shell {
    transport: Rc<dyn Transport>,
    clock: Clock,
    calls: Rc<Cell<u32>>,
}

impl Shell {
    /// The shells of the nodes that `transport` reaches; `clock` measures the time limits.
    pub fn new(transport: Rc<dyn Transport>, clock: Clock) -> Self {
        Self { transport, clock, calls: Rc::default() }
    }

    /// How many commands were sent.
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// Runs a read-only command, and reads what it printed. A read whose connection broke is repeated
    /// once.
    pub async fn observe<T>(&self, node: Node, command: &Observe<T>) -> NodeAnswer<T> {
        let (argv, stdin, limit) = command.parts();
        let mut attempts = 1;
        let mut result = self.send(node, argv, stdin, limit).await;
        if let Err(ShellError { why: Failure::Transport(TransportError::Lost(_)), .. }) = result {
            attempts = 2;
            result = self.send(node, argv, stdin, limit).await;
        }
        let (output, form) = command.keep(result?);
        let raw = [output.stdout.clone(), output.stderr.clone()].concat();
        Ok(Answer {
            value: command.read(output),
            call: format!("{node}$ {}", command.shown()),
            raw: vec![raw],
            form,
            attempts,
        })
    }

    /// Connects anew with the next command.
    pub(crate) async fn forget(&self, node: Node) {
        self.transport.forget(node).await;
    }

    /// Runs a command that changes something. Only for this crate's functions that hold a permit
    /// and have recorded the intent.
    pub(crate) async fn act(&self, node: Node, action: &Action) -> Result<Output, ShellError> {
        let (argv, stdin, limit) = action.parts();
        self.send(node, argv, stdin, limit).await
    }

    async fn send(
        &self,
        node: Node,
        argv: &[String],
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Output, ShellError> {
        self.calls.set(self.calls.get() + 1);
        let failed = |why| ShellError { node, command: argv.join(" "), why };
        match self.clock.timeout(limit, self.transport.run(node, argv, stdin)).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(failed(Failure::Transport(error))),
            Err(_) => Err(failed(Failure::TimedOut(limit))),
        }
    }
}
