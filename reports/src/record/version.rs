//! The version of the journal and of `evidence.json`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A version as `6.0`. Journals before 6 have a number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaVersion {
    /// Another one means something else: whoever does not know it refuses.
    pub major: u32,
    /// A higher one says more: whoever only reads ignores what he does not know.
    pub minor: u32,
}

impl SchemaVersion {
    /// Whether a program of this version can act by what the other wrote. What it does not know it could
    /// not act by.
    pub fn reads(self, other: Self) -> bool {
        self.major == other.major && other.minor <= self.minor
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for SchemaVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = value.as_u64().and_then(|it| u32::try_from(it).ok());
        let read = match (&value, number) {
            (Value::String(text), _) => Self::parse(text),
            (_, Some(major)) => Some(Self { major, minor: 0 }),
            _ => None,
        };
        read.ok_or_else(|| D::Error::custom("expected a version as \"6.0\""))
    }
}

impl JsonSchema for SchemaVersion {
    fn schema_name() -> Cow<'static, str> {
        "SchemaVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Major and minor number. Refuse another major one; ignore what a higher minor one adds.",
            "pattern": "^[0-9]+\\.[0-9]+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_was_written_and_an_old_one_as_a_number() {
        let version = SchemaVersion { major: 6, minor: 2 };
        assert_eq!(serde_json::to_string(&version).expect("JSON"), "\"6.2\"");
        for (text, read) in
            [("\"6.2\"", Some((6, 2))), ("5", Some((5, 0))), ("\"6\"", None), ("6.2", None)]
        {
            let it = serde_json::from_str::<SchemaVersion>(text).ok();
            assert_eq!(it.map(|it| (it.major, it.minor)), read, "{text}");
        }
    }

    #[test]
    fn only_what_is_all_known_is_acted_by() {
        let version = |major, minor| SchemaVersion { major, minor };
        for (other, reads) in
            [((6, 1), true), ((6, 0), true), ((6, 2), false), ((5, 0), false), ((7, 0), false)]
        {
            assert_eq!(version(6, 1).reads(version(other.0, other.1)), reads, "{other:?}");
        }
    }
}
