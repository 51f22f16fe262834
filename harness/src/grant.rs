//! Where a go comes from: the owner's two files, or a lab that needs no owner and grants itself
//! with a key of that lab alone.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::LocalBoxFuture;
use lab::clock::Clock;
use lab_mock::faults::GoFault;
use reports::folder::{SMALL_LIMIT_BYTES, read_plain};
use reports::go::{Expectation, GO_VERSION, GoDocument, SELF_PRINCIPAL, self_grant};
use scenarios::run::{Go, GoSource};

/// Longer than any run on a built-in lab.
const VALID_FOR: TimeDelta = TimeDelta::hours(1);

/// Signs for a built-in lab; a lab of kind aws gets nothing from it.
#[derive(Debug)]
pub struct LabItself {
    /// The seed of the ed25519 key.
    pub key_seed: [u8; 32],
    pub clock: Clock,
    /// How its go is made to go wrong.
    pub fault: Option<GoFault>,
}

impl GoSource for LabItself {
    fn go<'a>(&'a self, expected: &'a Expectation) -> LocalBoxFuture<'a, Option<Go>> {
        Box::pin(std::future::ready(self.grant(expected)))
    }
}

impl LabItself {
    fn grant(&self, expected: &Expectation) -> Option<Go> {
        if matches!(self.fault, Some(GoFault::Missing | GoFault::OwnerSilent)) {
            return None;
        }
        let age =
            if self.fault == Some(GoFault::Expired) { VALID_FOR * 2 } else { TimeDelta::zero() };
        let now = self.clock.now() - age;
        let document = GoDocument {
            version: GO_VERSION,
            run_id: expected.run_id.clone(),
            facts_digest: expected.facts_digest.clone(),
            change_set: expected.change_set.clone(),
            undo_plan_digest: expected.undo_plan_digest.clone(),
            lab_fingerprint: expected.lab_fingerprint.clone(),
            lab_kind: expected.lab_kind,
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

/// The state of the place where the go should lie.
#[derive(Clone, Debug)]
pub enum FoundGo {
    Nothing,
    /// The document alone: its signature may still come.
    Unsigned,
    /// A link, a folder, or what may not be read.
    Unreadable(String),
    Go(Go),
}

impl OwnersFiles {
    /// `waited` is for how long they have been awaited.
    pub fn look(&self, waited: Duration) -> FoundGo {
        if waited < self.hidden_for {
            return FoundGo::Nothing;
        }
        let document = match read(&self.document) {
            Ok(Some(document)) => document,
            Ok(None) => return FoundGo::Nothing,
            Err(why) => return FoundGo::Unreadable(why),
        };
        match read(&signature_of(&self.document)) {
            Ok(Some(signature)) => FoundGo::Go(Go {
                document,
                signature,
                allowed_signers: self.allowed_signers.clone(),
                self_granted: false,
            }),
            Ok(None) => FoundGo::Unsigned,
            Err(why) => FoundGo::Unreadable(why),
        }
    }
}

impl GoSource for OwnersFiles {
    fn go<'a>(&'a self, _expected: &'a Expectation) -> LocalBoxFuture<'a, Option<Go>> {
        let go = match self.look(Duration::MAX) {
            FoundGo::Go(go) => Some(go),
            FoundGo::Nothing | FoundGo::Unsigned | FoundGo::Unreadable(_) => None,
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
    match read_plain(path, SMALL_LIMIT_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}; a go is a plain file", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use reports::digest::Digest;
    use reports::record::LabKind;
    use scenarios::gate;

    fn request(lab_kind: LabKind) -> Expectation {
        Expectation {
            run_id: "run-1".into(),
            lab_kind,
            lab_fingerprint: Digest::of("lab"),
            facts_digest: Digest::of("facts"),
            change_set: serde_json::json!({"address": "10.88.60.9"}),
            undo_plan_digest: Digest::of("undo"),
        }
    }

    fn granted(lab_kind: LabKind, fault: Option<GoFault>) -> Option<Go> {
        let lab = LabItself { key_seed: [7; 32], clock: Clock::System, fault };
        lab.go(&request(lab_kind)).now_or_never().expect("nothing is waited for")
    }

    #[test]
    fn a_built_in_lab_grants_itself_and_says_so() {
        for kind in [LabKind::Mock, LabKind::Netns] {
            assert!(granted(kind, None).is_some_and(|go| go.self_granted), "{kind:?}");
        }
    }

    #[test]
    fn aws_never_does() {
        assert!(granted(LabKind::Aws, None).is_none());
    }

    /// A fault of its go does what it says: whether there is a go, and what the gate says.
    #[test]
    fn a_faulty_go_is_none_or_is_refused() {
        for (fault, expected) in [
            (None, Some(Ok(()))),
            (Some(GoFault::Missing), None),
            (Some(GoFault::OwnerSilent), None),
            (Some(GoFault::Edited), Some(Err("signature"))),
            (Some(GoFault::Expired), Some(Err("expired"))),
        ] {
            let request = request(LabKind::Mock);
            let judged = granted(LabKind::Mock, fault).map(|go| {
                let checked = gate::check_go(&request, &go, Clock::System.now());
                checked.map(|_| ()).map_err(|refused| refused.rule)
            });
            let judged =
                judged.as_ref().map(|it| it.as_ref().map(|&()| ()).map_err(String::as_str));
            assert_eq!(judged, expected, "{fault:?}");
        }
    }

    /// Table: what lies there as the file and as its signature, and what is seen.
    #[test]
    fn a_go_is_two_plain_files_that_are_not_hidden() {
        #[derive(Clone, Copy, Debug)]
        enum Lies {
            Nothing,
            File,
            Folder,
        }
        use Lies::{File, Folder, Nothing};
        for (document, signature, seen) in [
            (Nothing, Nothing, "nothing"),
            (Nothing, File, "nothing"),
            (File, Nothing, "unsigned"),
            (File, File, "a go"),
            (Folder, File, "unreadable"),
            (File, Folder, "unreadable"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("go.json");
            for (path, lies, text) in [
                (path.clone(), document, "document"),
                (folder.path().join("go.json.sig"), signature, "signature"),
            ] {
                match lies {
                    Nothing => {}
                    File => std::fs::write(path, text).expect("written"),
                    Folder => std::fs::create_dir(path).expect("made"),
                }
            }
            let hidden_for = Duration::from_secs(5);
            let files =
                OwnersFiles { document: path, allowed_signers: "signers".into(), hidden_for };
            assert!(matches!(files.look(Duration::from_secs(4)), FoundGo::Nothing), "it is hidden");
            let found = files.look(hidden_for);
            let word = match &found {
                FoundGo::Nothing => "nothing",
                FoundGo::Unsigned => "unsigned",
                FoundGo::Unreadable(_) => "unreadable",
                FoundGo::Go(_) => "a go",
            };
            assert_eq!(word, seen, "{document:?} {signature:?}: {found:?}");
            let go =
                files.go(&request(LabKind::Mock)).now_or_never().expect("nothing is waited for");
            let read = go.map(|go| (go.document, go.signature, go.self_granted));
            let expected = (b"document".to_vec(), b"signature".to_vec(), false);
            assert_eq!(read, (seen == "a go").then_some(expected));
        }
    }
}
