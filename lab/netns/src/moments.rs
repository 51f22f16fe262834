//! Faults in the kernel lab: they are put into the supervisor's world, and a run tells the
//! supervisor which command begins and ends, so that what waits for such a moment happens when it
//! would on the mock.

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::body::Bytes;
use futures::future::{FutureExt as _, LocalBoxFuture};
use http::Method;
use serde::{Deserialize, Serialize};

use super::folder::{Folder, write_private};
use super::open::{ask_supervisor, read_manifest, read_world};
use super::probe::{self, HostReport};
use lab::node::{Node, Output};
use lab::shell::{Heard, Transport, TransportError};
use lab::ssh_transport::SshTransport;
use lab_mock::faults::{self, BadFault};

#[derive(Debug, thiserror::Error)]
pub enum CannotInject {
    #[error(transparent)]
    Bad(#[from] BadFault),
    #[error("{0}")]
    Unable(HostReport),
    #[error(
        "the fault `{name}` is the mock's alone; in the kernel lab there are: {}",
        known_faults().join(", ")
    )]
    NoMeans { name: String },
}

/// Faults that can be put into a kernel lab, with what else they need of its kernel.
///
/// # Errors
/// Where one does not exist, takes no such argument, or has no means there.
pub fn check_faults(faults: &[String]) -> Result<(), CannotInject> {
    for text in faults {
        let (fault, _) = faults::parse_fault(text)?;
        if faults::find_deeds(text)?.is_none() {
            return Err(CannotInject::NoMeans { name: fault.name.to_owned() });
        }
        let report = probe::for_fault(text);
        if !report.is_able() {
            return Err(CannotInject::Unable(report));
        }
        // A model that does not take the argument says so before anything is built.
        faults::inject_fault(&mut lab_mock::world_of(1, lab_mock::start_time(1)), text)?;
    }
    Ok(())
}

/// The names of those that have means there.
pub fn known_faults() -> Vec<&'static str> {
    faults::all_faults()
        .filter(|fault| fault.labs.contains(&"netns"))
        .map(|fault| fault.name)
        .collect()
}

/// Puts a fault into a lab; its nodes have followed when this returns, and so has its manifest,
/// which says how long guests take.
///
/// # Errors
/// Where the supervisor does not answer, or a node refuses what is done to it.
pub async fn inject_into_lab(folder: &Folder, fault: &str) -> std::io::Result<()> {
    let body = Bytes::copy_from_slice(fault.as_bytes());
    ask_supervisor(folder, Method::POST, "/faults", body).await?;
    let settle_ms = read_world(folder).await?.machines.guest_settle_ms;
    let mut manifest = read_manifest(folder)?;
    if manifest.limits.guest_settle_ms != settle_ms {
        manifest.limits.guest_settle_ms = settle_ms;
        let text = manifest.to_toml().map_err(std::io::Error::other)?;
        write_private(&folder.manifest(), text.as_bytes())?;
    }
    Ok(())
}

/// A command of the operator begins or has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moment {
    pub node: Node,
    /// The command, named as in the rules of faults.
    pub line: String,
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Begins,
    Ended,
}

/// The way to the nodes of a run with faults.
pub struct ToldTransport {
    ssh: SshTransport,
    folder: Folder,
    /// The action of each row of routerd's journal, from the lists that went by.
    rows: RefCell<BTreeMap<u64, String>>,
    /// Why a fault did not happen: from then on no node is reached, so that no run passes without
    /// what it was to be tried with.
    broken: RefCell<Option<String>>,
}

impl ToldTransport {
    pub fn new(ssh: SshTransport, folder: Folder) -> Self {
        Self { ssh, folder, rows: RefCell::default(), broken: RefCell::default() }
    }

    async fn tell(&self, node: Node, line: &str, phase: Phase) -> Result<(), TransportError> {
        let failed = |why: &str| {
            TransportError::Unreachable(format!(
                "a fault did not happen, so nothing is tried: {why}"
            ))
        };
        if let Some(why) = self.broken.borrow().as_deref() {
            return Err(failed(why));
        }
        let moment = Moment { node, line: line.to_owned(), phase };
        let told = async {
            let body = serde_json::to_vec(&moment)?;
            ask_supervisor(&self.folder, Method::POST, "/moments", body.into()).await
        };
        told.await.map(drop).map_err(|error| {
            *self.broken.borrow_mut() = Some(error.to_string());
            failed(&error.to_string())
        })
    }
}

impl Transport for ToldTransport {
    fn run<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        async move {
            let action = |id| self.rows.borrow().get(&id).cloned();
            let line = faults::Line::named(argv, action).text;
            self.tell(node, &line, Phase::Begins).await?;
            let answer = self.ssh.run(node, argv, stdin).await;
            if let Ok(output) = &answer {
                self.rows.borrow_mut().extend(listed(argv, &output.stdout));
            }
            self.tell(node, &line, Phase::Ended).await?;
            answer
        }
        .boxed_local()
    }

    fn follow<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        heard: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>> {
        async move {
            let line = faults::Line::named(argv, |_| None).text;
            self.tell(node, &line, Phase::Begins).await?;
            let answer = self.ssh.follow(node, argv, heard).await;
            self.tell(node, &line, Phase::Ended).await?;
            answer
        }
        .boxed_local()
    }
}

/// The rows that `action list -o json` shows, and what each does.
fn listed(argv: &[String], stdout: &[u8]) -> BTreeMap<u64, String> {
    #[derive(Deserialize)]
    struct ListedRow {
        id: u64,
        action: String,
    }
    if !argv.windows(2).any(|words| words == ["action", "list"]) {
        return BTreeMap::new();
    }
    // routerd writes `null` where it has none.
    let shown: Option<Vec<ListedRow>> = serde_json::from_slice(stdout).unwrap_or_default();
    shown.unwrap_or_default().into_iter().map(|row| (row.id, row.action)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_by_what_a_list_says_of_them() {
        let argv = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let list = argv("sudo -n routerctl action list -o json");
        let stdout = br#"[{"id":7,"action":"assign-secondary-ip","status":"pending"}]"#;
        let rows = listed(&list, stdout);
        assert_eq!(rows, [(7, "assign-secondary-ip".to_owned())].into());
        assert!(listed(&list, b"null").is_empty() && listed(&argv("cat x"), stdout).is_empty());
        let execute = argv("sudo -n routerctl action execute 7 --approved");
        let line = faults::Line::named(&execute, |id| rows.get(&id).cloned());
        assert_eq!(line.text, "routerctl action execute assign-secondary-ip --approved");
    }

    fn refusal(fault: &str) -> String {
        check_faults(&[fault.to_owned()]).expect_err(fault).to_string()
    }

    #[test]
    fn a_fault_without_means_is_refused_with_the_list_of_those_that_have_some() {
        let words = refusal("doctor-sam-fails");
        assert!(words.starts_with("the fault `doctor-sam-fails` is the mock's alone"), "{words}");
        assert!(words.contains("masquerade-legacy, "), "{words}");
        assert!(!words.ends_with("doctor-sam-fails"), "{words}");
    }

    #[test]
    fn nonsense_is_refused_before_anything_is_built() {
        assert!(refusal("sunshine").contains("there is no fault `sunshine`"));
        assert!(refusal("node-hangs=nobody").contains("the nodes are routerd-cloud"));
        assert!(refusal("latency=soon").contains("it is no time"));
        assert!(check_faults(&["masquerade".to_owned(), "latency=5ms".to_owned()]).is_ok());
    }
}
