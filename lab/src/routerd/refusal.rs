//! How routerctl says no: one line on stderr and exit code 1. The words are routerd's own
//! (contract §1.8 and §1.9); what is not among them is no refusal but an ambiguous answer.

use std::fmt;

use super::row::RowStatus;

/// A refusal of routerctl's, by its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A gate of the ProviderActionPolicy.
    PolicyDenied {
        id: u64,
        reason: String,
    },
    /// `execute` of a row that is in the wrong state; pending means not approved.
    WrongStatus {
        id: u64,
        status: RowStatus,
    },
    NotFound {
        id: u64,
    },
    /// `approve` of a row that is not there or not pending.
    NotPending {
        id: u64,
    },
    /// No executor, or more than one, for the provider.
    NoExecutor {
        reason: String,
    },
    /// The executor was started and gave no result: whether it changed anything is unknown.
    ExecutorBroke {
        id: u64,
        reason: String,
    },
    UndoRefused {
        id: u64,
        reason: UndoRefusal,
    },
    /// The executor ran the undo and said that it did not succeed.
    UndoNotSucceeded {
        id: u64,
        status: RowStatus,
        error: String,
    },
    /// The undo's executor was started and gave no result.
    UndoBroke {
        id: u64,
        reason: String,
    },
    /// The planner's result is refused, or there is none.
    PlannerRefused {
        reason: String,
    },
    /// The kind or name does not exist; the daemon answered.
    NoResource {
        subject: String,
    },
    /// Nobody answers on the status socket.
    NoDaemon {
        reason: String,
    },
    Database {
        reason: String,
    },
    Config {
        reason: String,
    },
    /// The command itself is wrong: words, flags or an id.
    Usage {
        reason: String,
    },
}

/// The reason why routerd does not undo an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UndoRefusal {
    NotAllowed,
    NotSucceeded(RowStatus),
    NoUndo,
}

/// The change that a refused command can have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalEffect {
    Nothing,
    /// An executor ran: read back what is so.
    Unknown,
}

impl Refusal {
    /// The change that the command can have made: unknown where an executor ran, else nothing.
    pub fn effect(&self) -> RefusalEffect {
        match self {
            Self::ExecutorBroke { .. } | Self::UndoNotSucceeded { .. } | Self::UndoBroke { .. } => {
                RefusalEffect::Unknown
            }
            _ => RefusalEffect::Nothing,
        }
    }

    /// Whether what was asked about is not there: routerd has not made its database yet, or has
    /// none of that name in it.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Database { reason } => reason.contains("unable to open database file"),
            Self::NoResource { .. } => true,
            _ => false,
        }
    }

    pub(super) fn parse(stderr: &str) -> Option<Self> {
        let text = routerctls_own(stderr);
        of_execute(text)
            .or_else(|| of_rollback(text))
            .or_else(|| of_action(text))
            .or_else(|| of_plugin(text))
            .or_else(|| of_files(text))
            .or_else(|| of_daemon(text))
            .or_else(|| of_usage(text))
    }
}

/// Without what sudo wrote before it, and the last line break. A space at the end stays: routerd
/// writes one where an error is empty.
fn routerctls_own(stderr: &str) -> &str {
    let mut text = stderr.strip_suffix('\n').unwrap_or(stderr);
    while let Some((first, rest)) = text.split_once('\n') {
        if !first.starts_with("sudo: ") {
            break;
        }
        text = rest;
    }
    text
}

fn of_execute(text: &str) -> Option<Refusal> {
    if let Some(rest) = text.strip_prefix("policy gate denied ") {
        let rest = rest.strip_prefix("dry-run of ").unwrap_or(rest);
        let (id, reason) = numbered(rest, "action ")?;
        return Some(Refusal::PolicyDenied { id, reason: reason.to_owned() });
    }
    let (id, reason) =
        numbered(text, "execute action ").or_else(|| numbered(text, "dry-run action "))?;
    let wrong = |status| Some(Refusal::WrongStatus { id, status });
    if reason == "action was rolled back" {
        return wrong(RowStatus::RolledBack);
    }
    if let Some(status) = reason
        .strip_prefix("action is ")
        .and_then(|rest| rest.strip_suffix(" and not approved (approval required)"))
    {
        return wrong(RowStatus::parse(status));
    }
    if let Some(status) = reason.strip_prefix("action in unexpected status ") {
        return wrong(RowStatus::parse(status.trim_matches('"')));
    }
    let broke = reason.starts_with("executor ")
        || reason.starts_with("decode executor ")
        || reason.starts_with("plugin executable ");
    broke.then(|| Refusal::ExecutorBroke { id, reason: reason.to_owned() })
}

