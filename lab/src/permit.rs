//! The four values without which nothing is changed (design I1). Each can be made only here, from
//! proof: a verified go, this run's own journal, the manifest's consent.
//!
//! None of them can be forged:
//!
//! ```compile_fail,E0451
//! # fn forge(operation: reports::operation::Operation) {
//! let undo = lab::permit::Undo { step: "undo.address".to_owned(), operation };
//! # }
//! ```
//!
//! nor one that stops an instance where another was consented to:
//!
//! ```compile_fail,E0451
//! # use lab::permit::{Cost, Power};
//! let cost = Cost { instance_id: "i-1".to_owned(), power: Power::Stop };
//! ```
//!
//! nor one that gives back a lock which nobody took:
//!
//! ```compile_fail,E0423
//! let release = lab::permit::Release(());
//! ```
//!
//! nor can a command that changes a node be sent without one:
//!
//! ```compile_fail,E0624
//! # async fn wipe(lab: &lab::Lab, action: &lab::shell::Action) {
//! lab.shell.act(lab::node::Node::RouterdCloud, action).await;
//! # }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use reports::digest::Digest;
use reports::go::Verified;
use reports::journal::Writer;
use reports::record::{Effect, Kind, Operation, Outcome, Permit as PermitKind, Record};
use reports::shown::{Differs, read_shown};

use crate::ec2::Instance;
use crate::manifest::Manifest;

/// The reason why a permit is not given, or does not hold for what is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermitRefused {
    #[error("the go is not the one that this run's journal has verified")]
    NotOfThisRun,
    #[error("another go was burnt by this run: {0}")]
    OtherGoBurnt(Digest),
    #[error("the run has ended; its go is used")]
    RunEnded,
    #[error("the go is not valid before {0}")]
    NotYet(DateTime<Utc>),
    #[error("the go expired at {0}; the owner has to give a new one")]
    Expired(DateTime<Utc>),
    #[error(transparent)]
    NoLongerGood(#[from] reports::go::Refused),
    #[error("the run was told to stop: nothing new is begun")]
    ToldToStop,
    #[error("no go was burnt by this run, so there is nothing of its own to undo")]
    NothingBegun,
    #[error("`{0}` is not a step of the undo plan that the go granted")]
    NotInPlan(String),
    #[error(transparent)]
    Differs(#[from] Differs),
    #[error("nothing is ended without the proof that the owner granted it")]
    NotProved,
    #[error("the permit is to {permitted}, and not to {wanted}")]
    OtherOperation { permitted: String, wanted: &'static str },
    #[error("the manifest does not let the run stop or start instances (consent.stop_instances)")]
    NoConsent,
    #[error(
        "the manifest does not let preflight start what it finds stopped (consent.start_instances)"
    )]
    NoConsentToStart,
    #[error("{0} does not carry the lab's tag")]
    NotTagged(String),
}

/// Says that no forward work is to be begun any more: a signal, a tripped stop.
#[derive(Clone, Debug, Default)]
pub struct Brake(Arc<AtomicBool>);

