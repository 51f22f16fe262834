//! One request against the shared world, in its time and with its faults: what the in-process
//! client and the HTTP server have in common.

use std::time::Duration;

use super::action;
use super::error::ApiError;
use super::identify::{authenticate_caller, identify_caller};
use super::request::{Request, Service};
use super::response::Response;
use super::sigv4::Http;
use crate::cloud::ids;
use crate::faults::{self, ApiEffect, Befall, EffectKind, Ends, SeenEffect};
use crate::machines::fire_timers;
use crate::shell::run_what_was_begun;
use crate::world::{Shared, World};
use lab::clock::Clock;

/// The connection broke before the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// The headers of a request that say who calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    pub authorization: Option<&'a str>,
    /// `x-amz-security-token`, of a session.
    pub security_token: Option<&'a str>,
}

/// Waits as the faults say, never with the world locked. `from` is who is calling for the faults'
/// rules; to AWS it is the access key that says who calls.
pub async fn answer_request(
    shared: &Shared,
    clock: Clock,
    from: faults::CallerKind,
    headers: Headers<'_>,
    body: &[u8],
) -> Result<Response, Broken> {
    let proof = Proof::Key { security_token: headers.security_token };
    exchange(shared, clock, from, headers.authorization, body, proof).await
}

/// The same where policies are enforced: whoever signed the request is the caller, and a wrong
/// signature is nobody's. `from` is as in [`answer_request`].
pub async fn answer_signed(
    shared: &Shared,
    clock: Clock,
    from: faults::CallerKind,
    http: &Http<'_>,
) -> Result<Response, Broken> {
    let proof = Proof::Signature(http);
    let authorization = http.header("authorization");
    exchange(shared, clock, from, authorization, http.form(), proof).await
}

/// How a caller shows who it is.
#[derive(Clone, Copy)]
enum Proof<'a> {
    /// The access key says it, with the token of its session where it has one.
    Key {
        security_token: Option<&'a str>,
    },
    Signature(&'a Http<'a>),
}

async fn exchange(
    shared: &Shared,
    clock: Clock,
    from: faults::CallerKind,
    authorization: Option<&str>,
    body: &[u8],
    proof: Proof<'_>,
) -> Result<Response, Broken> {
    if from == faults::CallerKind::Operator {
        // Boxed: a command on a node may call this API in turn.
        Box::pin(run_what_was_begun(shared, clock)).await;
        let latency_ms = shared.lock().faults.latency_ms;
        pause(clock, latency_ms).await;
    }
    let request = match Request::parse(authorization, body) {
        Ok(request) => request,
        Err(error) => return Ok(Response::error(Service::Sts, "unsigned", &error)),
    };
    let mut effect = {
        let mut world = shared.lock();
        fire_timers(&mut world, clock.now());
        faults::fire_due_events(&mut world, clock.now());
        world.faults.api_call(&request.name_for_rules(), from)
    };
    let done = || perform(&mut shared.lock(), &request, from, clock, proof);
    let faults::NthEffect { at, befalls } = asked(&mut shared.lock(), &request, from);
    faults::could_die(shared, clock, at, Befall::KilledBefore);
    if befalls == Some(Befall::KilledAfter) {
        drop(done());
        faults::kill_process();
    }
    effect = effect.or_else(|| befalls.map(as_api_effect));
    match effect {
        None => {
            let response = done();
            faults::could_die(shared, clock, at, Befall::KilledAfter);
            Ok(response)
        }
        Some(ApiEffect::Error { status, code, message }) => Ok(Response::error(
            request.service,
            &ids::request_id(&[&code, &clock.now().to_rfc3339()]),
            &ApiError::new(status, &code, message),
        )),
        Some(ApiEffect::ReplyLost) => {
            done();
            Err(Broken)
        }
        Some(ApiEffect::RequestLost) => Err(Broken),
        Some(ApiEffect::Truncated { bytes }) => {
            let mut response = done();
            // A shorter one ends in its middle: it is truncated in any case.
            let whole = response.body.len();
            response.body.truncate(if bytes < whole { bytes } else { whole / 2 });
            Ok(response)
        }
        Some(ApiEffect::Hang) => std::future::pending().await,
        Some(ApiEffect::Delay { ms }) => {
            let response = done();
            pause(clock, ms).await;
            Ok(response)
        }
        Some(ApiEffect::Stale) => {
            Ok(perform_stale(&mut shared.lock(), &request, from, clock, proof))
        }
    }
}

