//! How many requests AWS lets through, by action: bucket sizes and refill rates as published.

use super::action::{AccessLevel, ApiOperation};
use super::error::ApiError;
use super::params::Params;
use super::request::Service;
use crate::cloud::{Cloud, Rate};
use chrono::{DateTime, Utc};

/// Reads with a filter, ids or pages.
const READ: Rate = rate(100.0, 20.0);
/// Reads of everything.
const UNFILTERED_READ: Rate = rate(50.0, 10.0);
const WRITE: Rate = rate(50.0, 5.0);

/// Actions with buckets of their own.
const OWN: &[(&str, Rate)] = &[
    ("RunInstances", rate(5.0, 2.0)),
    ("StartInstances", rate(5.0, 2.0)),
    ("CreateTags", rate(100.0, 10.0)),
    ("DeleteTags", rate(100.0, 10.0)),
    ("AssignPrivateIpAddresses", rate(100.0, 5.0)),
    ("UnassignPrivateIpAddresses", rate(100.0, 5.0)),
    ("CreateNetworkInterface", rate(100.0, 5.0)),
    ("DeleteNetworkInterface", rate(100.0, 5.0)),
    ("AttachNetworkInterface", rate(100.0, 5.0)),
    ("DetachNetworkInterface", rate(100.0, 5.0)),
    ("ModifyNetworkInterfaceAttribute", rate(100.0, 5.0)),
    ("CreateVolume", rate(100.0, 5.0)),
    ("DeleteVolume", rate(100.0, 5.0)),
    ("AttachVolume", rate(100.0, 5.0)),
    ("DetachVolume", rate(100.0, 5.0)),
];

const fn rate(size: f64, per_second: f64) -> Rate {
    Rate { size, per_second }
}

/// Takes a token, where throttling is on. STS and IAM have limits that nobody here reaches.
pub fn check_rate(
    cloud: &mut Cloud,
    action: &ApiOperation,
    params: &Params,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    if action.service != Service::Ec2 || cloud.take_token(action.name, of(action, params), now) {
        return Ok(());
    }
    Err(ApiError::new(503, "RequestLimitExceeded", "Request limit exceeded."))
}

fn of(action: &ApiOperation, params: &Params) -> Rate {
    if let Some((_, rate)) = OWN.iter().find(|(name, _)| *name == action.name) {
        return *rate;
    }
    match action.effect {
        AccessLevel::Write => WRITE,
        AccessLevel::Read if params.narrows() => READ,
        AccessLevel::Read => UNFILTERED_READ,
    }
}
