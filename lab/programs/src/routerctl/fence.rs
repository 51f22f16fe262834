//! Fencing: an action that a MobilityPool planned is executed only while the planner still wants
//! exactly that. Plans of other sources carry no fence and never go stale.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::plan::ProposedPlan;
use super::store::parts::StoredPart;

const PATH_SIGNATURE: &str = "mobilityPathSig";
const GENERATION: &str = "mobilityAssignmentGeneration";
const DESIRED_HOLDER: &str = "mobilityAssignmentDesiredHolder";
const PREVIOUS_HOLDER: &str = "mobilityAssignmentPreviousHolder";
const LEASE_UNTIL: &str = "mobilityAssignmentLeaseUntil";
const POOL_PREFIX: &str = "MobilityPool/";
const FRESHNESS: TimeDelta = TimeDelta::seconds(30);
const MAX_LEASE: TimeDelta = TimeDelta::minutes(10);

/// Why a plan is stale, if it is.
pub fn find_stale_reason(
    plan: &ProposedPlan,
    parts: &[StoredPart],
    now: DateTime<Utc>,
) -> Result<Option<&'static str>, String> {
    if !plan.parameter(GENERATION).is_empty() {
        return stale_assignment(plan, parts, now);
    }
    if plan.parameter(PATH_SIGNATURE).is_empty() {
        return Ok(None);
    }
    if matches!(plan.action.trim(), "assign-secondary-ip" | "assign-route-table-route") {
        return Ok(Some("stale mobility assignment: missing generation"));
    }
    let desired = fresh_plans(parts, now)?;
    let wanted = desired.iter().any(|candidate| {
        !candidate.parameter(PATH_SIGNATURE).is_empty()
            && !candidate.idempotency_key.trim().is_empty()
            && candidate.idempotency_key.trim() == plan.idempotency_key.trim()
    });
    Ok(if wanted { None } else { Some("stale mobility desired path") })
}

fn stale_assignment(
    plan: &ProposedPlan,
    parts: &[StoredPart],
    now: DateTime<Utc>,
) -> Result<Option<&'static str>, String> {
    let lease = plan.parameter(LEASE_UNTIL);
    if lease.is_empty() {
        return Ok(Some("stale mobility assignment: missing leaseUntil"));
    }
    match DateTime::parse_from_rfc3339(lease) {
        Err(_) => return Ok(Some("stale mobility assignment: invalid leaseUntil")),
        Ok(until) if until <= now => return Ok(Some("stale mobility assignment: lease expired")),
        Ok(_) => {}
    }
    let wanted = fresh_plans(parts, now)?.iter().any(|candidate| {
        candidate.parameter(GENERATION) == plan.parameter(GENERATION) && matches(plan, candidate)
    });
    let reason = "stale mobility assignment: generation is no longer current desired state";
    Ok(if wanted { None } else { Some(reason) })
}

fn matches(plan: &ProposedPlan, current: &ProposedPlan) -> bool {
    let keys = (plan.idempotency_key.trim(), current.idempotency_key.trim());
    let same_key = keys.0.is_empty() || keys.1.is_empty() || keys.0 == keys.1;
    let holder = plan.parameter(DESIRED_HOLDER);
    let previous = plan.parameter(PREVIOUS_HOLDER);
    same_key
        && plan.provider.trim() == current.provider.trim()
        && plan.provider_ref.trim() == current.provider_ref.trim()
        && plan.action.trim() == current.action.trim()
        && normalized(plan.target("address")) == normalized(current.target("address"))
        && !holder.is_empty()
        && holder == current.parameter(DESIRED_HOLDER)
        && (previous.is_empty() || previous == current.parameter(PREVIOUS_HOLDER))
        && ["providerRef", "nicRef", "routeTableRef", "captureStrategy", "nextHopIPAddress"]
            .iter()
            .all(|key| plan.target(key).trim() == current.target(key).trim())
}

