//! The form that all answers have in common: an exit code, and text that is one of a few known
//! shapes or else is ambiguous.

use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::node::Output;

/// Why there is no answer to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// routerctl said no, in words that are known.
    #[error("{command}: {refusal}")]
    Refused { command: String, refusal: Refusal },
    /// Nothing can be concluded: what the command did is unknown until it is read back.
    #[error("{command}: expected {expected}; it ended with exit code {exit_code} and {got}")]
    Ambiguous { command: String, expected: &'static str, exit_code: i32, got: String },
}

impl AnswerError {
    /// The refusal; none where the answer is ambiguous.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Ambiguous { .. } => None,
        }
    }
}

/// The most of an unexpected answer that an error repeats.
const EXCERPT_BYTES: usize = 200;

/// One answer that is being read.
pub(super) struct RouterctlOutput<'a> {
    pub command: &'a str,
    pub output: &'a Output,
}

impl<'a> RouterctlOutput<'a> {
    /// The answer `output` of this command line.
    pub fn new(command: &'a str, output: &'a Output) -> Self {
        Self { command, output }
    }

    /// The error of an answer that is not as expected, with the beginning of what came instead.
    pub fn ambiguous(&self, expected: &'static str) -> AnswerError {
        let Output { code, stdout, stderr } = self.output;
        let got = if stdout.is_empty() {
            format!("stderr {:?}", excerpt(stderr))
        } else {
            format!("stdout {:?}", excerpt(stdout))
        };
        AnswerError::Ambiguous { command: self.command.to_owned(), expected, exit_code: *code, got }
    }

    /// The standard output of a command that succeeded.
    pub fn text(&self, expected: &'static str) -> Result<&'a str, AnswerError> {
        if self.output.code != 0 {
            return Err(self.failed(expected));
        }
        std::str::from_utf8(&self.output.stdout).map_err(|_| self.ambiguous(expected))
    }

    /// The JSON of a command that succeeded. Anything after it makes it ambiguous, as does an
    /// early end.
    pub fn json<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, AnswerError> {
        let text = self.text(expected)?;
        serde_json::from_str(text).map_err(|_| self.ambiguous(expected))
    }

    /// The same for a list, which routerd writes as `null` when it is empty.
    pub fn json_list<T: DeserializeOwned>(
        &self,
        expected: &'static str,
    ) -> Result<Vec<T>, AnswerError> {
        Ok(self.json::<Option<Vec<T>>>(expected)?.unwrap_or_default())
    }

    /// The error of a command that did not succeed: a known refusal, or something ambiguous.
    pub fn failed(&self, expected: &'static str) -> AnswerError {
        // routerctl itself only ever exits with 1; 255 is ssh's, 128 + n a signal's.
        let refusal = (self.output.code == 1 && self.output.stdout.is_empty())
            .then(|| std::str::from_utf8(&self.output.stderr).ok())
            .flatten()
            .and_then(Refusal::parse);
        match refusal {
            Some(refusal) => AnswerError::Refused { command: self.command.to_owned(), refusal },
            None => self.ambiguous(expected),
        }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let end = bytes.len().min(EXCERPT_BYTES);
    let mut text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if end < bytes.len() {
        text.push('…');
    }
    text
}
