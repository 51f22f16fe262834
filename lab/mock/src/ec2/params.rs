//! The request's parameters, read by type.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::error::ApiError;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// From a form-encoded body.
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The same with one more.
    #[must_use]
    pub fn with(&self, name: &str, value: String) -> Self {
        let mut all = self.0.clone();
        all.insert(name.to_owned(), value);
        Self(all)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing(name))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid_value(format!(
                "Invalid value '{other}' for {name}. Must be one of: true, false"
            ))),
        }
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            ApiError::invalid_value(format!("Value ({text}) for parameter {name} is invalid."))
        })
    }

    /// The values of `name.1`, `name.2`, … in the order of their numbers.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.numbers(name)
            .into_iter()
            .filter_map(|number| self.text(&format!("{name}.{number}")))
            .collect()
    }

    pub fn required_list(&self, name: &str) -> Result<Vec<&str>, ApiError> {
        let values = self.list(name);
        if values.is_empty() { Err(ApiError::missing(name)) } else { Ok(values) }
    }

    pub fn addresses(&self, name: &str) -> Result<Vec<Ipv4Addr>, ApiError> {
        self.list(name)
            .into_iter()
            .map(|text| {
                text.parse().map_err(|_| {
                    ApiError::invalid_value(format!(
                        "Value ({text}) for parameter privateIpAddress is invalid. Invalid IPv4 address"
                    ))
                })
            })
            .collect()
    }

    /// The keys and values of `name.1.Key`, `name.1.Value`, …
    pub fn tags(&self, name: &str) -> Vec<(&str, &str)> {
        let tag = |number| {
            let key = self.text(&format!("{name}.{number}.Key"))?;
            Some((key, self.text(&format!("{name}.{number}.Value")).unwrap_or_default()))
        };
        self.numbers(name).into_iter().filter_map(tag).collect()
    }

    /// One value of a fixed set.
    pub fn one_of<'a>(&'a self, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, ApiError> {
        match self.text(name) {
            Some(value) if !allowed.contains(&value) => Err(ApiError::invalid_value(format!(
                "Value ({value}) for parameter {name} is invalid. Allowed values: {}",
                allowed.join(", ")
            ))),
            value => Ok(value),
        }
    }

    pub fn address(&self, name: &str) -> Result<Option<Ipv4Addr>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            ApiError::invalid_value(format!(
                "Value ({text}) for parameter {name} is invalid. Invalid IPv4 address"
            ))
        })
    }

    /// A CIDR block in its canonical form, as AWS makes it.
    pub fn cidr(&self, name: &str) -> Result<Ipv4Net, ApiError> {
        let text = self.required(name)?;
        text.parse::<Ipv4Net>().map(|net| net.trunc()).map_err(|_| {
            let mut shown = name.to_owned();
            shown[..1].make_ascii_lowercase();
            ApiError::malformed_cidr(&shown, text)
        })
    }

    /// Whether a describe asks for less than everything.
    pub fn narrows(&self) -> bool {
        self.0.keys().any(|name| !["Action", "Version", "DryRun"].contains(&name.as_str()))
    }

    /// All of them, as one text that is equal for equal ones.
    pub fn fingerprint(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// The numbers that follow `name.`, ascending, each once.
    pub fn numbers(&self, name: &str) -> Vec<u32> {
        let mut numbers: Vec<u32> = self
            .0
            .keys()
            .filter_map(|key| key.strip_prefix(name)?.strip_prefix('.')?.split('.').next())
            .filter_map(|number| number.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Refuses a parameter that none of the patterns allows; `N` in a pattern is a number.
    pub fn refuse_unknown(&self, allowed: &[&[&str]]) -> Result<(), ApiError> {
        let any = |fits: &dyn Fn(&str) -> bool| allowed.iter().copied().flatten().any(|p| fits(p));
        // A list without a member is sent as its bare name.
        let is_empty_list = |name: &str, value: &str| {
            let member = format!("{name}.member.");
            value.is_empty() && any(&|pattern| pattern.starts_with(&member))
        };
        let known = |(name, value): &(&String, &String)| {
            any(&|pattern| fits(pattern, name)) || is_empty_list(name, value)
        };
        match self.0.iter().find(|given| !known(given)) {
            Some((name, _)) => Err(ApiError::unknown_parameter(name)),
            None => Ok(()),
        }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut names = name.split('.');
    pattern.split('.').all(|expected| {
        names.next().is_some_and(|part| part == expected || (expected == "N" && numeric(part)))
    }) && names.next().is_none()
}

/// A modify takes one attribute at a time: which of those that it knows were asked for.
pub fn one_attribute(asked: &[bool]) -> Result<(), ApiError> {
    match asked.iter().filter(|asked| **asked).count() {
        0 => Err(ApiError::invalid_combination("No attributes specified.")),
        1 => Ok(()),
        _ => Err(ApiError::invalid_combination("Fields for multiple attribute types specified")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ContextEntries=` is sent to IAM, which takes it: a list without a member has no number.
    #[test]
    fn an_empty_list_is_a_parameter_that_is_known() {
        let allowed: &[&str] = &["ContextEntries.member.N.ContextKeyName", "Name"];
        for (body, taken) in [
            ("ContextEntries=", true),
            ("ContextEntries.member.1.ContextKeyName=a", true),
            ("ContextEntries=a", false),
            ("ContextEntries.member.1.Other=a", false),
            ("Others=", false),
            ("Name=a", true),
        ] {
            let refused = Params::parse(body.as_bytes()).refuse_unknown(&[allowed]);
            assert_eq!(refused.is_ok(), taken, "{body}: {refused:?}");
        }
    }
}