fn of_rollback(text: &str) -> Option<Refusal> {
    let rest = text.strip_prefix("rollback action ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let id = rest[..digits].parse().ok()?;
    if let Some(reason) = rest[digits..].strip_prefix(" refused: ") {
        return undo_refusal(reason).map(|reason| Refusal::UndoRefused { id, reason });
    }
    let reason = rest[digits..].strip_prefix(": ")?;
    match reason.strip_prefix("executor reported \"") {
        Some(reported) => {
            let (status, error) = reported.split_once("\": ")?;
            let status = RowStatus::parse(status);
            Some(Refusal::UndoNotSucceeded { id, status, error: error.to_owned() })
        }
        None => Some(Refusal::UndoBroke { id, reason: reason.to_owned() }),
    }
}

fn undo_refusal(reason: &str) -> Option<UndoRefusal> {
    match reason {
        "policy.allowUndo is false" => Some(UndoRefusal::NotAllowed),
        "action has no undo" | "undo has no action" => Some(UndoRefusal::NoUndo),
        other => other
            .strip_prefix("action is ")?
            .strip_suffix(", not succeeded")
            .map(|status| UndoRefusal::NotSucceeded(RowStatus::parse(status))),
    }
}

fn of_action(text: &str) -> Option<Refusal> {
    if text.starts_with("resolve executor for provider ") {
        return Some(Refusal::NoExecutor { reason: text.to_owned() });
    }
    if let Some(rest) = text.strip_prefix("cannot approve action ") {
        let id = rest.strip_suffix(": row missing or not in pending state")?;
        return Some(Refusal::NotPending { id: id.parse().ok()? });
    }
    let id = text.strip_prefix("action ")?.strip_suffix(" not found")?;
    Some(Refusal::NotFound { id: id.parse().ok()? })
}

fn of_plugin(text: &str) -> Option<Refusal> {
    let known = text.starts_with("PluginResult ")
        || text
            .strip_prefix("plugin ")
            .is_some_and(|rest| rest.contains(" timed out after ") || rest.contains(" failed: "));
    known.then(|| Refusal::PlannerRefused { reason: text.to_owned() })
}

fn of_files(text: &str) -> Option<Refusal> {
    let reason = text.to_owned();
    if text.starts_with("open state database ") {
        return Some(Refusal::Database { reason });
    }
    let config = text.starts_with("read config ") || text.starts_with("parse config ");
    config.then_some(Refusal::Config { reason })
}

fn of_daemon(text: &str) -> Option<Refusal> {
    if let Some(subject) =
        text.strip_prefix("bad request: ").and_then(|rest| rest.strip_suffix(" not found"))
    {
        return Some(Refusal::NoResource { subject: subject.to_owned() });
    }
    let nobody = text.starts_with("Get \"http://routerd/") && text.contains("\": dial unix ");
    nobody.then(|| Refusal::NoDaemon { reason: text.to_owned() })
}

fn of_usage(text: &str) -> Option<Refusal> {
    let known = text.contains(" requires an explicit mode: ")
        || text.starts_with("specify only one of ")
        || text.starts_with("unknown action subcommand ")
        || text.starts_with("flag provided but not defined: ")
        || text.starts_with("unknown doctor area ")
        || text.starts_with("unknown plugin run option ")
        || text.starts_with("invalid action id ")
        || text.starts_with("unsupported output ");
    known.then(|| Refusal::Usage { reason: text.to_owned() })
}

/// `PREFIX 12: the rest`.
fn numbered<'a>(text: &'a str, prefix: &str) -> Option<(u64, &'a str)> {
    let (id, rest) = text.strip_prefix(prefix)?.split_once(": ")?;
    Some((id.parse().ok()?, rest))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyDenied { id, reason } => {
                write!(f, "the policy denies action {id}: {reason}")
            }
            Self::WrongStatus { id, status } => write!(f, "action {id} is {status}"),
            Self::NotFound { id } => write!(f, "there is no action {id}"),
            Self::NotPending { id } => write!(f, "action {id} is not there or not pending"),
            Self::ExecutorBroke { id, reason } => {
                write!(f, "the executor gave no result for action {id}: {reason}")
            }
            Self::UndoRefused { id, reason } => write!(f, "action {id} is not undone: {reason}"),
            Self::UndoNotSucceeded { id, status, error } => {
                write!(f, "the executor answered {status} to the undo of action {id}: {error:?}")
            }
            Self::UndoBroke { id, reason } => {
                write!(f, "the executor gave no result for the undo of action {id}: {reason}")
            }
            Self::NoResource { subject } => write!(f, "routerd has no {subject}"),
            Self::NoDaemon { reason } => write!(f, "no routerd answers: {reason}"),
            Self::NoExecutor { reason }
            | Self::PlannerRefused { reason }
            | Self::Database { reason }
            | Self::Config { reason }
            | Self::Usage { reason } => f.write_str(reason),
        }
    }
}

impl fmt::Display for UndoRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => f.write_str("the policy has allowUndo false"),
            Self::NotSucceeded(status) => write!(f, "it is {status}, not succeeded"),
            Self::NoUndo => f.write_str("its plan has no undo"),
        }
    }
}
