//! Whether the go that the journal says was verified lies there, is good, and is the given signers'.

use ssh_key::{HashAlg, PublicKey, public::KeyData};

use crate::bundle::Bundle;
use crate::digest::Digest;
use crate::folder::{GO_FILE, GO_SIGNATURE_FILE};
use crate::go::{AllowedSigners, Expectation, NAMESPACE, check_signature, verify_go};
use crate::record::{GoVerified, Kind, Record};
use crate::shown::read_shown;

/// The go of a run, as its files show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoFound {
    /// None was verified.
    None,
    /// The journal says that one was verified, and it does not hold.
    Broken,
    /// The lab granted it to itself: nobody's word.
    SelfGranted,
    /// It is good, and nobody said whose key it is.
    SignerNotEstablished {
        principal: String,
        fingerprint: String,
    },
    Allowed {
        principal: String,
        fingerprint: String,
    },
}

pub(super) fn check_go(
    bundle: &Bundle,
    records: &[Record],
    signers: Option<&AllowedSigners>,
    problems: &mut Vec<String>,
) -> GoFound {
    if let Err(differs) = read_shown(records) {
        problems.push(differs.to_string());
    }
    let at = records.iter().rposition(|record| matches!(record.kind, Kind::GoVerified(_)));
    let Some((at, Kind::GoVerified(go))) = at.map(|at| (at, &records[at].kind)) else {
        return GoFound::None;
    };
    match holds(bundle, &records[..=at], go, signers) {
        Ok(found) => found,
        Err(why) => {
            problems.push(why);
            GoFound::Broken
        }
    }
}

fn holds(
    bundle: &Bundle,
    records: &[Record],
    go: &GoVerified,
    signers: Option<&AllowedSigners>,
) -> Result<GoFound, String> {
    let (document, signature) = find_files(bundle, &go.go_digest)
        .ok_or_else(|| format!("no {GO_FILE} has the digest of the go that was verified"))?;
    let signature =
        std::str::from_utf8(signature).map_err(|_| format!("{GO_SIGNATURE_FILE} is no text"))?;
    let key = check_signature(document, signature, NAMESPACE, GO_SIGNATURE_FILE)
        .map_err(|refused| refused.to_string())?;
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    if fingerprint != go.key_fingerprint {
        let said = &go.key_fingerprint;
        return Err(format!("the go is signed by {fingerprint}, and the journal says {said}"));
    }
    let expected = expectation(records).ok_or("a go was verified, and no facts were asked for")?;
    let now = records.last().map(|record| record.at).ok_or("the journal has no record")?;
    let outside = signers.filter(|_| !go.self_granted);
    let own;
    let judge = if let Some(outside) = outside {
        outside
    } else {
        own = allow_itself(go, &key)?;
        &own
    };
    let verified = verify_go(document, signature, judge, &expected, now)
        .map_err(|refused| refused.to_string())?;
    let same = verified.principal() == go.principal
        && (verified.not_before(), verified.not_after()) == (go.not_before, go.not_after)
        && *verified.undo_plan_digest() == go.undo_plan_digest;
    if !same {
        return Err("the journal says of the go what does not stand in it".to_owned());
    }
    let principal = go.principal.clone();
    Ok(match (go.self_granted, outside) {
        (true, _) => GoFound::SelfGranted,
        (false, Some(_)) => GoFound::Allowed { principal, fingerprint },
        (false, None) => GoFound::SignerNotEstablished { principal, fingerprint },
    })
}

/// The go may have been set aside for a later one that was not taken.
fn find_files<'a>(bundle: &'a Bundle, digest: &Digest) -> Option<(&'a [u8], &'a [u8])> {
    let earlier = bundle.names().filter_map(|name| name.strip_prefix("go.json."));
    let suffixes = earlier.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    let suffixes = std::iter::once(String::new()).chain(suffixes.map(|it| format!(".{it}")));
    let pair = |suffix: &str| {
        let document = bundle.file(&format!("{GO_FILE}{suffix}"))?;
        let signature = bundle.file(&format!("{GO_SIGNATURE_FILE}{suffix}"))?;
        (Digest::of(document) == *digest).then_some((document, signature))
    };
    suffixes.into_iter().find_map(|suffix| pair(&suffix))
}

/// What the go had to be for, by what the journal had shown when it was verified.
fn expectation(records: &[Record]) -> Option<Expectation> {
    let shown = read_shown(records).ok()?;
    let (facts, plan) = shown.facts.zip(shown.plan)?;
    let started = records.iter().find_map(|record| match &record.kind {
        Kind::RunStarted(started) => Some(started),
        _ => None,
    })?;
    Some(Expectation {
        run_id: started.run_id.clone(),
        facts_digest: facts.facts_digest.clone(),
        change_set: facts.change_set.clone(),
        undo_plan_digest: plan.digest.clone(),
        lab_fingerprint: facts.lab_fingerprint.clone(),
        lab_kind: started.lab.kind,
    })
}

/// Where nobody said whose key it is, everything else about the go is judged all the same.
fn allow_itself(go: &GoVerified, key: &KeyData) -> Result<AllowedSigners, String> {
    let public = PublicKey::from(key.clone()).to_openssh().map_err(|error| error.to_string())?;
    let line = format!("\"{}\" namespaces=\"{NAMESPACE}\" {public}", go.principal);
    let signers = if go.self_granted {
        AllowedSigners::of_the_lab(&line)
    } else {
        AllowedSigners::parse(&line)
    };
    signers.map_err(|bad| bad.to_string())
}
