//! The files that a run puts on the routerd node: its lock, the burnt go, the change set. They are
//! created exclusively and synced, so that two runs cannot both have made one, and they outlive a
//! stop and start of the node.

use chrono::{DateTime, Duration, Utc};
use reports::digest::Digest;
use reports::folder::GO_FILE;
use reports::go::keep_go;
use reports::journal::{JournalError, Writer};
use reports::record::{Effect, GoBurnt, Kind, LockReleased, LockTaken, Operation, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::lock::LockState;
use super::{Acted, Mutation, NotLab, NotTried, record_outcome};
use crate::Lab;
use crate::change_set::ChangeSet;
use crate::change_set::PATH as CHANGE_SET_PATH;
use crate::ec2::Answer;
use crate::node::Node;
use crate::permit::{Forward, Permit, Proof, Release, Undo};
use crate::shell::{Action, NODE_FOLDER, Observe, Unread};

/// Who holds the lab's lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub run_id: String,
    pub taken_at: DateTime<Utc>,
    pub lease_until: DateTime<Utc>,
}

/// The contents of a burnt go's file: whose it is, and the hash of the journal's record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burn {
    pub run_id: String,
    pub record: Digest,
}

/// For how long, by the node's clock, a run is taken for alive by who cannot see its process. Its end frees nothing: a dead
/// run's lock is taken over only by recovery.
const LEASE: Duration = Duration::minutes(15);
/// How often the lease is renewed: two may fail before it ends.
pub const RENEWAL: std::time::Duration = std::time::Duration::from_mins(5);

/// On routerd-cloud: who holds the lab.
pub const LOCK_PATH: &str = "/var/lib/lab-smoke/lock.json";

pub(super) fn burn_path(go_digest: &Digest) -> String {
    format!("{NODE_FOLDER}/burnt-{go_digest}.json")
}

/// The result for a file that was to be created.
pub(super) enum Created {
    Ours,
    /// Somebody made it before; with what stands in it.
    Theirs(String),
    No(String),
    Unknown(String),
}

impl Lab {
    /// Takes the lab's lock. `value` is who holds it now; the outcome is `done` where that is us.
    pub async fn take_lock(
        &self,
        permit: &Forward,
        journal: &Writer,
        run_id: &str,
    ) -> Result<Acted<Option<Holder>>, NotTried> {
        let now = self.lease_begins().await;
        let holder = Holder { run_id: run_id.to_owned(), taken_at: now, lease_until: now + LEASE };
        let path = LOCK_PATH.to_owned();
        let contents = json!(holder).to_string();
        let effect = Effect::TakeLock { path: path.clone(), contents: contents.clone() };
        let undo = Some("undo.lock".to_owned());
        let intent = Mutation { scenario: "gate", effect, undo }.begin(self, permit, journal)?;
        let (outcome, detail, value) = match self.create(&path, &contents).await {
            Created::Ours => {
                (Outcome::Done, format!("taken until {}", holder.lease_until), Some(holder.clone()))
            }
            Created::Theirs(text) => {
                let theirs: Option<Holder> = serde_json::from_str(&text).ok();
                let who = theirs.as_ref().map_or(text, |theirs| {
                    format!("run {} until {}", theirs.run_id, theirs.lease_until)
                });
                (Outcome::NotDone, format!("held by {who}"), theirs)
            }
            Created::No(why) => (Outcome::NotDone, why, None),
            Created::Unknown(why) => (Outcome::Unknown, why, None),
        };
        let acted = record_outcome(
            self,
            journal,
            &intent,
            Acted { outcome, detail, samples: Vec::new(), value },
        );
        if acted.outcome == Outcome::Done {
            let taken = LockTaken { path, lease_until: holder.lease_until };
            journal.append_synced(self.clock.now(), Kind::LockTaken(taken))?;
        }
        Ok(acted)
    }

