//! An assertion in the making, which reads as it is thought: what is checked, what it expects, how it
//! was seen, and what it comes to. Nothing is in the journal before its last word.

use reports::record::AssertionStatus;
use serde_json::Value;

use super::{Context, How};

/// The result of an assertion with a rule of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    Holds,
    /// With what is wrong, where there is a sentence for it.
    Fails(Option<String>),
}

impl Ruling {
    /// Holds where the rule does; else `why` says what is wrong. Where it holds nothing is, and the
    /// sentence goes no further.
    pub fn when(holds: bool, why: impl Into<Option<String>>) -> Self {
        if holds { Self::Holds } else { Self::Fails(why.into()) }
    }

    /// Holds unless something was found that is wrong.
    pub fn unless(found: Option<String>) -> Self {
        Self::when(found.is_none(), found)
    }
}

/// An assertion that has not come to anything yet.
#[must_use = "an assertion is made by what it comes to"]
pub struct AssertionDraft<'c, 'a> {
    context: &'c mut Context<'a>,
    id: &'static str,
    expected: Value,
    how: How,
}

impl<'a> Context<'a> {
    /// Begins an assertion of the scenario's table.
    pub fn check(&mut self, id: &'static str) -> AssertionDraft<'_, 'a> {
        AssertionDraft { context: self, id, expected: Value::Null, how: How::default() }
    }
}

impl AssertionDraft<'_, '_> {
    pub fn expects(self, expected: Value) -> Self {
        Self { expected, ..self }
    }

    /// By which answers, which are kept with it.
    pub fn seen(self, how: How) -> Self {
        Self { how, ..self }
    }

    /// Holds where that is what is expected; answers whether it is.
    pub fn is(self, observed: Value) -> bool {
        let expected = &self.expected;
        let differs =
            (*expected != observed).then(|| format!("expected {expected}, observed {observed}"));
        self.comes_to(observed, Ruling::unless(differs))
    }

    /// Holds, as was found out already.
    pub fn passes(self, observed: Value) -> bool {
        self.comes_to(observed, Ruling::Holds)
    }

    /// Does not hold.
    pub fn fails(self, observed: Value, why: impl Into<String>) -> bool {
        self.comes_to(observed, Ruling::Fails(Some(why.into())))
    }

    /// Holds or not by a rule of its own; answers whether it does.
    pub fn comes_to(self, observed: Value, ruling: Ruling) -> bool {
        match ruling {
            Ruling::Holds => {
                self.make(AssertionStatus::Passed, observed, None);
                true
            }
            Ruling::Fails(why) => {
                self.make(AssertionStatus::Failed, observed, why);
                false
            }
        }
    }

    /// Could not be established: neither passed nor failed.
    pub fn unknown(self, why: impl Into<String>) {
        self.make(AssertionStatus::Unknown, Value::Null, Some(why.into()));
    }

    /// Is without meaning here, with the reason.
    pub fn skipped(self, observed: Value, why: impl Into<String>) {
        self.make(AssertionStatus::Skipped, observed, Some(why.into()));
    }

    fn make(self, status: AssertionStatus, observed: Value, message: Option<String>) {
        let Self { context, id, expected, how } = self;
        context.assert(id, status, expected, observed, how, message);
    }
}
