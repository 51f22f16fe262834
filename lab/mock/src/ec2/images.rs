//! Images.

use super::action::{ApiCall, ApiOperation};
use super::error::{ApiError, IMAGE};
use super::filters::{self, FilterField};
use super::paging::{self, Bounds};
use super::render;
use super::xml::Xml;
use crate::cloud::{Cloud, Image};

pub const ACTIONS: &[ApiOperation] = &[ApiOperation::describe(
    "DescribeImages",
    &[
        "ImageId.N",
        "Owner.N",
        "IncludeDeprecated",
        "Filter.N.Name",
        "Filter.N.Value.N",
        "MaxResults",
        "NextToken",
    ],
    describe,
)];

const BOUNDS: Bounds = Bounds { least: 1, most: 1000 };

const FIELDS: &[FilterField<Image>] = &[
    ("architecture", |_, image| vec![image.architecture.clone()]),
    ("block-device-mapping.delete-on-termination", |_, _| vec!["true".to_owned()]),
    ("block-device-mapping.device-name", |_, image| vec![image.root_device_name.clone()]),
    ("block-device-mapping.encrypted", |_, _| vec!["false".to_owned()]),
    ("block-device-mapping.snapshot-id", |_, image| vec![image.snapshot_id.clone()]),
    ("block-device-mapping.volume-size", |_, image| vec![image.size_gib.to_string()]),
    ("block-device-mapping.volume-type", |_, _| vec!["gp3".to_owned()]),
    ("creation-date", |_, image| vec![render::format_time(image.created_at)]),
    ("description", |_, image| vec![image.description.clone()]),
    ("ena-support", |_, _| vec!["true".to_owned()]),
    ("hypervisor", |_, _| vec!["xen".to_owned()]),
    ("image-id", |_, image| vec![image.id.clone()]),
    ("image-type", |_, _| vec!["machine".to_owned()]),
    ("is-public", |_, _| vec!["false".to_owned()]),
    ("name", |_, image| vec![image.name.clone()]),
    ("owner-id", |_, image| vec![image.owner_id.clone()]),
    ("root-device-name", |_, image| vec![image.root_device_name.clone()]),
    ("root-device-type", |_, _| vec!["ebs".to_owned()]),
    ("state", |_, _| vec!["available".to_owned()]),
    ("virtualization-type", |_, _| vec!["hvm".to_owned()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    params.flag("IncludeDeprecated")?;
    let ids = params.list("ImageId");
    let mut chosen = find_images(cloud, &ids)?;
    let owners = params.list("Owner");
    chosen.retain(|image| {
        let own = image.owner_id == cloud.account_id;
        owners.is_empty()
            || owners.contains(&image.owner_id.as_str())
            || own && owners.contains(&"self")
    });
    let selected = filters::select(cloud, params, FIELDS, Some(|image| &image.tags), chosen)?;
    let (page, next) = paging::take_page(params, &BOUNDS, Some("ImageId"), selected)?;
    let mut xml = Xml::new();
    xml.items("imagesSet", page, detail);
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

/// With AWS's own words for an image that is not there.
pub fn find_images<'a>(cloud: &'a Cloud, ids: &[&str]) -> Result<Vec<&'a Image>, ApiError> {
    for id in ids {
        IMAGE.check(id)?;
    }
    let missing: Vec<&str> =
        ids.iter().copied().filter(|id| !cloud.images.contains_key(*id)).collect();
    if missing.is_empty() {
        return render::find_by_ids(&IMAGE, &cloud.images, ids);
    }
    let (noun, verb) = if missing.len() == 1 { ("id", "does") } else { ("ids", "do") };
    Err(ApiError::bad(
        "InvalidAMIID.NotFound",
        format!("The image {noun} '[{}]' {verb} not exist", missing.join(", ")),
    ))
}

fn detail(xml: &mut Xml, image: &Image) {
    xml.leaf("imageId", &image.id);
    xml.leaf("imageLocation", format!("{}/{}", image.owner_id, image.name));
    xml.leaf("imageState", "available");
    xml.leaf("imageOwnerId", &image.owner_id);
    xml.leaf("creationDate", render::format_time(image.created_at));
    xml.leaf("isPublic", false);
    xml.leaf("architecture", &image.architecture);
    xml.leaf("imageType", "machine");
    xml.leaf("name", &image.name);
    xml.leaf("description", &image.description);
    xml.leaf("rootDeviceType", "ebs");
    xml.leaf("rootDeviceName", &image.root_device_name);
    xml.items("blockDeviceMapping", [image], |xml, image| {
        xml.leaf("deviceName", &image.root_device_name);
        xml.element("ebs", |xml| {
            xml.leaf("snapshotId", &image.snapshot_id);
            xml.leaf("volumeSize", image.size_gib);
            xml.leaf("deleteOnTermination", true);
            xml.leaf("volumeType", "gp3");
            xml.leaf("encrypted", false);
        });
    });
    xml.leaf("virtualizationType", "hvm");
    xml.leaf("hypervisor", "xen");
    xml.leaf("enaSupport", true);
    render::tag_set(xml, &image.tags);
}