    /// Holds the lock for another lease. `not-done` where another run holds it by now, who is the
    /// value: then nothing is written.
    pub async fn renew_lock(
        &self,
        permit: &Release,
        journal: &Writer,
        run_id: &str,
    ) -> Result<Acted<Option<Holder>>, NotTried> {
        let lost =
            |detail, value| Acted { outcome: Outcome::NotDone, detail, samples: Vec::new(), value };
        let held = match self.lock_state(run_id).await {
            LockState::Own(holder) => holder,
            LockState::Other(other) => {
                return Ok(lost(format!("run {} holds it", other.run_id), Some(other)));
            }
            LockState::Free | LockState::Unread(_) => {
                return Ok(lost("nobody can tell who holds it".to_owned(), None));
            }
        };
        let holder = Holder { lease_until: self.lease_begins().await + LEASE, ..held };
        let (path, contents) = (LOCK_PATH.to_owned(), json!(holder).to_string());
        let effect = Effect::RenewLock { path: path.clone(), contents: contents.clone() };
        let intent =
            Mutation { scenario: "gate", effect, undo: None }.begin(self, permit, journal)?;
        let action = Action::replace_file(&path, contents.into_bytes());
        let said = match self.shell.act(Node::RouterdCloud, &action).await {
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let now = match self.lock_state(run_id).await {
            LockState::Own(now) | LockState::Other(now) => Some(now),
            LockState::Free | LockState::Unread(_) => None,
        };
        let (outcome, detail) = match &now {
            Some(now) if *now == holder => {
                (Outcome::Done, format!("held until {}", now.lease_until))
            }
            // The old lease or none: who reads it is told what is so, and the next renewal is soon.
            _ => (Outcome::NotDone, format!("not renewed: {said}")),
        };
        let acted = record_outcome(
            self,
            journal,
            &intent,
            Acted { outcome, detail, samples: Vec::new(), value: now },
        );
        if acted.outcome == Outcome::Done {
            let renewed = LockTaken { path, lease_until: holder.lease_until };
            journal.append(self.clock.now(), Kind::LockRenewed(renewed))?;
        }
        Ok(acted)
    }

    /// Uses the go up: first its bytes and signature are in the run's folder, then its burn is in the
    /// journal, on the disk, then on the node with the hash of that record. `not-done` where the node
    /// says that it was used before; the proof where it was done.
    pub async fn burn_go(
        &self,
        permit: &Forward,
        journal: &Writer,
        run_id: &str,
    ) -> Result<Acted<Option<Proof>>, NotTried> {
        // The record's time is the one at which the go is good: recovery verifies it as of then.
        let now = self.clock.now();
        permit.check(now)?;
        let go = permit.go();
        keep_go(&journal.dir(), go.bytes(), go.signature().as_bytes())
            .map_err(|source| JournalError::Io { path: journal.dir().join(GO_FILE), source })?;
        let path = burn_path(permit.go_digest());
        let record = GoBurnt { go_digest: permit.go_digest().clone(), path: path.clone() };
        let record = journal.append_synced(now, Kind::GoBurnt(record))?;
        let contents = json!(Burn { run_id: run_id.to_owned(), record }).to_string();
        let effect = Effect::BurnGo { path: path.clone(), contents: contents.clone() };
        let intent =
            Mutation { scenario: "gate", effect, undo: None }.begin(self, permit, journal)?;
        let (outcome, detail) = match self.create(&path, &contents).await {
            Created::Ours => (Outcome::Done, "burnt".to_owned()),
            Created::Theirs(text) => (Outcome::NotDone, format!("used before: {text}")),
            Created::No(why) => (Outcome::NotDone, why),
            Created::Unknown(why) => (Outcome::Unknown, why),
        };
        let value = (outcome == Outcome::Done).then(|| Proof::of(go));
        let acted = Acted { outcome, detail, samples: Vec::new(), value };
        Ok(record_outcome(self, journal, &intent, acted))
    }

    /// Puts the change set where the planner reads it.
    pub async fn put_change_set(
        &self,
        permit: &Forward,
        journal: &Writer,
        change_set: &ChangeSet,
    ) -> Result<Acted<Digest>, NotTried> {
        let contents = json!(change_set).to_string();
        let effect =
            Effect::PutChangeSet { path: CHANGE_SET_PATH.to_owned(), contents: contents.clone() };
        let undo = Some("undo.change-set".to_owned());
        let intent = Mutation { scenario: "plan", effect, undo }.begin(self, permit, journal)?;
        let value = Digest::of(&contents);
        let (outcome, detail) = match self.create(CHANGE_SET_PATH, &contents).await {
            Created::Ours => (Outcome::Done, format!("sha256 {value}")),
            Created::Theirs(text) => {
                (Outcome::NotDone, format!("another one is there already: {text}"))
            }
            Created::No(why) => (Outcome::NotDone, why),
            Created::Unknown(why) => (Outcome::Unknown, why),
        };
        let acted = Acted { outcome, detail, samples: Vec::new(), value };
        Ok(record_outcome(self, journal, &intent, acted))
    }

    /// Removes the change set from where the permit says that it is.
    pub async fn remove_change_set(
        &self,
        permit: &Undo,
        journal: &Writer,
    ) -> Result<Acted<()>, NotTried> {
        let Operation::RemoveChangeSet { path } = permit.operation() else {
            return Err(permit.other_than("remove the change set").into());
        };
        own_path(path, CHANGE_SET_PATH)?;
        let mutation = Mutation {
            scenario: "undo",
            effect: Effect::RemoveChangeSet { path: path.clone() },
            undo: Some(permit.step().to_owned()),
        };
        self.remove(permit, journal, &mutation, path).await
    }

    /// Gives the lock back, where it is still this run's: another run may hold it by now.
    pub async fn release_lock(
        &self,
        permit: LockPermit<'_>,
        journal: &Writer,
        run_id: &str,
    ) -> Result<Acted<()>, NotTried> {
        let path = permit.path()?;
        let ended = |outcome, detail| Acted { outcome, detail, samples: Vec::new(), value: () };
        match self.lock_state_or_again(run_id).await {
            LockState::Own(_) | LockState::Free => {}
            LockState::Other(other) => {
                // Ours is gone, whoever took it away: that is what the end of the run asks for.
                journal.append(self.clock.now(), Kind::LockReleased(LockReleased { path }))?;
                let detail = format!("run {} holds the lock now", other.run_id);
                return Ok(ended(Outcome::Done, detail));
            }
            // It may be another run's.
            LockState::Unread(why) => {
                let detail = format!("{path} cannot be read, so nobody can say whose it is: {why}");
                return Ok(ended(Outcome::NotDone, detail));
            }
        }
        let mutation = Mutation {
            scenario: "gate",
            effect: Effect::ReleaseLock { path: path.clone() },
            undo: Some("undo.lock".to_owned()),
        };
        let permit: &dyn Permit = match &permit {
            LockPermit::Unused(release) => release,
            LockPermit::Begun(undo) => *undo,
        };
        let acted = self.remove(permit, journal, &mutation, &path).await?;
        if acted.outcome == Outcome::Done {
            let released = Kind::LockReleased(LockReleased { path });
            if let Err(error) = journal.append(self.clock.now(), released) {
                tracing::error!(%error, "the release of the lock could not be recorded");
            }
        }
        Ok(acted)
    }

    async fn remove(
        &self,
        permit: &dyn Permit,
        journal: &Writer,
        mutation: &Mutation,
        path: &str,
    ) -> Result<Acted<()>, NotTried> {
        let intent = mutation.begin(self, permit, journal)?;
        let result = self.shell.act(Node::RouterdCloud, &Action::remove_file(path)).await;
        let said = match result {
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        let (outcome, detail) = match self.names_on_node().await {
            Ok(names) if names.iter().any(|other| other == name) => {
                (Outcome::NotDone, format!("{path} is still there: {said}"))
            }
            Ok(_) => (Outcome::Done, "gone".to_owned()),
            Err(why) => (Outcome::Unknown, format!("{said} {why}").trim().to_owned()),
        };
        let acted = Acted { outcome, detail, samples: Vec::new(), value: () };
        Ok(record_outcome(self, journal, &intent, acted))
    }

    /// Paths of the files on routerd-cloud that this run made with its go: its burn, its change set.
    ///
    /// # Errors
    /// Where the node cannot be asked, in its own words.
    pub async fn files_of(
        &self,
        run_id: &str,
        change_set: &ChangeSet,
    ) -> Result<Vec<String>, String> {
        let mut own = Vec::new();
        for name in self.names_on_node().await? {
            let path = format!("{NODE_FOLDER}/{name}");
            let is_burn = name.starts_with("burnt-");
            if !is_burn && path != CHANGE_SET_PATH {
                continue;
            }
            let node = Node::RouterdCloud;
            let ours = if is_burn {
                let answer = self.shell.observe(node, &Observe::burn(&path)).await;
                let burn = answer.map_err(|error| error.to_string())?.value;
                burn.is_ok_and(|burn| burn.is_some_and(|burn| burn.run_id == run_id))
            } else {
                let answer = self.shell.observe(node, &Observe::read_file(&path)).await;
                let said = answer.map_err(|error| error.to_string())?.value;
                said.is_ok_and(|said| said == json!(change_set).to_string().as_bytes())
            };
            if ours {
                own.push(path);
            }
        }
        Ok(own)
    }

    pub(super) async fn names_on_node(&self) -> Result<Vec<String>, String> {
        let answer = self.shell.observe(Node::RouterdCloud, &Observe::node_folder()).await;
        answer.map_err(|error| error.to_string())?.value.map_err(Unread::into_words)
    }

    /// Creates a file and, unless that plainly worked, reads back whose it is.
    pub(super) async fn create(&self, path: &str, contents: &str) -> Created {
        let action = Action::create_file(path, contents.as_bytes().to_vec());
        let said = match self.shell.act(Node::RouterdCloud, &action).await {
            Ok(output) if output.code == 0 => return Created::Ours,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) if error.why.never_sent() => return Created::No(error.to_string()),
            Err(error) => error.to_string(),
        };
        match self.shell.observe(Node::RouterdCloud, &Observe::read_file(path)).await {
            Ok(Answer { value: Ok(found), .. }) if found == contents.as_bytes() => Created::Ours,
            Ok(Answer { value: Ok(found), .. }) => {
                Created::Theirs(String::from_utf8_lossy(&found).into_owned())
            }
            Ok(Answer { value: Err(missing), .. }) => {
                Created::No(format!("{said}; {}", missing.into_words()))
            }
            Err(error) => Created::Unknown(format!("{said}; {error}")),
        }
    }
}

/// With which right a lock is released: that of a run that never burnt its go, or the undo plan's.
#[derive(Debug)]
pub enum LockPermit<'a> {
    Unused(Release),
    Begun(&'a Undo),
}

impl LockPermit<'_> {
    /// Where the lock is: without an undo plan, where every lock is.
    fn path(&self) -> Result<String, NotTried> {
        match self {
            Self::Unused(_) => Ok(LOCK_PATH.to_owned()),
            Self::Begun(undo) => {
                let Operation::ReleaseLock { path } = undo.operation() else {
                    return Err(undo.other_than("release the lab's lock").into());
                };
                own_path(path, LOCK_PATH)?;
                Ok(path.clone())
            }
        }
    }
}

/// A plan that names another file is not of a run on this lab: nothing but the run's own is removed.
fn own_path(path: &str, wanted: &str) -> Result<(), NotLab> {
    if path == wanted {
        return Ok(());
    }
    let (resource, found) = ("the file on routerd-cloud".to_owned(), path.to_owned());
    Err(NotLab::Foreign { resource, field: "path", found, wanted: wanted.to_owned() })
}
