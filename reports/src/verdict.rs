//! Judges a run from its journal alone.
//!
//! Each rule below looks at the records and gives a cause with its exit code. Where several
//! apply, the first code of [`PRECEDENCE`] wins; all reasons are kept.
//!
//! | code | cause |
//! |---|---|
//! | 70 | the harness broke (`harness-broke`) |
//! | 6 | the last list of residue has items (where it has none and an assertion of `restored` failed, 5) |
//! | 5 | an assertion or scenario is unknown; a mutation's last outcome is unknown, or it has none; something was touched, and `restored` or `residue` did not end (neither counts once the lab is gone, `lab-gone`); a second signal; the run's own record was lost (`journal-lost`); a scenario passed without an assertion, or did not run though nothing says why |
//! | 4 | a hard stop other than 7 tripped; the last go was refused |
//! | 1 | an assertion or a scenario failed (prerequisites and followups of a filtered run included), those of `residue` too where it lists nothing |
//! | 130, 143 | a signal; the run was brought to its end by `recover`; the journal has no end |
//! | 8 | the lab cannot be used (`lab-unavailable`, and nothing was begun since); where the run has no end this comes before 4 and all that follows it |
//! | 3 | preflight and undo plan passed, and no go was verified or refused: `parked` where the last thing that was done to the instances was to stop them, else `awaiting-go` |
//! | 7 | a filter, or a skipped scenario |
//! | 0 | none of these |
//!
//! While a go is pending, a signal is no interruption: the run can be resumed. Stop 7 is how a
//! run is parked; where it cannot stop what costs, that is listed as residue.

mod cause;
mod codes;
mod rules;

#[cfg(test)]
mod tests;

pub use cause::{Cause, CauseKind, Classification, classify_cause};
pub(crate) use cause::{decides, find_first_cause};
pub use codes::{ExitCode, PRECEDENCE, exit_codes_markdown};
pub use rules::{Judgement, judge_ending, judge_journal};
