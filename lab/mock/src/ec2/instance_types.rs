//! DescribeInstanceTypes: how much each instance type can hold.

use super::action::{ApiCall, ApiOperation};
use super::error::ApiError;
use super::filters::{self, FilterField};
use super::paging;
use super::xml::Xml;
use crate::cloud::instance_types::{ALL, InstanceType};

pub const ACTIONS: &[ApiOperation] = &[ApiOperation::describe(
    "DescribeInstanceTypes",
    &["InstanceType.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults", "NextToken"],
    describe,
)];

const FIELDS: &[FilterField<InstanceType>] = &[
    ("current-generation", |_, _| vec!["true".to_owned()]),
    ("instance-type", |_, found| vec![found.name.to_owned()]),
    ("memory-info.size-in-mib", |_, found| vec![found.memory_mib.to_string()]),
    ("network-info.ena-support", |_, _| vec!["required".to_owned()]),
    ("network-info.ipv6-supported", |_, _| vec!["true".to_owned()]),
    ("network-info.maximum-network-cards", |_, _| vec!["1".to_owned()]),
    ("network-info.ipv4-addresses-per-interface", |_, found| {
        vec![found.ipv4_addresses_per_interface.to_string()]
    }),
    ("network-info.maximum-network-interfaces", |_, found| vec![found.interfaces.to_string()]),
    ("processor-info.supported-architecture", |_, found| vec![found.architecture.to_owned()]),
    ("vcpu-info.default-vcpus", |_, found| vec![found.vcpus.to_string()]),
];

fn describe(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let (cloud, params) = (&*call.cloud, call.params);
    let names = params.list("InstanceType");
    let unknown: Vec<&str> =
        names.iter().copied().filter(|name| ALL.iter().all(|t| t.name != *name)).collect();
    if !unknown.is_empty() {
        return Err(ApiError::bad(
            "InvalidInstanceType",
            format!("The following supplied instance types do not exist: [{}]", unknown.join(", ")),
        ));
    }
    let chosen = ALL.iter().filter(|found| names.is_empty() || names.contains(&found.name));
    let selected = filters::select(cloud, params, FIELDS, None, chosen)?;
    let (page, next) = paging::take_page(params, &paging::SMALL, Some("InstanceType"), selected)?;
    let mut xml = Xml::new();
    xml.items("instanceTypeSet", page, |xml, found| {
        xml.leaf("instanceType", found.name);
        xml.leaf("currentGeneration", true);
        xml.element("processorInfo", |xml| {
            xml.items("supportedArchitectures", [found.architecture], Xml::text);
        });
        xml.element("vCpuInfo", |xml| xml.leaf("defaultVCpus", found.vcpus));
        xml.element("memoryInfo", |xml| xml.leaf("sizeInMiB", found.memory_mib));
        xml.element("networkInfo", |xml| {
            xml.leaf("maximumNetworkInterfaces", found.interfaces);
            xml.leaf("maximumNetworkCards", 1);
            xml.leaf("defaultNetworkCardIndex", 0);
            xml.leaf("ipv4AddressesPerInterface", found.ipv4_addresses_per_interface);
            xml.leaf("ipv6Supported", true);
            xml.leaf("enaSupport", "required");
        });
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}
