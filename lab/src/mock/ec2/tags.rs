//! All tags of all resources, in one list.

use super::action::{Action, Call};
use super::error::ApiError;
use super::filters::{self, Field};
use super::paging;
use super::xml::Xml;
use crate::mock::cloud::{Cloud, Tags};

pub const ACTIONS: &[Action] = &[Action::describe(
    "DescribeTags",
    &["Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
    describe,
)];

#[derive(Debug)]
struct Tag {
    resource_id: String,
    resource_type: &'static str,
    key: String,
    value: String,
    /// The tag as a set of one, for the filter `tag:KEY`.
    itself: Tags,
}

const FIELDS: &[Field<Tag>] = &[
    ("key", |_, tag| vec![tag.key.clone()]),
    ("resource-id", |_, tag| vec![tag.resource_id.clone()]),
    ("resource-type", |_, tag| vec![tag.resource_type.to_owned()]),
    ("value", |_, tag| vec![tag.value.clone()]),
];

fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let all = all_tags(cloud);
    let selected = filters::select(cloud, params, FIELDS, Some(|tag| &tag.itself), &all)?;
    let (page, next) = paging::page(params, &paging::USUAL, None, selected)?;
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
    cloud.addresses.values().for_each(|a| add("elastic-ip", &a.allocation_id, &a.tags));
    cloud.instances.values().for_each(|i| add("instance", &i.id, &i.tags));
    cloud.network_interfaces.values().for_each(|e| add("network-interface", &e.id, &e.tags));
    cloud.route_tables.values().for_each(|t| add("route-table", &t.id, &t.tags));
    cloud.security_groups.values().for_each(|g| add("security-group", &g.id, &g.tags));
    cloud.subnets.values().for_each(|s| add("subnet", &s.id, &s.tags));
    cloud.volumes.values().for_each(|v| add("volume", &v.id, &v.tags));
    cloud.vpcs.values().for_each(|v| add("vpc", &v.id, &v.tags));
    all
}