/// An address and its host prefix are the same.
fn normalized(address: &str) -> String {
    let address = address.trim();
    if let Ok(network) = address.parse::<ipnet::IpNet>() {
        return network.trunc().to_string();
    }
    address
        .parse::<std::net::IpAddr>()
        .map_or_else(|_| address.to_owned(), |ip| ipnet::IpNet::from(ip).to_string())
}

/// The plans of parts that were observed a moment ago: a routerd that stopped wants nothing.
fn fresh_plans(parts: &[StoredPart], now: DateTime<Utc>) -> Result<Vec<ProposedPlan>, String> {
    let mut plans = Vec::new();
    for part in find_eligible_parts(parts, now) {
        if part.observed_at.is_some_and(|at| at >= now - FRESHNESS) {
            plans.extend(decode_plans(part)?);
        }
    }
    Ok(plans)
}

pub fn decode_plans(part: &StoredPart) -> Result<Vec<ProposedPlan>, String> {
    part.plans().map_err(|error| {
        format!("decode actionPlans for source {}: {error}", lab::golang::quote(&part.source))
    })
}

/// The parts that may propose actions: what has not expired, and of the names that MobilityPools
/// reserve only a plan with a bounded lease, from a pool without any malformed one.
pub fn find_eligible_parts(parts: &[StoredPart], now: DateTime<Utc>) -> Vec<&StoredPart> {
    let pools = pool_plans(parts, now);
    parts
        .iter()
        .filter(|part| {
            if part.source.trim().starts_with(POOL_PREFIX) {
                pools.contains(part.source.as_str())
            } else {
                part.status_at(now) != "expired"
            }
        })
        .collect()
}

fn pool_plans(parts: &[StoredPart], now: DateTime<Utc>) -> BTreeSet<&str> {
    let mut accepted: BTreeMap<&str, PoolSource<'_>> = BTreeMap::new();
    let mut invalid = BTreeSet::new();
    for part in parts {
        let Some(source) = PoolSource::parse(&part.source) else { continue };
        if part.expires_at.is_some_and(|end| now >= end) {
            continue;
        }
        if !has_valid_envelope(part) || accepted.insert(&part.source, source).is_some() {
            invalid.insert(source.pool);
        }
    }
    accepted
        .into_iter()
        .filter(|(_, source)| !source.is_arp_observer && !invalid.contains(source.pool))
        .map(|(source, _)| source)
        .collect()
}

fn has_valid_envelope(part: &StoredPart) -> bool {
    let (Some(observed), Some(expires)) = (part.observed_at, part.expires_at) else {
        return false;
    };
    part.generation == 1
        && part.status.trim() == "active"
        && !part.digest.trim().is_empty()
        && expires > observed
        && expires - observed <= MAX_LEASE
}

#[derive(Clone, Copy)]
struct PoolSource<'a> {
    pool: &'a str,
    is_arp_observer: bool,
}

