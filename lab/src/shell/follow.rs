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

    /// The reading of what a command, which may go on, has said so far.
    pub fn read<T>(&self, command: &Observe<T>) -> T {
        let (stdout, stderr) = self.said.borrow().clone();
        command.read(Output { code: 0, stdout, stderr })
    }

    /// For evidence: what was heard of a command, which may go on.
    pub fn answer<T>(&self, node: Node, command: &Observe<T>) -> Answer<T> {
        let (stdout, stderr) = self.said.borrow().clone();
        let raw = vec![[stdout, stderr].concat()];
        Answer {
            value: self.read(command),
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
    pub async fn follow<T>(
        &self,
        node: Node,
        command: &Observe<T>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_heard_stream_by_stream() {
        let heard = Heard::default();
        heard.add(Stream::Out, b"one ");
        heard.add(Stream::Err, b"wrong");
        heard.add(Stream::Out, b"two");
        let both = (heard.text(Stream::Out), heard.text(Stream::Err));
        assert_eq!(both, ("one two".to_owned(), "wrong".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_answers_is_an_error_and_a_call() {
        let lab = crate::deaf::open_deaf_lab();
        let heard = Heard::default();
        let followed = lab.shell.follow(Node::RouterdCloud, &Observe::hostname(), &heard).await;
        let error = followed.expect_err("nobody answers");
        assert!(error.to_string().contains("hostname"), "{error}");
        assert_eq!(lab.shell.calls.get(), 1);
    }
}
