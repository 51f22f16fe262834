//! A value on its way to a reader: one tree, printed as Go's `encoding/json` would.

use std::collections::BTreeMap;

use super::time::Time;

#[derive(Clone, Debug, PartialEq)]
pub enum Doc {
    /// A nil slice or map.
    Nil,
    Bool(bool),
    Number(i64),
    Text(String),
    Time(Time),
    List(Vec<Doc>),
    Map(Vec<DocField>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct DocField {
    pub key: String,
    pub value: Doc,
}

/// Builds a [`Doc::Map`] in Go's field order.
#[derive(Debug, Default)]
pub struct DocMap(Vec<DocField>);

impl DocMap {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn put(mut self, key: &str, value: impl Into<Doc>) -> Self {
        self.0.push(DocField { key: key.into(), value: value.into() });
        self
    }

    /// `omitempty` on a string.
    pub fn text(self, key: &str, text: &str) -> Self {
        if text.is_empty() { self } else { self.put(key, text) }
    }

    /// `omitempty` on a map of strings.
    pub fn strings(self, key: &str, map: &BTreeMap<String, String>) -> Self {
        if map.is_empty() { self } else { self.put(key, make_string_map(map)) }
    }

    /// `omitempty` on a number.
    pub fn number(self, key: &str, number: i64) -> Self {
        if number == 0 { self } else { self.put(key, number) }
    }

    /// `omitempty` on a slice.
    pub fn list(self, key: &str, items: Vec<Doc>) -> Self {
        if items.is_empty() { self } else { self.put(key, Doc::List(items)) }
    }

    pub fn done(self) -> Doc {
        Doc::Map(self.0)
    }
}

/// A map of strings, its keys sorted.
pub fn make_string_map(map: &BTreeMap<String, String>) -> Doc {
    let field = |(key, value): (&String, &String)| DocField {
        key: key.clone(),
        value: Doc::Text(value.clone()),
    };
    Doc::Map(map.iter().map(field).collect())
}

/// A slice that Go's `append` made: nil while nothing was appended.
pub fn make_appended_list(items: Vec<Doc>) -> Doc {
    if items.is_empty() { Doc::Nil } else { Doc::List(items) }
}

impl From<&str> for Doc {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Doc {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Doc {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Doc {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Time> for Doc {
    fn from(time: Time) -> Self {
        Self::Time(time)
    }
}
