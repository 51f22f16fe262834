//! Commands that go on until nobody listens any more: what they say is heard as it comes.

use std::cell::RefCell;
use std::rc::Rc;

use reports::redact::Form;
use tokio::sync::Notify;

use super::{Failure, Observe, Shell, ShellError};
use crate::ec2::Answer;
use crate::node::{Node, Output};

/// An output stream of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// The output of a command so far.
#[derive(Default)]
pub struct Heard {
    said: RefCell<(Vec<u8>, Vec<u8>)>,
    more: Rc<Notify>,
}

impl Heard {
    /// `more` is told of whatever comes.
    pub fn new(more: Rc<Notify>) -> Self {
        Self { said: RefCell::default(), more }
    }

    /// Adds what came on a stream, and tells `more` of it.
    pub fn add(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (out, err) = &mut *self.said.borrow_mut();
        (if stream == Stream::Out { out } else { err }).extend_from_slice(bytes);
        self.more.notify_one();
    }

    /// The text of a stream so far; bytes that are no UTF-8 are replaced.
    pub fn text(&self, stream: Stream) -> String {
        let (out, err) = &*self.said.borrow();
        String::from_utf8_lossy(if stream == Stream::Out { out } else { err }).into_owned()
    }

    /// For evidence: what was heard of a command, which may go on.
    pub fn answer(&self, node: Node, command: &Observe) -> Answer<Output> {
        let (stdout, stderr) = self.said.borrow().clone();
        let raw = vec![[stdout.clone(), stderr.clone()].concat()];
        let value = Output { code: 0, stdout, stderr };
        Answer {
            value,
            call: format!("{node}$ {}", command.shown()),
            raw,
            form: Form::Text,
            attempts: 1,
        }
    }
}

impl Shell {
    /// Runs a read-only command and hears what it says as it comes. Whoever drops this listens no
    /// more; the command has to end by itself then.
    ///
    /// # Errors
    /// The errors of [`Shell::observe`]; nothing is repeated.
    pub async fn follow(
        &self,
        node: Node,
        command: &Observe,
        heard: &Heard,
    ) -> Result<i32, ShellError> {
        let (argv, _, limit) = command.parts();
        self.calls.set(self.calls.get() + 1);
        let failed = |why| ShellError { node, command: argv.join(" "), why };
        let followed = self.transport.follow(node, argv, heard);
        match self.clock.timeout(limit, followed).await {
            Ok(Ok(code)) => Ok(code),
            Ok(Err(error)) => Err(failed(Failure::Transport(error))),
            Err(_) => Err(failed(Failure::TimedOut(limit))),
        }
    }
}
