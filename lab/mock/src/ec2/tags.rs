//! Tags: all of all resources in one list, given at the making or later, and taken away.

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{self, ApiError};
use super::filters::{self, FilterField};
use super::paging;
use super::params::Params;
use super::render;
use super::xml::Xml;
use crate::cloud::{Cloud, Tags};

const ANY: Resources = Resources::Tagged { parameter: "ResourceId" };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeTags",
        &["Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
        describe,
    ),
    ApiOperation::change("CreateTags", ANY, &["ResourceId.N", "Tag.N.Key", "Tag.N.Value"], create),
    ApiOperation::change("DeleteTags", ANY, &["ResourceId.N", "Tag.N.Key", "Tag.N.Value"], delete),
];

/// The parameters of what is made in a VPC with nothing but tags and a client token.
pub const IN_VPC: &[&str] = &[
    "VpcId",
    "ClientToken",
    "TagSpecification.N.ResourceType",
    "TagSpecification.N.Tag.N.Key",
    "TagSpecification.N.Tag.N.Value",
];

/// How many tags a resource may have, and how long a key and a value.
const MOST: usize = 50;
const LONGEST_KEY: usize = 127;
const LONGEST_VALUE: usize = 255;

#[derive(Debug)]
struct Tag {
    resource_id: String,
    resource_type: &'static str,
    key: String,
    value: String,
    /// The tag as a set of one, for the filter `tag:KEY`.
    itself: Tags,
}

const FIELDS: &[FilterField<Tag>] = &[
    ("key", |_, tag| vec![tag.key.clone()]),
    ("resource-id", |_, tag| vec![tag.resource_id.clone()]),
    ("resource-type", |_, tag| vec![tag.resource_type.to_owned()]),
    ("value", |_, tag| vec![tag.value.clone()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let all = all_tags(cloud);
    let selected = filters::select(cloud, params, FIELDS, Some(|tag| &tag.itself), &all)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, None, selected)?;
    let mut xml = Xml::new();
    xml.items("tagSet", page, |xml, tag| {
        xml.leaf("resourceId", &tag.resource_id);
        xml.leaf("resourceType", tag.resource_type);
        xml.leaf("key", &tag.key);
        xml.leaf("value", &tag.value);
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn all_tags(cloud: &Cloud) -> Vec<Tag> {
    let mut all = Vec::new();
    let mut add = |resource_type: &'static str, resource_id: &str, tags: &Tags| {
        all.extend(tags.iter().map(|(key, value)| Tag {
            resource_id: resource_id.to_owned(),
            resource_type,
            key: key.clone(),
            value: value.clone(),
            itself: Tags::from([(key.clone(), value.clone())]),
        }));
    };
    cloud.each_tagged(&mut add);
    all
}

fn create(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let tags = check(call.params.tags("Tag"))?;
    if tags.is_empty() {
        return Err(ApiError::missing("Tag"));
    }
    for id in list_resource_ids(call.params)? {
        let own = tags_mut(call.cloud, id)?;
        own.extend(tags.clone());
        if own.len() > MOST {
            return Err(too_many());
        }
    }
    Ok(render::return_true())
}

/// A tag without a value goes whatever its value is; without tags, all go.
fn delete(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let wanted: Vec<(&str, Option<&str>)> = params
        .numbers("Tag")
        .into_iter()
        .filter_map(|n| {
            Some((params.text(&format!("Tag.{n}.Key"))?, params.text(&format!("Tag.{n}.Value"))))
        })
        .collect();
    for id in list_resource_ids(params)? {
        let own = tags_mut(call.cloud, id)?;
        if wanted.is_empty() {
            own.clear();
        }
        own.retain(|key, value| {
            !wanted.iter().any(|(k, v)| k == key && v.is_none_or(|v| v == value))
        });
    }
    Ok(render::return_true())
}

/// EC2 names the list as its model has it, not as it is sent.
fn list_resource_ids(params: &Params) -> Result<Vec<&str>, ApiError> {
    let ids = params.list("ResourceId");
    if ids.is_empty() { Err(ApiError::missing("resourceIdSet")) } else { Ok(ids) }
}

fn tags_mut<'a>(cloud: &'a mut Cloud, id: &str) -> Result<&'a mut Tags, ApiError> {
    let Some(kind) = error::kind_of(id) else {
        return Err(ApiError::bad("InvalidID", format!("The ID '{id}' is not valid")));
    };
    kind.check(id)?;
    cloud.tags_mut(id).map(|(_, tags)| tags).ok_or_else(|| kind.not_found(&[id]))
}

/// The tags for what is made, of the kinds in `allowed`; what is asked for another kind is refused.
pub fn read_specified_tags(
    params: &Params,
    allowed: &[&str],
    kind: &str,
) -> Result<Tags, ApiError> {
    let mut tags = Vec::new();
    for number in params.numbers("TagSpecification") {
        let prefix = format!("TagSpecification.{number}");
        let given = params.required(&format!("{prefix}.ResourceType"))?;
        if !allowed.contains(&given) {
            return Err(ApiError::invalid_value(format!(
                "'{given}' is not a valid taggable resource type for this operation."
            )));
        }
        if given == kind {
            tags.extend(params.tags(&format!("{prefix}.Tag")));
        }
    }
    check(tags)
}

fn check(tags: Vec<(&str, &str)>) -> Result<Tags, ApiError> {
    let mut checked = Tags::new();
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(ApiError::invalid_value(format!(
                "Tag key exceeds the maximum length of {LONGEST_KEY} characters or is empty"
            )));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(ApiError::invalid_value(format!(
                "Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            )));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(ApiError::invalid_value(format!(
                "Tag keys starting with 'aws:' are reserved for internal use: {key}"
            )));
        }
        if checked.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::invalid_value(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    if checked.len() > MOST { Err(too_many()) } else { Ok(checked) }
}

fn too_many() -> ApiError {
    ApiError::bad(
        "TagLimitExceeded",
        format!("The maximum number of tags for a resource is {MOST}."),
    )
}

/// The tags that a request gives, to what it makes or to what it names.
pub fn read_given_tags(params: &Params) -> Vec<(&str, &str)> {
    let mut given = params.tags("Tag");
    for number in params.numbers("TagSpecification") {
        given.extend(params.tags(&format!("TagSpecification.{number}.Tag")));
    }
    given
}

/// The kinds of resources that a request makes with tags.
pub fn kinds_specified(params: &Params) -> Vec<&str> {
    let numbers = params.numbers("TagSpecification").into_iter();
    numbers
        .filter_map(|number| params.text(&format!("TagSpecification.{number}.ResourceType")))
        .collect()
}
