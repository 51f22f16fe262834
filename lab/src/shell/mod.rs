//! The harness's way to a node: read-only commands for everyone, actions for who has a permit.

mod action;
mod observe;
pub mod ssh;

pub use action::{Action, NODE_FOLDER};
pub use observe::Observe;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::LocalBoxFuture;

use crate::clock::Clock;
use crate::ec2::Answer;
use crate::node::{Node, Output};

/// How a command reaches a node.
pub trait Transport {
    fn run<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>>;

    /// As [`run`](Self::run), for a command that listens: `begun` is told, or dropped, once it does.
    /// Where nothing else is known, it listens as soon as it is sent.
    fn listen<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        begun: Begun,
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        // Nobody waiting is no failure.
        let _ = begun.send(());
        self.run(node, argv, b"")
    }
}

/// Told when a command has begun to listen; dropped where it ends without.
pub type Begun = oneshot::Sender<()>;

/// What `tcpdump` says on stderr when nothing escapes it any more.
pub(crate) const LISTENS: &str = "listening on ";

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The command was never sent.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke after the command was sent: it may have run, or run still.
    #[error("lost the connection: {0}")]
    Lost(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node}: `{command}`: {why}")]
pub struct ShellError {
    pub node: Node,
    pub command: String,
    pub why: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Transport(TransportError),
    #[error("no answer after {0:?}")]
    TimedOut(Duration),
}

impl Failure {
    /// Whether the command certainly did not run.
    pub fn never_sent(&self) -> bool {
        matches!(self, Self::Transport(TransportError::Unreachable(_)))
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
    pub fn new(transport: Rc<dyn Transport>, clock: Clock) -> Self {
        Self { transport, clock, calls: Rc::default() }
    }

    /// How many commands were sent.
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// Runs a read-only command. A read whose connection broke is repeated once.
    pub async fn observe(
        &self,
        node: Node,
        command: &Observe,
    ) -> Result<Answer<Output>, ShellError> {
        let (argv, stdin, limit) = command.parts();
        let mut attempts = 1;
        let mut result = self.send(node, argv, stdin, limit).await;
        if let Err(ShellError { why: Failure::Transport(TransportError::Lost(_)), .. }) = result {
            attempts = 2;
            result = self.send(node, argv, stdin, limit).await;
        }
        Ok(answer(node, command, result?, attempts))
    }

    /// As [`observe`](Self::observe), for a command that listens.
    pub async fn listen(
        &self,
        node: Node,
        command: &Observe,
        begun: Begun,
    ) -> Result<Answer<Output>, ShellError> {
        let (argv, stdin, limit) = command.parts();
        let running = self.transport.listen(node, argv, begun);
        let first = self.within(limit, running).await;
        if let Err(Failure::Transport(TransportError::Lost(_))) = first {
            let output = self.send(node, argv, stdin, limit).await?;
            return Ok(answer(node, command, output, 2));
        }
        let output = first.map_err(|why| failed(node, argv, why))?;
        Ok(answer(node, command, output, 1))
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
        let running = self.transport.run(node, argv, stdin);
        self.within(limit, running).await.map_err(|why| failed(node, argv, why))
    }

    async fn within(
        &self,
        limit: Duration,
        running: LocalBoxFuture<'_, Result<Output, TransportError>>,
    ) -> Result<Output, Failure> {
        self.calls.set(self.calls.get() + 1);
        match self.clock.timeout(limit, running).await {
            Ok(answer) => answer.map_err(Failure::Transport),
            Err(_) => Err(Failure::TimedOut(limit)),
        }
    }
}

fn failed(node: Node, argv: &[String], why: Failure) -> ShellError {
    ShellError { node, command: argv.join(" "), why }
}

fn answer(node: Node, command: &Observe, output: Output, attempts: u32) -> Answer<Output> {
    let raw = [output.stdout.clone(), output.stderr.clone()].concat();
    Answer { value: output, call: format!("{node}$ {}", command.shown()), raw: vec![raw], attempts }
}
