//! The owner's go: verified, the lab locked, the ENI read again under the lock, the go used up; in
//! this order, so that nothing can change in between and no copy of the go can be used again.

use lab::Lab;
use lab::permit::Forward;
use reports::go::{AllowedSigners, Expectation, Verified, verify_go};
use reports::record::LabKind;
use reports::record::{GoRefused, GoVerified, Kind, Outcome};
use reports::shown::read_shown;
use serde_json::{Value, json};

use crate::baseline::restorable_fields;
use crate::cloud_state;
use crate::context::{Context, How};
use crate::run::{Go, Run};
use crate::stops;
use crate::switch::{self, Arming};

pub const GO: &str = "gate.go";
pub const LOCK: &str = "gate.lock";
pub const UNCHANGED: &str = "gate.unchanged-under-lock";
pub const CLOUD_UNCHANGED: &str = "gate.cloud-unchanged-under-lock";
pub const BURNT: &str = "gate.go-burnt";

pub const SWITCH: &str = "gate.dead-mans-switch";

pub const ASSERTS: &[&str] = &[GO, SWITCH, LOCK, UNCHANGED, CLOUD_UNCHANGED, BURNT];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let Some(verified) = verified(lab, ctx).await else { return };
    let forward = match Forward::grant(&verified, ctx.journal, ctx.run.brake.clone()) {
        Ok(forward) => std::rc::Rc::new(forward),
        Err(error) => {
            let how = How::words("the run's journal");
            ctx.check(LOCK)
                .expects(json!("permit"))
                .seen(how)
                .fails(Value::Null, error.to_string());
            return;
        }
    };
    ctx.run.state.borrow_mut().forward = Some(forward.clone());
    if !Box::pin(guard(lab, ctx)).await {
        return;
    }
    if take_lock(lab, ctx, &forward).await && Box::pin(unchanged(lab, ctx)).await {
        burn(lab, ctx, &forward).await;
    }
}

/// The terms that a go has to be for; none before preflight and the undo plan.
pub fn make_go_request(lab_kind: LabKind, run: &Run) -> Option<Expectation> {
    let state = run.state.borrow();
    Some(Expectation {
        run_id: run.id.clone(),
        lab_kind,
        lab_fingerprint: state.lab_fingerprint.clone()?,
        facts_digest: state.facts_digest.clone()?,
        change_set: json!(run.change_set),
        undo_plan_digest: state.undo_plan.as_ref()?.digest.clone(),
    })
}

async fn verified(lab: &Lab, ctx: &mut Context<'_>) -> Option<Verified> {
    let request = make_go_request(lab.manifest.lab.kind, ctx.run)?;
    if let Err(differs) = ctx.journal.with_records(|records| read_shown(records).map(drop)) {
        let how = How::words("the run's journal");
        ctx.check(GO)
            .expects(json!("every digest"))
            .seen(how)
            .fails(Value::Null, differs.to_string());
        return None;
    }
    let how = How::words("go.json and go.json.sig");
    let expected = json!({
        "run_id": request.run_id,
        "facts_digest": request.facts_digest,
        "undo_plan_digest": request.undo_plan_digest,
        "lab_fingerprint": request.lab_fingerprint,
    });
    let Some(go) = ctx.run.go.go(&request).await else {
        ctx.check(GO).expects(expected).seen(how).fails(Value::Null, "there is no go".to_owned());
        return None;
    };
    match check_go(&request, &go, lab.clock.now()) {
        Ok(verified) => {
            let observed = json!({
                "go_digest": verified.digest(),
                "principal": verified.principal(),
                "key": verified.key_fingerprint(),
                "self_granted": verified.self_granted(),
            });
            ctx.check(GO).expects(expected).seen(how).passes(observed);
            let record = GoVerified {
                go_digest: verified.digest().clone(),
                principal: verified.principal().to_owned(),
                key_fingerprint: verified.key_fingerprint().to_owned(),
                not_before: verified.not_before(),
                not_after: verified.not_after(),
                undo_plan_digest: verified.undo_plan_digest().clone(),
                self_granted: verified.self_granted(),
            };
            ctx.write(Kind::GoVerified(record));
            Some(verified)
        }
        Err(refused) => {
            let refused = with_differing_facts(ctx, refused);
            let (rule, reason) = (&refused.rule, refused.reason.clone());
            ctx.check(GO).expects(expected).seen(how).fails(json!({ "rule": rule }), reason);
            ctx.write(Kind::GoRefused(refused));
            None
        }
    }
}

/// Which fields of the facts are not as the owner was shown them, where that is why.
fn with_differing_facts(ctx: &Context<'_>, refused: GoRefused) -> GoRefused {
    if refused.rule != FACTS_RULE {
        return refused;
    }
    let differ = ctx.journal.with_records(|records| {
        records.iter().rev().find_map(|record| match &record.kind {
            Kind::FactsDiffer(differ) => Some(differ.describe()),
            _ => None,
        })
    });
    match differ {
        Some(differ) => GoRefused { reason: format!("{}: {differ}", refused.reason), ..refused },
        None => refused,
    }
}

/// The name of the rule by which a go for other facts is refused.
const FACTS_RULE: &str = "facts-digest";

