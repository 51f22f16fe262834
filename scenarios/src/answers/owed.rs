//! The answer that a run owes to a fault: who answers first, what else turns, how it ends, and what it
//! leaves.

use lab::manifest::Instances;
use serde::{Serialize, Serializer};

/// Whether a run with the fault may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// An assertion or a stop answers it.
    Caught,
    /// The run passes, and what it took stands in the evidence.
    Tolerated,
}

/// The one thing that answers first of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primary {
    Assertion(&'static str),
    /// A detector of a hard stop.
    Stop(&'static str),
    /// An assertion and a detector that are one and the same look.
    Both(&'static str, &'static str),
    /// The lab cannot be used, and nothing of it was touched.
    Unavailable,
    /// The run passes.
    Nothing,
}

impl Primary {
    /// The assertion that answers, where one does.
    pub fn assertion(self) -> Option<&'static str> {
        match self {
            Self::Assertion(id) | Self::Both(id, _) => Some(id),
            Self::Stop(_) | Self::Unavailable | Self::Nothing => None,
        }
    }

    /// The detector that trips, where one does.
    pub fn stop(self) -> Option<&'static str> {
        match self {
            Self::Stop(detector) | Self::Both(_, detector) => Some(detector),
            Self::Assertion(_) | Self::Unavailable | Self::Nothing => None,
        }
    }

    /// Says in one word who answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assertion(name) | Self::Stop(name) | Self::Both(name, _) => name,
            Self::Unavailable => "unavailable",
            Self::Nothing => "none",
        }
    }
}

impl Serialize for Primary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A part of the lab that is not as a run owes it. A run owes the ENI as before and nothing of the
/// run on the nodes; once the go was burnt also nothing that costs money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    Interface,
    Lock,
    ChangeSet,
    Instances,
    Addresses,
    Volumes,
}

/// All that turns, beside the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FaultAnswer {
    pub exit_code: u8,
    /// Other assertions that fail or are unknown.
    pub also: &'static [&'static str],
    /// Other detectors of hard stops that trip.
    pub stops: &'static [&'static str],
    pub left: &'static [Left],
}

/// The answer where the lab is another one: the ENI's source/dest check was off before the run, or
/// its teardown stops or keeps the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOff {
    Same,
    Differs(FaultAnswer),
    /// Why the fault is none there.
    WithoutMeaning(&'static str),
}

/// The half of a fault that the runbook has: the other one, how a world is broken, is the mock lab's,
/// under the same name.
#[derive(Debug)]
pub struct Owed {
    pub fault: &'static str,
    pub class: FaultClass,
    pub primary: Primary,
    pub answer: FaultAnswer,
    pub check_off: CheckOff,
    /// The answer where teardown stops the instances in place of terminating them.
    pub stopped: CheckOff,
    /// The answer where the manifest keeps the instances.
    pub kept: CheckOff,
}

/// A row of a table is a chain of these: who answers, and what turns beside it.
impl Owed {
    pub(super) const fn tolerated(fault: &'static str) -> Self {
        Self {
            fault,
            class: FaultClass::Tolerated,
            primary: Primary::Nothing,
            answer: FaultAnswer { exit_code: 0, also: &[], stops: &[], left: &[] },
            check_off: CheckOff::Same,
            stopped: CheckOff::Same,
            kept: CheckOff::Same,
        }
    }

    pub(super) const fn caught(fault: &'static str, primary: Primary) -> Self {
        let exit_code = match primary {
            Primary::Assertion(_) => 1,
            Primary::Stop(_) | Primary::Both(..) => 4,
            Primary::Unavailable => 8,
            Primary::Nothing => 0,
        };
        Self { class: FaultClass::Caught, primary, ..Self::tolerated(fault).exits(exit_code) }
    }

    pub(super) const fn exits(self, exit_code: u8) -> Self {
        Self { answer: FaultAnswer { exit_code, ..self.answer }, ..self }
    }

    pub(super) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { answer: FaultAnswer { also, ..self.answer }, ..self }
    }

    pub(super) const fn trips(self, stops: &'static [&'static str]) -> Self {
        Self { answer: FaultAnswer { stops, ..self.answer }, ..self }
    }

    pub(super) const fn leaves(self, left: &'static [Left]) -> Self {
        Self { answer: FaultAnswer { left, ..self.answer }, ..self }
    }

    pub(super) const fn check_off(self, check_off: CheckOff) -> Self {
        Self { check_off, ..self }
    }

    pub(super) const fn at_stop(self, stopped: CheckOff) -> Self {
        Self { stopped, ..self }
    }

    pub(super) const fn at_keep(self, kept: CheckOff) -> Self {
        Self { kept, ..self }
    }

    /// Rows that stay approved are residue where their node stays; else they go with it.
    pub(super) const fn leaves_approved_rows(self) -> Self {
        let answer = FaultAnswer { exit_code: 6, ..self.answer };
        Self { stopped: CheckOff::Differs(answer), kept: CheckOff::Differs(answer), ..self }
    }

    /// The answer that a run owes to the fault where teardown does this with the instances; none
    /// where it is no fault there.
    pub fn answer_at(&self, teardown: Instances) -> Option<FaultAnswer> {
        let otherwise = match teardown {
            Instances::Terminate => CheckOff::Same,
            Instances::Stop => self.stopped,
            Instances::Keep => self.kept,
        };
        match otherwise {
            CheckOff::Same => Some(self.answer),
            CheckOff::Differs(answer) => Some(answer),
            CheckOff::WithoutMeaning(_) => None,
        }
    }

    /// The answer that the run owes to the fault; none where it is no fault.
    pub fn answer_with(&self, check_before: bool) -> Option<FaultAnswer> {
        match self.check_off {
            CheckOff::Differs(answer) if !check_before => Some(answer),
            CheckOff::WithoutMeaning(_) if !check_before => None,
            _ => Some(self.answer),
        }
    }
}
