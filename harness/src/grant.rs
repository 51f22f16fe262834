//! Where a go comes from: the owner's two files, or a lab that needs no owner and grants itself
//! with a key of that lab alone.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::LocalBoxFuture;
use lab::clock::Clock;
use lab::mock::faults::GoFault;
use reports::folder::read_no_follow;
use reports::go::{Document, GO_VERSION, SELF_PRINCIPAL, self_grant};
use scenarios::run::{Go, GoRequest, GoSource};

/// Longer than any run on a built-in lab.
const VALID_FOR: TimeDelta = TimeDelta::hours(1);

/// Signs for a built-in lab; a lab of kind aws gets nothing from it.
#[derive(Debug)]
pub struct LabItself {
    /// Of the ed25519 key.
    pub key_seed: [u8; 32],
    pub clock: Clock,
    /// How its go is made to go wrong.
    pub fault: Option<GoFault>,
}

impl GoSource for LabItself {
    fn go<'a>(&'a self, request: &'a GoRequest) -> LocalBoxFuture<'a, Option<Go>> {
        Box::pin(std::future::ready(self.grant(request)))
    }
}

impl LabItself {
    fn grant(&self, request: &GoRequest) -> Option<Go> {
        if matches!(self.fault, Some(GoFault::Missing | GoFault::OwnerSilent)) {
            return None;
        }
        let age =
            if self.fault == Some(GoFault::Expired) { VALID_FOR * 2 } else { TimeDelta::zero() };
        let now = self.clock.now() - age;
        let document = Document {
            version: GO_VERSION,
            run_id: request.run_id.clone(),
            facts_digest: request.facts_digest.clone(),
            change_set: request.change_set.clone(),
            undo_plan_digest: request.undo_plan_digest.clone(),
            lab_fingerprint: request.lab_fingerprint.clone(),
            lab_kind: request.lab_kind,
            principal: SELF_PRINCIPAL.to_owned(),
            not_before: now,
            not_after: now + VALID_FOR,
        };
        // A lab that must not grant itself has no go: the run then awaits its owner's.
        let mut grant = self_grant(&self.key_seed, &document).ok()?;
        if self.fault == Some(GoFault::Edited) {
            grant.document.push(b' ');
        }
        Some(Go {
            document: grant.document,
            signature: grant.signature.into_bytes(),
            allowed_signers: grant.allowed_signers,
            self_granted: true,
        })
    }
}

/// `go.json` and, beside it, `go.json.sig`; the signers come from the manifest outside the folder.
#[derive(Clone, Debug)]
pub struct OwnersFiles {
    pub document: PathBuf,
    pub allowed_signers: String,
    /// How long nobody sees them, from when they are awaited: a fault of the mock.
    pub hidden_for: Duration,
}

/// What lies where the go should.
#[derive(Clone, Debug)]
pub enum Found {
    Nothing,
    /// The document alone: its signature may still come.
    Unsigned,
    /// A link, a folder, or what may not be read.
    Unreadable(String),
    Go(Go),
}

impl OwnersFiles {
    /// `waited` is for how long they have been awaited.
    pub fn look(&self, waited: Duration) -> Found {
        if waited < self.hidden_for {
            return Found::Nothing;
        }
        let document = match read(&self.document) {
            Ok(Some(document)) => document,
            Ok(None) => return Found::Nothing,
            Err(why) => return Found::Unreadable(why),
        };
        match read(&signature_of(&self.document)) {
            Ok(Some(signature)) => Found::Go(Go {
                document,
                signature,
                allowed_signers: self.allowed_signers.clone(),
                self_granted: false,
            }),
            Ok(None) => Found::Unsigned,
            Err(why) => Found::Unreadable(why),
        }
    }
}

impl GoSource for OwnersFiles {
    fn go<'a>(&'a self, _request: &'a GoRequest) -> LocalBoxFuture<'a, Option<Go>> {
        let go = match self.look(Duration::MAX) {
            Found::Go(go) => Some(go),
            Found::Nothing | Found::Unsigned | Found::Unreadable(_) => None,
        };
        Box::pin(std::future::ready(go))
    }
}

/// `go.json.sig`, as ssh-keygen names it.
pub fn signature_of(document: &Path) -> PathBuf {
    let mut name = OsString::from(document);
    name.push(".sig");
    name.into()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match read_no_follow(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}; a go is a plain file", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::digest::Digest;
    use reports::record::LabKind;

    fn granted(lab_kind: LabKind) -> Option<Go> {
        let request = GoRequest {
            run_id: "run-1".into(),
            lab_kind,
            lab_fingerprint: Digest::of("lab"),
            facts_digest: Digest::of("facts"),
            change_set: serde_json::json!({"address": "10.88.60.9"}),
            undo_plan_digest: Digest::of("undo"),
        };
        LabItself { key_seed: [7; 32], clock: Clock::System, fault: None }.grant(&request)
    }

    #[test]
    fn a_built_in_lab_grants_itself_and_says_so() {
        for kind in [LabKind::Mock, LabKind::Netns] {
            assert!(granted(kind).is_some_and(|go| go.self_granted), "{kind:?}");
        }
    }

    #[test]
    fn aws_never_does() {
        assert!(granted(LabKind::Aws).is_none());
    }
}