impl<'a> PoolSource<'a> {
    /// `MobilityPool/<pool>/node/<node>`, or the same with `/arp-observer`.
    fn parse(source: &'a str) -> Option<Self> {
        let segments: Vec<&str> = source.split('/').collect();
        if segments.iter().any(|segment| segment.is_empty() || segment.trim() != *segment) {
            return None;
        }
        match segments[..] {
            ["MobilityPool", pool, "node", _] => Some(Self { pool, is_arp_observer: false }),
            ["MobilityPool", pool, "node", _, "arp-observer"] => {
                Some(Self { pool, is_arp_observer: true })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T00:10:00Z".parse().unwrap()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn assign() -> ProposedPlan {
        ProposedPlan {
            action: "assign-secondary-ip".into(),
            idempotency_key: "k".into(),
            target: Some(map(&[("address", "10.88.60.9/32"), ("nicRef", "eni-1")])),
            parameters: map(&[
                (PATH_SIGNATURE, "s"),
                (GENERATION, "3"),
                (DESIRED_HOLDER, "aws-router"),
                (LEASE_UNTIL, "2026-11-22T00:14:00Z"),
            ]),
            ..ProposedPlan::default()
        }
    }

    fn forwarding() -> ProposedPlan {
        ProposedPlan {
            action: "ensure-forwarding-enabled".into(),
            idempotency_key: "f".into(),
            parameters: map(&[(PATH_SIGNATURE, "s")]),
            ..ProposedPlan::default()
        }
    }

    fn part(source: &str, age_seconds: i64, plans: &[ProposedPlan]) -> StoredPart {
        let observed = now() - TimeDelta::seconds(age_seconds);
        StoredPart {
            source: source.into(),
            generation: 1,
            observed_at: Some(observed),
            expires_at: Some(observed + TimeDelta::minutes(5)),
            digest: "d".into(),
            plans_json: serde_json::to_string(plans).unwrap(),
            status: "active".into(),
            ..StoredPart::default()
        }
    }

    #[test]
    fn a_plan_goes_stale_for_these_reasons() {
        type Edit = fn(&mut ProposedPlan);
        let current = [part("MobilityPool/p/node/n", 5, &[assign(), forwarding()])];
        let cases: [(ProposedPlan, Edit, Option<&str>); 9] = [
            (assign(), |_| {}, None),
            (forwarding(), |_| {}, None),
            (assign(), |p| p.parameters.clear(), None),
            (
                assign(),
                |p| drop(p.parameters.remove(GENERATION)),
                Some("stale mobility assignment: missing generation"),
            ),
            (
                assign(),
                |p| drop(p.parameters.remove(LEASE_UNTIL)),
                Some("stale mobility assignment: missing leaseUntil"),
            ),
            (
                assign(),
                |p| drop(p.parameters.insert(LEASE_UNTIL.into(), "soon".into())),
                Some("stale mobility assignment: invalid leaseUntil"),
            ),
            (
                assign(),
                |p| drop(p.parameters.insert(LEASE_UNTIL.into(), "2026-11-22T00:10:00Z".into())),
                Some("stale mobility assignment: lease expired"),
            ),
            (
                assign(),
                |p| drop(p.parameters.insert(GENERATION.into(), "2".into())),
                Some("stale mobility assignment: generation is no longer current desired state"),
            ),
            (
                forwarding(),
                |p| p.idempotency_key = "old".into(),
                Some("stale mobility desired path"),
            ),
        ];
        for (mut plan, edit, reason) in cases {
            edit(&mut plan);
            assert_eq!(find_stale_reason(&plan, &current, now()).unwrap(), reason);
        }
    }

    #[test]
    fn a_part_that_was_not_observed_lately_wants_nothing() {
        let old = [part("MobilityPool/p/node/n", 31, &[forwarding()])];
        assert_eq!(
            find_stale_reason(&forwarding(), &old, now()).unwrap(),
            Some("stale mobility desired path")
        );
    }

    #[test]
    fn a_reserved_source_needs_its_exact_envelope() {
        type Edit = fn(&mut StoredPart);
        let edits: [Edit; 5] = [
            |p| p.generation = 2,
            |p| p.expires_at = p.observed_at.map(|at| at + TimeDelta::minutes(11)),
            |p| p.digest.clear(),
            |p| p.source = "MobilityPool/p/other".into(),
            |p| p.source = "MobilityPool/p/node/n/arp-observer".into(),
        ];
        let good = part("MobilityPool/p/node/n", 5, &[]);
        assert_eq!(find_eligible_parts(std::slice::from_ref(&good), now()).len(), 1);
        for edit in edits {
            let mut bad = good.clone();
            edit(&mut bad);
            assert!(find_eligible_parts(&[bad], now()).is_empty());
        }
    }

    #[test]
    fn one_malformed_plan_bars_its_whole_pool() {
        let good = part("MobilityPool/p/node/a", 5, &[]);
        let bad = StoredPart { generation: 2, ..part("MobilityPool/p/node/b", 5, &[]) };
        let other = part("MobilityPool/q/node/a", 5, &[]);
        let parts = [good, bad, other];
        let sources: Vec<&str> =
            find_eligible_parts(&parts, now()).iter().map(|p| p.source.as_str()).collect();
        assert_eq!(sources, ["MobilityPool/q/node/a"]);
    }
}
