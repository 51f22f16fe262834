//! Filters: the values of one are alternatives, all filters must fit; `*` and `?` are wildcards.
//! Which filters a describe knows is a table; another name is refused, never ignored.

use super::error::ApiError;
use super::params::Params;
use crate::cloud::{Cloud, Tags};

/// A filter's name and what an item shows under it.
pub type FilterField<T> = (&'static str, fn(&Cloud, &T) -> Vec<String>);

#[derive(Debug)]
struct RequestFilter<'a> {
    name: &'a str,
    values: Vec<&'a str>,
}

/// Reads the values that an item shows under a name.
pub type Reader<'a, T> = Box<dyn Fn(&Cloud, &T) -> Vec<String> + 'a>;

/// Filters that an item has from what it contains, by name.
pub type Nested<T> = fn(&str) -> Option<Reader<'static, T>>;

/// The items that all filters of the request let pass.
pub fn select<'a, T>(
    cloud: &Cloud,
    params: &Params,
    fields: &[FilterField<T>],
    tags: Option<fn(&T) -> &Tags>,
    items: impl IntoIterator<Item = &'a T>,
) -> Result<Vec<&'a T>, ApiError> {
    select_nested(cloud, params, fields, tags, |_| None, items)
}

/// The same, for items that contain others.
pub fn select_nested<'a, T>(
    cloud: &Cloud,
    params: &Params,
    fields: &[FilterField<T>],
    tags: Option<fn(&T) -> &Tags>,
    nested: Nested<T>,
    items: impl IntoIterator<Item = &'a T>,
) -> Result<Vec<&'a T>, ApiError> {
    let mut selected: Vec<&T> = items.into_iter().collect();
    for filter in parse(params)? {
        let shown = match nested(filter.name) {
            Some(shown) => shown,
            None => reader(&filter, fields, tags)?,
        };
        selected.retain(|item| {
            shown(cloud, item)
                .iter()
                .any(|shown| filter.values.iter().any(|pattern| matches_pattern(pattern, shown)))
        });
    }
    Ok(selected)
}

fn parse(params: &Params) -> Result<Vec<RequestFilter<'_>>, ApiError> {
    params
        .numbers("Filter")
        .into_iter()
        .map(|number| {
            let name = params.required(&format!("Filter.{number}.Name"))?;
            let values = params.list(&format!("Filter.{number}.Value"));
            if values.is_empty() {
                return Err(ApiError::invalid_value(format!("The filter '{name}' has no values")));
            }
            Ok(RequestFilter { name, values })
        })
        .collect()
}

fn reader<'a, T>(
    filter: &RequestFilter<'a>,
    fields: &[FilterField<T>],
    tags: Option<fn(&T) -> &Tags>,
) -> Result<Reader<'a, T>, ApiError>
where
    T: 'a,
{
    if let Some((_, shown)) = fields.iter().find(|(name, _)| *name == filter.name) {
        return Ok(Box::new(*shown));
    }
    if let Some(tags) = tags {
        if filter.name == "tag-key" {
            return Ok(Box::new(move |_, item| tags(item).keys().cloned().collect()));
        }
        if let Some(key) = filter.name.strip_prefix("tag:") {
            return Ok(Box::new(move |_, item| tags(item).get(key).cloned().into_iter().collect()));
        }
    }
    Err(ApiError::invalid_value(format!("The filter '{}' is invalid", filter.name)))
}

/// `*` is any text, `?` any character, and a backslash takes their meaning away.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    fits(&pattern, &text)
}

fn fits(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| fits(rest, &text[skip..])),
        ['?', rest @ ..] => !text.is_empty() && fits(rest, &text[1..]),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first() == Some(literal) && fits(rest, &text[1..])
        }
    }
}
