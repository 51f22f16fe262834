//! The exit codes, as one table.

use serde::{Deserialize, Serialize};

use crate::record::Verdict;

/// The answer of a command to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExitCode {
    Pass,
    Fail,
    Usage,
    Pending,
    Stopped,
    Unknown,
    Residue,
    Partial,
    Unavailable,
    DoesNotHold,
    Bug,
    Interrupted,
    Terminated,
}

/// Where several apply, the first of these.
pub const PRECEDENCE: [ExitCode; 11] = [
    ExitCode::Bug,
    ExitCode::Residue,
    ExitCode::Unknown,
    ExitCode::Stopped,
    ExitCode::Fail,
    ExitCode::Interrupted,
    ExitCode::Terminated,
    ExitCode::Unavailable,
    ExitCode::Pending,
    ExitCode::Partial,
    ExitCode::Pass,
];

impl ExitCode {
    /// In the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Pass,
        Self::Fail,
        Self::Usage,
        Self::Pending,
        Self::Stopped,
        Self::Unknown,
        Self::Residue,
        Self::Partial,
        Self::Unavailable,
        Self::DoesNotHold,
        Self::Bug,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the process exits with.
    pub const fn number(self) -> u8 {
        self.row().0
    }

    /// The verdicts that a run with this code may have; none for what is no run's verdict.
    pub const fn verdicts(self) -> &'static [Verdict] {
        self.row().1
    }

    /// The meaning, in the words of `docs/EXIT-CODES.md`.
    pub const fn meaning(self) -> &'static str {
        self.row().2
    }

    /// The code with this number; none where there is no such code.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    const fn row(self) -> (u8, &'static [Verdict], &'static str) {
        match self {
            Self::Pass => (
                0,
                &[Verdict::Pass],
                "every scenario passed or is not applicable, the lab is restored, nothing is left",
            ),
            Self::Fail => (1, &[Verdict::Fail], "an assertion failed; the lab is restored"),
            Self::Usage => (
                2,
                &[],
                "usage or manifest error, a filter that matches nothing, a folder that holds \
                 another run: nothing was touched",
            ),
            Self::Pending => (3, &[Verdict::AwaitingGo, Verdict::Parked], "resume later"),
            Self::Stopped => (
                4,
                &[Verdict::Stopped],
                "a hard stop tripped or the go was refused; the lab is restored",
            ),
            Self::Unknown => (5, &[Verdict::Unknown], "a state could not be established"),
            Self::Residue => {
                (6, &[Verdict::Residue], "something is left, listed with ids and commands")
            }
            Self::Partial => (
                7,
                &[Verdict::Partial],
                "a filtered run: what was judged passed, but it is not the smoke",
            ),
            Self::Unavailable => (
                8,
                &[Verdict::Unavailable],
                "the lab cannot be used (unreachable, or locked by another run, which is named); \
                 nothing was touched",
            ),
            Self::DoesNotHold => (9, &[], "`verify`: something does not hold"),
            Self::Bug => (70, &[Verdict::Bug], "a bug in the harness"),
            Self::Interrupted => (
                130,
                &[Verdict::Interrupted],
                "Ctrl-C; the lab is restored. A second signal ends at once: 5, with the recover \
                 command",
            ),
            Self::Terminated => (143, &[Verdict::Interrupted], "as 130, by SIGTERM"),
        }
    }
}

impl Verdict {
    /// The word of the journal and of people's reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::AwaitingGo => "awaiting-go",
            Self::Parked => "parked",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
            Self::Residue => "residue",
            Self::Partial => "partial",
            Self::Unavailable => "unavailable",
            Self::Interrupted => "interrupted",
            Self::Bug => "bug",
        }
    }
}

/// The table of `docs/EXIT-CODES.md`.
pub fn exit_codes_markdown() -> String {
    let rows: String = ExitCode::ALL.into_iter().map(row_of).collect();
    let order: Vec<_> = PRECEDENCE.iter().map(|code| code.number().to_string()).collect();
    let order = order.join(", ");
    format!(
        "# Exit codes\n\n| code | verdict | meaning |\n|---|---|---|\n{rows}\n\
         Where several apply, the first of: {order}.\n\n\
         `recover` answers 0, 5, 6 or 8: its 0 says that the lab is restored and nothing is left, \
         though the run itself stays `interrupted`. A command on a run that is live answers 8, on \
         one that has ended 2. `status`, `list`, `schema`, `report` and `runs` answer 0 or 2, `pack` \
         also 8. `verify` answers 0, 2 or 9; `seal` and `countersign` also 8. A report for CI or a seal \
         that cannot be made changes no code.\n"
    )
}

fn row_of(code: ExitCode) -> String {
    let verdicts: Vec<_> =
        code.verdicts().iter().map(|verdict| format!("`{}`", verdict.word())).collect();
    format!("| {} | {} | {} |\n", code.number(), verdicts.join(", "), code.meaning())
}
