//! Who a request is from: its access key says so, and its signature proves it.

use chrono::{DateTime, TimeDelta, Utc};

use super::error::ApiError;
use super::principal::Principal;
use super::request::Service;
use super::sigv4::{self, Flaw, Http};
use crate::cloud::{Cloud, OperatorsPolicies, ids};

/// An identity that AWS knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The harness, which may everything.
    Operator,
    /// A program on an instance, with the role of its profile.
    Instance { instance_id: String },
    /// A user, by name: the operator as well, where policies are enforced.
    User { name: String },
    /// A role that was assumed, by its access key.
    Session { access_key_id: String },
}

/// The header that a session's token comes in.
pub const SECURITY_TOKEN: &str = "x-amz-security-token";

/// The credentials that the metadata service hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A caller, with what it must prove that it knows.
#[derive(Debug)]
struct Known {
    caller: Caller,
    secret: String,
    session: Option<(String, Option<DateTime<Utc>>)>,
}

/// Whose key it is; that of a session is somebody's with the session's token alone, until the
/// session ends. The operator's needs no policies, unless the options say that it does.
///
/// # Errors
/// In the service's words, where the key or the token is nobody's.
pub fn identify_caller(
    cloud: &Cloud,
    service: Service,
    access_key_id: &str,
    token: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Caller, ApiError> {
    let unasked = cloud.options.operators_policies == OperatorsPolicies::NotAsked;
    if unasked && access_key_id == cloud.operator.access_key_id {
        return Ok(Caller::Operator);
    }
    let known = look_up(cloud, access_key_id).ok_or_else(|| unknown_key(service))?;
    known.check_session(service, token, now)?;
    Ok(known.caller)
}

/// The ARN of whoever has this key and, where it is a session's, its token.
///
/// # Errors
/// In STS's words, where the key or the token is nobody's.
pub fn arn_and_user_id_of(
    cloud: &Cloud,
    access_key_id: &str,
    token: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(String, String), ApiError> {
    let caller = identify_caller(cloud, Service::Sts, access_key_id, token, now)?;
    let principal = Principal::of(cloud, &caller);
    let principal = principal.ok_or_else(|| unknown_key(Service::Sts))?;
    Ok((principal.arn, principal.user_id))
}

/// Who signed the request.
///
/// # Errors
/// In the service's words, where the key is nobody's or the signature is not its owner's.
pub fn authenticate_caller(
    cloud: &Cloud,
    service: Service,
    access_key_id: &str,
    http: &Http<'_>,
    now: DateTime<Utc>,
) -> Result<Caller, ApiError> {
    let known = look_up(cloud, access_key_id).ok_or_else(|| unknown_key(service))?;
    known.check_session(service, http.header(SECURITY_TOKEN), now)?;
    sigv4::verify(http, &known.secret, now).map_err(|flaw| refusal(service, flaw))?;
    Ok(known.caller)
}

impl Known {
    fn check_session(
        &self,
        service: Service,
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), ApiError> {
        let expected = self.session.as_ref().map(|(token, _)| token.as_str());
        if token != expected {
            return Err(unknown_key(service));
        }
        let ends = self.session.as_ref().and_then(|(_, ends)| *ends);
        if ends.is_some_and(|ends| ends <= now) { Err(expired_session(service)) } else { Ok(()) }
    }
}

fn look_up(cloud: &Cloud, key: &str) -> Option<Known> {
    let user = cloud.iam.users.values().find_map(|user| {
        let secret = user.access_keys.get(key)?.clone();
        Some(Known { caller: Caller::User { name: user.name.clone() }, secret, session: None })
    });
    let operator = || {
        let operator = &cloud.operator;
        let user = cloud.iam.users.values().find(|user| user.arn == operator.arn);
        (key == operator.access_key_id).then(|| Known {
            caller: user.map_or(Caller::Operator, |user| Caller::User { name: user.name.clone() }),
            secret: operator.secret_access_key.clone(),
            session: None,
        })
    };
    let session = || {
        let session = cloud.iam.sessions.get(key)?;
        Some(Known {
            caller: Caller::Session { access_key_id: key.to_owned() },
            secret: session.secret_access_key.clone(),
            session: Some((session.session_token.clone(), Some(session.expires_at))),
        })
    };
    user.or_else(operator).or_else(session).or_else(|| instance(cloud, key))
}

fn instance(cloud: &Cloud, key: &str) -> Option<Known> {
    let instance_id = cloud.instances.keys().find(|id| instance_key(cloud, id) == key)?;
    cloud.role_of(instance_id)?;
    Some(Known {
        caller: Caller::Instance { instance_id: instance_id.clone() },
        secret: ids::make_secret(cloud.seed, instance_id),
        session: Some((instance_token(cloud, instance_id), None)),
    })
}

/// None where no role is attached.
pub fn instance_credentials(
    cloud: &Cloud,
    instance_id: &str,
    now: DateTime<Utc>,
) -> Option<Credentials> {
    cloud.role_of(instance_id)?;
    Some(Credentials {
        access_key_id: instance_key(cloud, instance_id),
        secret_access_key: ids::make_secret(cloud.seed, instance_id),
        session_token: instance_token(cloud, instance_id),
        issued_at: now,
        expires_at: now + TimeDelta::hours(6),
    })
}

fn instance_key(cloud: &Cloud, instance_id: &str) -> String {
    ids::unique_id("ASIA", cloud.seed, instance_id).chars().take(20).collect()
}

fn instance_token(cloud: &Cloud, instance_id: &str) -> String {
    ids::make_secret(cloud.seed, &format!("session/{instance_id}"))
}

pub fn unknown_key(service: Service) -> ApiError {
    match service {
        Service::Ec2 => not_validated(),
        Service::Sts | Service::Iam => ApiError::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
    }
}

fn not_validated() -> ApiError {
    ApiError::new(
        401,
        "AuthFailure",
        "AWS was not able to validate the provided access credentials",
    )
}

fn expired_session(service: Service) -> ApiError {
    match service {
        Service::Ec2 => ApiError::bad("RequestExpired", "Request has expired."),
        Service::Sts | Service::Iam => ApiError::new(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        ),
    }
}

/// EC2 does not say what is wrong with a signature, the others do.
fn refusal(service: Service, flaw: Flaw) -> ApiError {
    match (service, flaw) {
        (_, Flaw::Incomplete(message)) => ApiError::new(400, "IncompleteSignature", message),
        (Service::Ec2, Flaw::Expired(_)) => expired_session(service),
        (Service::Ec2, Flaw::Mismatch(_)) => not_validated(),
        (_, Flaw::Expired(message) | Flaw::Mismatch(message)) => {
            ApiError::new(403, "SignatureDoesNotMatch", message)
        }
    }
}