impl Brake {
    /// Stops new forward work, for every clone. Nothing takes it back.
    pub fn pull(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was pulled, on any clone.
    pub fn pulled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// For forward work: from a verified go that is unused, or burnt by this very run.
#[derive(Debug)]
pub struct Forward {
    go: Verified,
    brake: Brake,
}

impl Forward {
    /// The journal must hold the verification of this very go, and no burn of another.
    pub fn grant(go: &Verified, journal: &Writer, brake: Brake) -> Result<Self, PermitRefused> {
        let go_digest = go.digest().clone();
        journal.with_records(|records| {
            if records.iter().any(|record| matches!(record.kind, Kind::RunFinished(_))) {
                return Err(PermitRefused::RunEnded);
            }
            if let Some(burnt) = burnt(records)
                && burnt != go_digest
            {
                return Err(PermitRefused::OtherGoBurnt(burnt));
            }
            match verified(records) {
                Some(digest) if digest == go_digest => Ok(()),
                _ => Err(PermitRefused::NotOfThisRun),
            }
        })?;
        Ok(Self { go: go.clone(), brake })
    }

    /// The digest of the go that the permit comes from.
    pub fn go_digest(&self) -> &Digest {
        self.go.digest()
    }

    pub(crate) fn go(&self) -> &Verified {
        &self.go
    }

    /// Asked again before each mutation.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<(), PermitRefused> {
        if self.brake.pulled() {
            Err(PermitRefused::ToldToStop)
        } else if now < self.go.not_before() {
            Err(PermitRefused::NotYet(self.go.not_before()))
        } else if now > self.go.not_after() {
            Err(PermitRefused::Expired(self.go.not_after()))
        } else {
            // Signature, signer and all that it binds: a signer's own time may have ended.
            Ok(self.go.again(now)?)
        }
    }
}

/// For one step of the undo and teardown plan that a verified go granted: what is done, and to what,
/// as the plan has it. It does not expire: what was begun can always be ended.
#[derive(Debug)]
pub struct Undo {
    step: String,
    operation: Operation,
}

/// The proof that the owner granted the undo plan, and that this run used the go up: the signature
/// holds, and the node has the burn. Made by the burn itself, and by [`crate::Lab::prove_go`].
///
/// ```compile_fail,E0451
/// # fn forge(digest: reports::digest::Digest) {
/// let proof = lab::permit::Proof { go_digest: digest.clone(), plan_digest: digest };
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Proof {
    go_digest: Digest,
    plan_digest: Digest,
}

impl Proof {
    /// The proof for a go whose signature holds, and whose burn was seen.
    pub(crate) fn of(go: &Verified) -> Self {
        Self { go_digest: go.digest().clone(), plan_digest: go.undo_plan_digest().clone() }
    }
}

impl Undo {
    /// For what ends something of the lab the proof is needed too: a journal alone may be anybody's.
    pub fn for_step(
        journal: &Writer,
        step: &str,
        proof: Option<&Proof>,
    ) -> Result<Self, PermitRefused> {
        journal.with_records(|records| {
            let shown = read_shown(records)?;
            let burnt = shown.burnt.ok_or(PermitRefused::NothingBegun)?;
            let verified = shown.verified.ok_or(PermitRefused::NothingBegun)?;
            if verified.go_digest != burnt.go.go_digest {
                return Err(PermitRefused::OtherGoBurnt(burnt.go.go_digest.clone()));
            }
            let steps = shown.granted_plan().map(|plan| plan.steps.as_slice()).unwrap_or_default();
            let planned = steps.iter().find(|planned| planned.id == step);
            let planned = planned.ok_or_else(|| PermitRefused::NotInPlan(step.to_owned()))?;
            let proves = |proof: &Proof| {
                (&proof.go_digest, &proof.plan_digest)
                    == (&verified.go_digest, &verified.undo_plan_digest)
            };
            if planned.operation.needs_proof() && !proof.is_some_and(proves) {
                return Err(PermitRefused::NotProved);
            }
            Ok(Self { step: step.to_owned(), operation: planned.operation.clone() })
        })
    }

    /// The id of the step in the undo plan, as `undo.address`.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// The operation of the step, as the plan has it.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Why it is no permit for something else.
    pub(crate) fn other_than(&self, wanted: &'static str) -> PermitRefused {
        let permitted = format!("{} ({})", self.operation.what(), self.operation.resource());
        PermitRefused::OtherOperation { permitted, wanted }
    }
}

/// The act that a [`Cost`] permit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerChange {
    Stop,
    Start,
    /// To arm, renew and disarm its dead man's switch.
    Switch,
}

/// For stopping, for starting, or for the dead man's switch of one instance alone: the manifest
/// consents, and the tag proves that the instance is the lab's.
#[derive(Debug)]
pub struct Cost {
    instance_id: String,
    power: PowerChange,
}

impl Cost {
    /// Permits to stop this instance. Fails where the manifest does not consent ([`PermitRefused::NoConsent`]), or
    /// the instance does not carry the lab's tag ([`PermitRefused::NotTagged`]).
    pub fn to_stop(manifest: &Manifest, instance: &Instance) -> Result<Self, PermitRefused> {
        Self::grant(manifest, instance, PowerChange::Stop)
    }

    /// Permits to start this instance. Fails where the manifest does not consent ([`PermitRefused::NoConsent`]), or
    /// the instance does not carry the lab's tag ([`PermitRefused::NotTagged`]).
    pub fn to_start(manifest: &Manifest, instance: &Instance) -> Result<Self, PermitRefused> {
        Self::grant(manifest, instance, PowerChange::Start)
    }

    /// Permits to arm this instance's dead man's switch, to renew and to disarm it. Fails as
    /// [`Cost::to_stop`] does: who may not stop it may not let it stop itself.
    pub fn to_switch(manifest: &Manifest, instance: &Instance) -> Result<Self, PermitRefused> {
        Self::grant(manifest, instance, PowerChange::Switch)
    }

