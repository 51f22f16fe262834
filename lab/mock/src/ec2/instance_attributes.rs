//! Everything that an instance shows besides its description: attributes, status checks, the console.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

use super::action::{ApiCall, ApiOperation, Resources};
use super::error::{ApiError, INSTANCE, SECURITY_GROUP};
use super::filters::{self, FilterField};
use super::instances::block_devices;
use super::render;
use super::xml::Xml;
use super::{paging, params};
use crate::cloud::{Cloud, Instance, InstanceState};

const TARGET: Resources = Resources::Of { kind: "instance", parameter: "InstanceId" };

pub const ACTIONS: &[ApiOperation] = &[
    ApiOperation::describe("DescribeInstanceAttribute", &["InstanceId", "Attribute"], attribute),
    ApiOperation::change(
        "ModifyInstanceAttribute",
        TARGET,
        &[
            "InstanceId",
            "SourceDestCheck.Value",
            "DisableApiTermination.Value",
            "DisableApiStop.Value",
            "GroupId.N",
        ],
        modify,
    ),
    ApiOperation::describe(
        "DescribeInstanceStatus",
        &[
            "InstanceId.N",
            "IncludeAllInstances",
            "Filter.N.Name",
            "Filter.N.Value.N",
            "MaxResults",
            "NextToken",
        ],
        status,
    ),
    ApiOperation::describe("GetConsoleOutput", &["InstanceId", "Latest"], console_output),
    ApiOperation::change("RebootInstances", TARGET, &["InstanceId.N"], reboot),
];

/// How long the status checks take after an instance runs.
const CHECKS_TAKE: TimeDelta = TimeDelta::seconds(60);

const ATTRIBUTES: &[&str] = &[
    "instanceType",
    "userData",
    "disableApiStop",
    "disableApiTermination",
    "instanceInitiatedShutdownBehavior",
    "rootDeviceName",
    "blockDeviceMapping",
    "sourceDestCheck",
    "groupSet",
    "ebsOptimized",
    "enaSupport",
];

fn attribute(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("InstanceId")?;
    let name = params.required("Attribute")?;
    params.one_of("Attribute", ATTRIBUTES)?;
    let instance = render::find_by_id(&INSTANCE, &mut call.cloud.instances, id)?.clone();
    let cloud = &*call.cloud;
    let interfaces = cloud.interfaces_of(id);
    let first = interfaces.first();
    let value = match name {
        "instanceType" => instance.instance_type.clone(),
        "userData" => instance.user_data.clone().unwrap_or_default(),
        "disableApiStop" => instance.disable_api_stop.to_string(),
        "disableApiTermination" => instance.disable_api_termination.to_string(),
        "instanceInitiatedShutdownBehavior" => instance.shutdown_behavior.as_str().to_owned(),
        "rootDeviceName" => instance.root_device_name.clone(),
        "sourceDestCheck" => first.is_some_and(|eni| eni.source_dest_check).to_string(),
        "enaSupport" => true.to_string(),
        _ => false.to_string(),
    };
    let mut xml = Xml::new();
    xml.leaf("instanceId", id);
    match name {
        "blockDeviceMapping" => block_devices(&mut xml, cloud, &instance),
        "groupSet" => {
            render::group_set(&mut xml, cloud, first.map_or(&[], |eni| eni.groups.as_slice()));
        }
        "userData" if value.is_empty() => xml.element(name, |_| {}),
        _ => xml.element(name, |xml| xml.leaf("value", value)),
    }
    Ok(xml)
}

