//! The records of a lab that is woken: which stage each node came to, and what of the facts is not as the
//! owner was shown it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// A stage on the way from a stopped instance to a lab that can be used, in the order of the way.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum WakeStage {
    /// It is not stopping any more: EC2 starts nothing before.
    AtRest,
    /// EC2 says that it runs; an instance that is not listed does not yet.
    Running,
    /// It has an address.
    Addressed,
    /// Its sshd answers, with the pinned host key.
    Reached,
    /// Its clock is within the manifest's tolerance.
    InTime,
    /// The read-only preflight, tried beside the run, found what it has to find.
    Ready,
}

impl WakeStage {
    /// The stage's name, as the evidence has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtRest => "at-rest",
            Self::Running => "running",
            Self::Addressed => "addressed",
            Self::Reached => "reached",
            Self::InTime => "in-time",
            Self::Ready => "ready",
        }
    }
}

/// A stage of a wake: how long it was waited for, and why it was not come to where it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeWoke {
    /// The node's name; none where it is the whole lab's stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    pub stage: WakeStage,
    pub waited_ms: u64,
    /// Absent where the stage was come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// The facts of a resumed run, which are not those that the owner was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactsDiffer {
    pub granted: Digest,
    pub found: Digest,
    pub differences: Vec<FactDifference>,
}

/// One field of the facts, before and now; null where there is no such field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactDifference {
    /// A JSON pointer into the facts, as `/interface/source_dest_check`.
    pub field: String,
    pub granted: Value,
    pub found: Value,
}

/// A sentence names no more fields than these; the record has all.
const NAMED: usize = 5;

impl FactsDiffer {
    /// Compares two readings of the facts, field by field.
    pub fn between(granted: (&Digest, &Value), found: (&Digest, &Value)) -> Self {
        let mut differences = Vec::new();
        compare_fields("", granted.1, found.1, &mut differences);
        Self { granted: granted.0.clone(), found: found.0.clone(), differences }
    }

    /// The difference, on one line.
    pub fn describe(&self) -> String {
        let named = self.differences.iter().take(NAMED);
        let named = named.map(|it| format!("{}: {}, and now {}", it.field, it.granted, it.found));
        let mut parts: Vec<String> = named.collect();
        if let Some(more) = self.differences.len().checked_sub(NAMED).filter(|more| *more > 0) {
            parts.push(format!("and {more} more fields"));
        }
        parts.join("; ")
    }
}

fn compare_fields(at: &str, before: &Value, now: &Value, into: &mut Vec<FactDifference>) {
    match (before, now) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let part = key.replace('~', "~0").replace('/', "~1");
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                compare_fields(&format!("{at}/{part}"), &of(old), &of(new), into);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare_fields(&format!("{at}/{index}"), old, new, into);
            }
        }
        _ if before == now => {}
        _ => into.push(FactDifference {
            field: at.to_owned(),
            granted: before.clone(),
            found: now.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_are_compared_field_by_field() {
        let before = json!({
            "interface": { "check": true, "addresses": ["10.88.60.4"] },
            "nodes": { "a/b": 1 }, "rows": [1, 2], "gone": 1,
        });
        let now = json!({
            "interface": { "check": false, "addresses": ["10.88.60.4", "10.88.60.5"] },
            "nodes": { "a/b": 2 }, "rows": [1, 3], "new": 1,
        });
        let digests = [Digest::of("a"), Digest::of("b")];
        let same = FactsDiffer::between((&digests[0], &before), (&digests[0], &before));
        assert_eq!((same.differences.len(), same.describe().as_str()), (0, ""));
        let differ = FactsDiffer::between((&digests[0], &before), (&digests[1], &now));
        let fields: Vec<_> = differ.differences.iter().map(|it| it.field.as_str()).collect();
        let expected =
            ["/gone", "/interface/addresses", "/interface/check", "/new", "/nodes/a~1b", "/rows/1"];
        let mut sorted = fields.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
        assert!(differ.describe().ends_with("and 1 more fields"), "{}", differ.describe());
        let check = differ.differences.iter().find(|it| it.field == "/interface/check");
        assert_eq!(check.map(|it| (&it.granted, &it.found)), Some((&json!(true), &json!(false))));
    }
}
