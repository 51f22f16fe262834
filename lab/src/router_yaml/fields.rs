//! Mappings read field by field, so that all mistakes are found and none ends the reading.

use serde::de::DeserializeOwned;
use serde_yaml_ng::{Mapping, Value};

use super::read::Problem;

/// The problems of one resource.
pub(super) struct ResourceFields<'a> {
    /// The resource's name, as `Plugin/aws-executor`.
    pub resource: String,
    pub problems: &'a mut Vec<Problem>,
}

impl ResourceFields<'_> {
    /// Adds a problem of this resource. `field` is its path, as `spec.timeout`.
    pub fn report(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            resource: self.resource.clone(),
            field: field.into(),
            message: message.into(),
        });
    }

    /// The mapping at `path`, each key of which must be known. An absent one is empty.
    pub fn mapping(&mut self, path: &str, value: Option<&Value>, known: &[&str]) -> Mapping {
        let mapping = match value {
            None | Some(Value::Null) => Mapping::new(),
            Some(Value::Mapping(mapping)) => mapping.clone(),
            Some(_) => {
                self.report(path, "expected a mapping");
                Mapping::new()
            }
        };
        for key in mapping.keys() {
            match key.as_str() {
                Some(key) if known.contains(&key) => {}
                Some(key) => {
                    let message = match known.iter().find(|k| k.eq_ignore_ascii_case(key)) {
                        Some(meant) => {
                            format!("unknown key, which routerd ignores: is it {meant}?")
                        }
                        None => "unknown key, which routerd ignores".to_owned(),
                    };
                    self.report(join_path(path, key), message);
                }
                None => self.report(path, "a key that is no text"),
            }
        }
        mapping
    }

    /// None where it is absent, null, or of another type, which is reported.
    pub fn optional<T: DeserializeOwned>(
        &mut self,
        path: &str,
        mapping: &Mapping,
        key: &str,
    ) -> Option<T> {
        let value = mapping.get(key)?;
        match serde_yaml_ng::from_value::<Option<T>>(value.clone()) {
            Ok(value) => value,
            Err(error) => {
                self.report(join_path(path, key), error.to_string());
                None
            }
        }
    }

    /// The text of a key that must be there. Empty where it is absent, null or no text, which is
    /// reported.
    pub fn required(&mut self, path: &str, mapping: &Mapping, key: &str) -> String {
        let value: Option<String> = self.optional(path, mapping, key);
        if value.is_none() && mapping.get(key).is_none_or(Value::is_null) {
            self.report(join_path(path, key), "missing");
        }
        value.unwrap_or_default()
    }

    /// A list of words, each of which routerd knows.
    pub fn words(
        &mut self,
        path: &str,
        mapping: &Mapping,
        key: &str,
        known: &[&str],
    ) -> Vec<String> {
        let words: Vec<String> = self.optional(path, mapping, key).unwrap_or_default();
        for word in &words {
            if !known.contains(&word.as_str()) {
                let message = format!("{word:?} is none of {}", known.join(", "));
                self.report(join_path(path, key), message);
            }
        }
        words
    }
}

pub(super) fn join_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