/// The operations that stop or end something that costs.
const ENDS: &[&str] = &[
    "DeleteVolume",
    "DisassociateAddress",
    "ReleaseAddress",
    "StopInstances",
    "TerminateInstances",
];

/// Notes the call, and answers its number and what befalls it.
fn asked(world: &mut World, request: &Request, from: faults::CallerKind) -> faults::NthEffect {
    let name = request.name_for_rules();
    if from == faults::CallerKind::Operator && ENDS.contains(&name.as_str()) {
        world.ends_something();
    }
    let kind = match (from, action::is_read_only(request)) {
        (faults::CallerKind::Operator, true) => EffectKind::ApiRead,
        (faults::CallerKind::Operator, false) => EffectKind::ApiChange,
        (_, true) => EffectKind::ExecutorRead,
        (_, false) => EffectKind::ExecutorChange,
    };
    let after_a_change = world.cloud.previous.is_some();
    world.faults.nth(SeenEffect { name, kind, after_a_change, ends: Ends::ByItself })
}

/// The effect that befalls a call of the API; one that kills the harness first does so here.
fn as_api_effect(befalls: Befall) -> ApiEffect {
    match befalls {
        Befall::KilledBefore | Befall::KilledAfter | Befall::KilledMeanwhile => {
            faults::kill_process()
        }
        Befall::ReplyLost => ApiEffect::ReplyLost,
        Befall::RequestLost => ApiEffect::RequestLost,
        Befall::Throttled => ApiEffect::Error {
            status: 503,
            code: "RequestLimitExceeded".to_owned(),
            message: "Request limit exceeded.".to_owned(),
        },
        Befall::Stale => ApiEffect::Stale,
        Befall::Garbage => ApiEffect::Truncated { bytes: 40 },
        Befall::Hang => ApiEffect::Hang,
    }
}

async fn pause(clock: Clock, ms: u64) {
    if ms > 0 {
        clock.sleep(Duration::from_millis(ms)).await;
    }
}

fn perform(
    world: &mut World,
    request: &Request,
    from: faults::CallerKind,
    clock: Clock,
    proof: Proof<'_>,
) -> Response {
    let caller = match proof {
        Proof::Key { security_token } => {
            let (service, key) = (request.service, &request.access_key_id);
            identify_caller(&world.cloud, service, key, security_token, clock.now())
        }
        Proof::Signature(http) => {
            let (service, key) = (request.service, &request.access_key_id);
            authenticate_caller(&world.cloud, service, key, http, clock.now())
        }
    };
    match caller {
        Ok(caller) => {
            let response = action::handle_request(world, &caller, request, clock.now());
            faults::after_api(world, &request.name_for_rules(), from, clock.now());
            response
        }
        Err(error) => {
            let id = ids::request_id(&[&request.access_key_id, &clock.now().to_rfc3339()]);
            Response::error(request.service, &id, &error)
        }
    }
}

/// Answered from the world before its last change, which stays as it is.
fn perform_stale(
    world: &mut World,
    request: &Request,
    from: faults::CallerKind,
    clock: Clock,
    proof: Proof<'_>,
) -> Response {
    let Some(previous) = world.cloud.previous.clone() else {
        return perform(world, request, from, clock, proof);
    };
    let present = std::mem::replace(&mut world.cloud, *previous);
    let response = perform(world, request, from, clock, proof);
    world.cloud = present;
    response
}