/// One attribute at a time; those of the network are its first interface's.
fn modify(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let params = call.params;
    let id = params.required("InstanceId")?;
    let check = params.flag("SourceDestCheck.Value")?;
    let protect = params.flag("DisableApiTermination.Value")?;
    let protect_stop = params.flag("DisableApiStop.Value")?;
    let groups = params.list("GroupId");
    let asked = [check.is_some(), protect.is_some(), protect_stop.is_some(), !groups.is_empty()];
    params::one_attribute(&asked)?;
    render::find_by_ids(&SECURITY_GROUP, &call.cloud.security_groups, &groups)?;
    let instance = render::find_by_id(&INSTANCE, &mut call.cloud.instances, id)?;
    if let Some(protect) = protect {
        instance.disable_api_termination = protect;
        return Ok(render::return_true());
    }
    if let Some(protect) = protect_stop {
        instance.disable_api_stop = protect;
        return Ok(render::return_true());
    }
    let own = call.cloud.interfaces_of(id);
    if own.len() > 1 {
        return Err(ApiError::bad(
            "InvalidInstanceID",
            format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            ),
        ));
    }
    let eni = own.first().map(|eni| eni.id.clone());
    if let Some(eni) = eni.and_then(|id| call.cloud.network_interfaces.get_mut(&id)) {
        eni.source_dest_check = check.unwrap_or(eni.source_dest_check);
        if !groups.is_empty() {
            eni.groups = groups.into_iter().map(str::to_owned).collect();
        }
    }
    Ok(render::return_true())
}

const FIELDS: &[FilterField<Instance>] = &[
    ("availability-zone", |_, instance| vec![instance.availability_zone.clone()]),
    ("instance-state-code", |_, instance| vec![instance.state.code().to_string()]),
    ("instance-state-name", |_, instance| vec![instance.state.as_str().to_owned()]),
];

fn status(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let now = call.now;
    let (cloud, params) = (&*call.cloud, call.params);
    let all = params.flag("IncludeAllInstances")? == Some(true);
    let mut chosen = render::find_by_ids(&INSTANCE, &cloud.instances, &params.list("InstanceId"))?;
    chosen.retain(|instance| all || instance.state == InstanceState::Running);
    let selected = filters::select(cloud, params, FIELDS, None, chosen)?;
    let (page, next) = paging::take_page(params, &paging::USUAL, Some("InstanceId"), selected)?;
    let mut xml = Xml::new();
    xml.items("instanceStatusSet", page, |xml, instance| {
        let (summary, check) = match instance.state {
            InstanceState::Running if instance.changed_at + CHECKS_TAKE <= now => ("ok", "passed"),
            InstanceState::Running => ("initializing", "initializing"),
            _ => ("not-applicable", ""),
        };
        xml.leaf("instanceId", &instance.id);
        xml.leaf("availabilityZone", &instance.availability_zone);
        render::write_state(xml, "instanceState", instance.state);
        for name in ["systemStatus", "instanceStatus"] {
            xml.element(name, |xml| {
                xml.leaf("status", summary);
                if !check.is_empty() {
                    xml.items("details", ["reachability"], |xml, name| {
                        xml.leaf("name", name);
                        xml.leaf("status", check);
                    });
                }
            });
        }
    });
    xml.leaf_if("nextToken", next);
    Ok(xml)
}

fn console_output(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    call.params.flag("Latest")?;
    let id = call.params.required("InstanceId")?;
    let instance = render::find_by_id(&INSTANCE, &mut call.cloud.instances, id)?.clone();
    let mut xml = Xml::new();
    xml.leaf("instanceId", id);
    xml.leaf("timestamp", render::format_time(instance.changed_at));
    // Nothing is there before the instance has booted.
    if instance.state != InstanceState::Pending {
        xml.leaf("output", STANDARD.encode(console(call.cloud, &instance)));
    }
    Ok(xml)
}

fn console(cloud: &Cloud, instance: &Instance) -> String {
    let interfaces = cloud.interfaces_of(&instance.id);
    let address = interfaces.first().and_then(|eni| eni.primary());
    let name = instance.tags.get("Name").map_or(instance.id.as_str(), String::as_str);
    let address = address.map_or_else(String::new, |address| address.to_string());
    format!("Booting {}\r\nci-info: eth0 up {address}\r\n{name} login: ", instance.image_id)
}

fn reboot(call: &mut ApiCall<'_>) -> Result<Xml, ApiError> {
    let ids = call.params.required_list("InstanceId")?;
    for instance in render::find_by_ids(&INSTANCE, &call.cloud.instances, &ids)? {
        if instance.state != InstanceState::Running {
            return Err(ApiError::bad(
                "IncorrectState",
                format!("The instance '{}' is not in the 'running' state.", instance.id),
            ));
        }
    }
    Ok(render::return_true())
}
