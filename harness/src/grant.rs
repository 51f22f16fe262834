//! The go of a lab that needs no owner: it grants itself, with a key of that lab alone.

use chrono::TimeDelta;
use futures::future::LocalBoxFuture;
use lab::clock::Clock;
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
}

impl GoSource for LabItself {
    fn go<'a>(&'a self, request: &'a GoRequest) -> LocalBoxFuture<'a, Option<Go>> {
        Box::pin(std::future::ready(self.grant(request)))
    }
}

impl LabItself {
    fn grant(&self, request: &GoRequest) -> Option<Go> {
        let now = self.clock.now();
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
        let grant = self_grant(&self.key_seed, &document).ok()?;
        Some(Go {
            document: grant.document,
            signature: grant.signature.into_bytes(),
            allowed_signers: grant.allowed_signers,
            self_granted: true,
        })
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
        LabItself { key_seed: [7; 32], clock: Clock::System }.grant(&request)
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