/// Whether the go is good for that, now. It changes nothing, so that it can be asked offline.
pub fn check_go(
    expected: &Expectation,
    go: &Go,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Verified, GoRefused> {
    let refused = |rule: &str, reason: String| GoRefused { rule: rule.to_owned(), reason };
    let signers = if go.self_granted {
        AllowedSigners::of_the_lab(&go.allowed_signers)
    } else {
        AllowedSigners::parse(&go.allowed_signers)
    };
    let signers = signers.map_err(|error| refused("allowed-signers", error.to_string()))?;
    let signature = std::str::from_utf8(&go.signature)
        .map_err(|_| refused("signature", "go.json.sig is not text".to_owned()))?;
    verify_go(&go.document, signature, &signers, expected, now)
        .map_err(|error| refused(error.rule, error.reason))
}

/// The dead man's switch of each instance that the run may stop, before anything is begun that would need
/// the run's process to end it.
async fn guard(lab: &Lab, ctx: &mut Context<'_>) -> bool {
    let how = How::words("a timer on each instance that the run may stop");
    let working = lab.switch_times().working;
    let expected = json!(format!("each goes off by itself after {} s", working.as_secs()));
    match switch::guard_run(lab, ctx.run, ctx.journal, "gate", working).await {
        Arming::Armed(ids) => {
            ctx.check(SWITCH).expects(expected).seen(how).passes(json!({ "armed": ids }))
        }
        Arming::Nothing(why) => {
            let observed = json!({ "armed": [], "why": why });
            ctx.check(SWITCH).expects(expected).seen(how).passes(observed)
        }
        // Taking the lock says so.
        Arming::Held(by) => {
            ctx.check(SWITCH).seen(how).skipped(Value::Null, format!("the lab is held by {by}"));
            true
        }
        Arming::Failed(why) => {
            ctx.check(SWITCH).expects(expected).seen(how).fails(Value::Null, why);
            false
        }
    }
}

async fn take_lock(lab: &Lab, ctx: &mut Context<'_>, forward: &Forward) -> bool {
    let how = How::words("create the lock on routerd-cloud");
    let expected = json!({ "run_id": ctx.run.id });
    match lab.take_lock(forward, ctx.journal, &ctx.run.id).await {
        Ok(acted) if acted.outcome == Outcome::Done => {
            ctx.run.state.borrow_mut().lock_taken = true;
            ctx.check(LOCK).expects(expected).seen(how).passes(json!(acted.value))
        }
        Ok(acted) if acted.outcome == Outcome::Unknown => {
            ctx.check(LOCK).expects(expected).seen(how).unknown(acted.detail);
            false
        }
        Ok(acted) => {
            let held_by = acted.value.as_ref().map(|holder| holder.run_id.clone());
            ctx.unavailable(format!("the lab's lock: {}", acted.detail), held_by);
            ctx.check(LOCK).seen(how).skipped(json!(acted.value), acted.detail);
            false
        }
        Err(error) => {
            ctx.not_tried(LOCK, expected, how, &error);
            false
        }
    }
}

/// Reads again, under the lock, what the owner decided on.
async fn unchanged(lab: &Lab, ctx: &mut Context<'_>) -> bool {
    let Some(baseline) = ctx.run.baseline() else { return false };
    let address = lab.manifest.capture.address.addr();
    let holders = lab.reader.holders_of(&lab.manifest.aws.vpc_id, address);
    let (eni, holders, around) = futures::join!(
        lab.reader.network_interface(&lab.manifest.capture.network_interface_id),
        holders,
        cloud_state::ask(lab),
    );
    let expected = json!({ "interface": restorable_fields(&baseline.interface), "holders": [] });
    let same =
        cloud_state::judge(lab, ctx, CLOUD_UNCHANGED, around).is_some_and(|it| it.is_empty());
    let (eni, holders) = match (eni, holders) {
        (Ok(eni), Ok(holders)) => (eni, holders),
        (Err(error), _) | (_, Err(error)) => {
            let how = ctx.seen_error(&error);
            ctx.check(UNCHANGED).expects(expected).seen(how).unknown(error.to_string());
            return false;
        }
    };
    let how = ctx.seen(&eni).and(ctx.seen(&holders));
    let held: Vec<_> = holders.value.iter().map(|eni| eni.network_interface_id.clone()).collect();
    let observed =
        json!({ "interface": eni.value.as_ref().map(restorable_fields), "holders": held });
    let unchanged = ctx.check(UNCHANGED).expects(expected).seen(how).is(observed);
    let own = &lab.manifest.capture.network_interface_id;
    let stranger = held.iter().find(|holder| *holder != own);
    ctx.stop(
        &stops::FOREIGN_HOLDER,
        stranger.map(|holder| format!("{holder} took {address} since preflight")),
        &address.to_string(),
    );
    unchanged && same
}

async fn burn(lab: &Lab, ctx: &mut Context<'_>, forward: &Forward) {
    let how = How::words("the journal, then a file on routerd-cloud");
    let expected = json!("burnt by this run");
    match lab.burn_go(forward, ctx.journal, &ctx.run.id).await {
        Ok(acted) => match acted.outcome {
            Outcome::Done => {
                let mut state = ctx.run.state.borrow_mut();
                (state.burnt, state.proof) = (true, acted.value);
                drop(state);
                ctx.check(BURNT).expects(expected).seen(how).passes(json!(acted.detail));
            }
            Outcome::NotDone => {
                let rule = "used".to_owned();
                let reason = acted.detail.clone();
                ctx.write(Kind::GoRefused(GoRefused { rule, reason }));
                ctx.check(BURNT)
                    .expects(expected)
                    .seen(how)
                    .fails(json!(acted.detail), acted.detail);
            }
            Outcome::Unknown => ctx.check(BURNT).expects(expected).seen(how).unknown(acted.detail),
        },
        Err(error) => ctx.not_tried(BURNT, expected, how, &error),
    }
}
