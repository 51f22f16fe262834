//! Regions and availability zones.

use super::action::{ApiCall, ApiOperation};
use super::error::ApiError;
use super::filters::{self, FilterField};
use super::xml::Xml;
use crate::cloud::zones::{list_regions, list_zones};

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe(
        "DescribeAvailabilityZones",
        &["ZoneName.N", "ZoneId.N", "AllAvailabilityZones", "Filter.N.Name", "Filter.N.Value.N"],
        describe_zones,
    ),
    ApiOperation::describe(
        "DescribeRegions",
        &["RegionName.N", "AllRegions", "Filter.N.Name", "Filter.N.Value.N"],
        describe_regions,
    ),
];

#[derive(Debug)]
struct Zone {
    name: String,
    id: &'static str,
}

const ZONE_FIELDS: &[FilterField<Zone>] = &[
    ("group-name", |cloud, _| vec![format!("{}-zg-1", cloud.region)]),
    ("opt-in-status", |_, _| vec!["opt-in-not-required".to_owned()]),
    ("region-name", |cloud, _| vec![cloud.region.clone()]),
    ("state", |_, _| vec!["available".to_owned()]),
    ("zone-id", |_, zone| vec![zone.id.to_owned()]),
    ("zone-name", |_, zone| vec![zone.name.clone()]),
    ("zone-type", |_, _| vec!["availability-zone".to_owned()]),
];

fn describe_zones(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    params.flag("AllAvailabilityZones")?;
    let all: Vec<Zone> =
        list_zones(&cloud.region).into_iter().map(|(name, id)| Zone { name, id }).collect();
    let (names, ids) = (params.list("ZoneName"), params.list("ZoneId"));
    for name in &names {
        if !all.iter().any(|zone| zone.name == *name) {
            return Err(ApiError::invalid_value(format!("Invalid availability zone: [{name}]")));
        }
    }
    for id in &ids {
        if !all.iter().any(|zone| zone.id == *id) {
            return Err(ApiError::invalid_value(format!("Invalid availability zone-id: [{id}]")));
        }
    }
    let chosen = all.iter().filter(|zone| {
        (names.is_empty() || names.contains(&zone.name.as_str()))
            && (ids.is_empty() || ids.contains(&zone.id))
    });
    let selected = filters::select(cloud, params, ZONE_FIELDS, None, chosen)?;
    let mut xml = Xml::new();
    xml.items("availabilityZoneInfo", selected, |xml, zone| {
        xml.leaf("zoneState", "available");
        xml.leaf("optInStatus", "opt-in-not-required");
        xml.items("messageSet", [(); 0], |_, ()| {});
        xml.leaf("regionName", &cloud.region);
        xml.leaf("zoneName", &zone.name);
        xml.leaf("zoneId", zone.id);
        xml.leaf("groupName", format!("{}-zg-1", cloud.region));
        xml.leaf("networkBorderGroup", &cloud.region);
        xml.leaf("zoneType", "availability-zone");
    });
    Ok(xml)
}

const REGION_FIELDS: &[FilterField<&'static str>] = &[
    ("endpoint", |_, name| vec![endpoint(name)]),
    ("opt-in-status", |_, _| vec!["opt-in-not-required".to_owned()]),
    ("region-name", |_, name| vec![(*name).to_owned()]),
];

fn endpoint(region: &str) -> String {
    format!("ec2.{region}.amazonaws.com")
}

fn describe_regions(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    params.flag("AllRegions")?;
    let names = params.list("RegionName");
    let all: Vec<&'static str> = list_regions().collect();
    if let Some(name) = names.iter().find(|name| !all.contains(*name)) {
        return Err(ApiError::invalid_value(format!("Invalid region name: [{name}]")));
    }
    let chosen = all.iter().filter(|name| names.is_empty() || names.contains(*name));
    let selected = filters::select(cloud, params, REGION_FIELDS, None, chosen)?;
    let mut xml = Xml::new();
    xml.items("regionInfo", selected, |xml, name| {
        xml.leaf("regionName", name);
        xml.leaf("regionEndpoint", endpoint(name));
        xml.leaf("optInStatus", "opt-in-not-required");
    });
    Ok(xml)
}
