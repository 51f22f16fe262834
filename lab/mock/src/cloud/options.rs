//! How the endpoint behaves where AWS's behaviour depends on the day: all off unless asked for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Cloud, ids};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudOptions {
    pub throttling: Throttling,
    /// For up to how long reads may be answered from before a change; 0 is never.
    pub staleness_ms: u64,
    /// Whether the operator's own policies are asked in process as well, where nobody signs.
    #[serde(default)]
    pub operators_policies: OperatorsPolicies,
    /// Actions that the organization's service control policy denies, as `ec2:StopInstances`.
    #[serde(default)]
    pub scp_denies: BTreeSet<String>,
    /// How many items a page of a describe holds at most, whatever was asked for; 0 is no limit.
    #[serde(default)]
    pub page_size: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorsPolicies {
    #[default]
    NotAsked,
    Asked,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Throttling {
    #[default]
    Off,
    /// With AWS's published bucket sizes and refill rates.
    AsPublished,
}

/// A token bucket of one action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    pub tokens: f64,
    pub filled_at: DateTime<Utc>,
}

/// How large a bucket is, and how many tokens a second come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub size: f64,
    pub per_second: f64,
}

/// The world before a change, for reads that are answered too early.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    pub changed_at: DateTime<Utc>,
    pub cloud: Box<Cloud>,
}

impl Cloud {
    /// Takes a token of the action's bucket; false where there is none.
    pub fn take_token(&mut self, action: &str, rate: Rate, now: DateTime<Utc>) -> bool {
        if self.options.throttling == Throttling::Off {
            return true;
        }
        let full = Bucket { tokens: rate.size, filled_at: now };
        let bucket = self.buckets.entry(action.to_owned()).or_insert(full);
        let elapsed = (now - bucket.filled_at).as_seconds_f64().max(0.0);
        bucket.tokens = elapsed.mul_add(rate.per_second, bucket.tokens).min(rate.size);
        bucket.filled_at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// The world that a read sees now: this one, or an earlier one within the bound. Which, follows
    /// from the seed and the number of reads.
    pub fn as_read(&mut self, now: DateTime<Utc>) -> Option<Self> {
        let bound_ms = self.options.staleness_ms;
        if bound_ms == 0 {
            return None;
        }
        let oldest = now - milliseconds(bound_ms);
        self.history.retain(|before| before.changed_at > oldest);
        self.reads += 1;
        let drawn = ids::draw_number(self.seed, &format!("read/{}", self.reads), bound_ms);
        let seen_at = now - milliseconds(drawn);
        let before = self.history.iter().find(|before| before.changed_at > seen_at)?;
        Some((*before.cloud).clone())
    }

    /// Keeps the present for stale reads; called before each change.
    pub fn remember(&mut self, now: DateTime<Utc>) {
        self.previous = None;
        let history = std::mem::take(&mut self.history);
        let present = Box::new(self.clone());
        self.history = history;
        if self.options.staleness_ms > 0 {
            self.history.push(Before { changed_at: now, cloud: present.clone() });
        }
        self.previous = Some(present);
    }
}

fn milliseconds(ms: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX / 2))
}

/// Answers by client token, so that a repeated request is answered again and not done again.
pub type ClientTokens = BTreeMap<String, Answered>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The parameters of the first request.
    pub parameters: String,
    pub xml: String,
}