    /// Permits to start this instance, which the run found stopped. Fails as [`Self::to_start`] does, and
    /// where the manifest does not consent to that ([`PermitRefused::NoConsentToStart`]).
    pub fn to_start_found(manifest: &Manifest, instance: &Instance) -> Result<Self, PermitRefused> {
        if !manifest.consent.start_instances {
            return Err(PermitRefused::NoConsentToStart);
        }
        Self::grant(manifest, instance, PowerChange::Start)
    }

    fn grant(
        manifest: &Manifest,
        instance: &Instance,
        power: PowerChange,
    ) -> Result<Self, PermitRefused> {
        if !manifest.consent.stop_instances {
            return Err(PermitRefused::NoConsent);
        }
        let tag = instance.tags.get(&manifest.lab.tag_key);
        if tag.is_none_or(|value| *value != manifest.lab.tag_value) {
            return Err(PermitRefused::NotTagged(instance.instance_id.clone()));
        }
        Ok(Self { instance_id: instance.instance_id.clone(), power })
    }

    /// The id of the one instance that the permit is for.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    pub(crate) fn is_to(&self, power: PowerChange) -> Result<(), PermitRefused> {
        if self.power == power {
            return Ok(());
        }
        let word = |power| match power {
            PowerChange::Stop => "stop an instance",
            PowerChange::Start => "start an instance",
            PowerChange::Switch => "keep the dead man's switch of an instance",
        };
        let permitted = format!("{} ({})", word(self.power), self.instance_id);
        Err(PermitRefused::OtherOperation { permitted, wanted: word(power) })
    }
}

/// For giving the lab's lock back, and for keeping it until then. Made from the permit under which it was
/// taken; it does not expire, for a lock that cannot be given back would bar the lab.
#[derive(Debug)]
pub struct Release(());

impl Release {
    /// From the journal of the run that took the lock: its outcome says so, and no record says that
    /// it was given back.
    pub fn of_run(journal: &Writer) -> Option<Self> {
        journal.with_records(|records| {
            let taken = records.iter().rev().find_map(|record| match &record.kind {
                Kind::Intent(intent) if matches!(intent.effect, Effect::TakeLock { .. }) => {
                    Some(intent.id.clone())
                }
                _ => None,
            })?;
            let done = records.iter().any(|record| match &record.kind {
                Kind::Outcome(it) => it.intent == taken && it.outcome == Outcome::Done,
                _ => false,
            });
            let back = records.iter().any(|it| matches!(it.kind, Kind::LockReleased(_)));
            (done && !back).then_some(Self(()))
        })
    }
}

impl From<&Forward> for Release {
    fn from(_taken_with: &Forward) -> Self {
        Self(())
    }
}

/// The questions that every permit answers for the record.
pub(crate) trait Permit {
    fn kind(&self) -> PermitKind;
    /// The step of the undo plan that this mutation carries out or is taken back by.
    fn check(&self, now: DateTime<Utc>) -> Result<(), PermitRefused>;
    /// Forward work needs its record first; undo goes on where it cannot be written (I2).
    fn needs_record(&self) -> bool;
}

impl Permit for Forward {
    fn kind(&self) -> PermitKind {
        PermitKind::Forward
    }

    fn check(&self, now: DateTime<Utc>) -> Result<(), PermitRefused> {
        Self::check(self, now)
    }

    fn needs_record(&self) -> bool {
        true
    }
}

impl Permit for Undo {
    fn kind(&self) -> PermitKind {
        PermitKind::Undo
    }

    fn check(&self, _now: DateTime<Utc>) -> Result<(), PermitRefused> {
        Ok(())
    }

    fn needs_record(&self) -> bool {
        false
    }
}

impl Permit for Cost {
    fn kind(&self) -> PermitKind {
        PermitKind::Cost
    }

    fn check(&self, _now: DateTime<Utc>) -> Result<(), PermitRefused> {
        Ok(())
    }

    fn needs_record(&self) -> bool {
        true
    }
}

impl Permit for Release {
    fn kind(&self) -> PermitKind {
        PermitKind::Undo
    }

    fn check(&self, _now: DateTime<Utc>) -> Result<(), crate::permit::PermitRefused> {
        Ok(())
    }

    fn needs_record(&self) -> bool {
        false
    }
}

fn burnt(records: &[Record]) -> Option<Digest> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoBurnt(burnt) => Some(burnt.go_digest.clone()),
        _ => None,
    })
}

/// The go that was verified last.
fn verified(records: &[Record]) -> Option<Digest> {
    records.iter().rev().find_map(|record| match &record.kind {
        Kind::GoVerified(go) => Some(go.go_digest.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
