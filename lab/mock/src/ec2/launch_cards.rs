//! The network interfaces of a launch.

use super::action::ApiCall;
use super::error::{ApiError, INTERFACE, SUBNET};
use super::launches::TAGGABLE;
use super::new_interfaces::{self, NewInterface};
use super::params::Params;
use super::render;
use super::tags;
use crate::cloud::instance_types::InstanceType;
use crate::cloud::{Attachment, Cloud, LaunchAddress, Tags};

/// An interface of each instance.
pub struct Card {
    pub device_index: u32,
    delete_on_termination: bool,
    interface: CardInterface,
    /// Whether a public address was asked for; where nobody said, the subnet does.
    public: Option<bool>,
}

pub enum CardInterface {
    New(NewInterface),
    Existing(String),
}

pub fn read_cards(call: &mut ApiCall<'_>, count: usize) -> Result<Vec<Card>, ApiError> {
    let params = call.params;
    let numbers = params.numbers("NetworkInterface");
    let tags = tags::read_specified_tags(params, TAGGABLE, "network-interface")?;
    let mut cards = Vec::new();
    if numbers.is_empty() {
        let wanted = NewInterface { tags, ..NewInterface::read(params, "")? };
        cards.push(Card {
            device_index: 0,
            delete_on_termination: true,
            interface: CardInterface::New(wanted),
            public: None,
        });
    } else if ["SubnetId", "PrivateIpAddress"].iter().any(|name| params.text(name).is_some())
        || !params.list("SecurityGroupId").is_empty()
    {
        return Err(ApiError::invalid_combination(
            "Network interfaces and an instance-level subnet ID, security groups or private address may not be specified on the same request",
        ));
    } else {
        for number in numbers {
            cards.push(card(params, &format!("NetworkInterface.{number}."), &tags)?);
        }
    }
    for card in &mut cards {
        check_card(call.cloud, params, card, count)?;
    }
    check_public(&cards)?;
    if !cards.iter().any(|card| card.device_index == 0) {
        return Err(ApiError::invalid_combination(
            "When specifying network interfaces, you must include a device at index 0.",
        ));
    }
    Ok(cards)
}

/// Asked for outright it is for the first and only interface, and for a new one.
fn check_public(cards: &[Card]) -> Result<(), ApiError> {
    let wants = |card: &&Card| card.public == Some(true);
    let Some(asks) = cards.iter().find(wants) else { return Ok(()) };
    if cards.len() > 1 || asks.device_index != 0 {
        return Err(ApiError::invalid_combination(
            "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.",
        ));
    }
    if matches!(asks.interface, CardInterface::Existing(_)) {
        return Err(ApiError::invalid_combination(
            "The associatePublicIPAddress parameter cannot be specified for a network interface with an ID.",
        ));
    }
    Ok(())
}

fn card(params: &Params, prefix: &str, tags: &Tags) -> Result<Card, ApiError> {
    let device_index = params.number(&format!("{prefix}DeviceIndex"))?.unwrap_or(0);
    let goes = params.flag(&format!("{prefix}DeleteOnTermination"))?;
    let public = params.flag(&format!("{prefix}AssociatePublicIpAddress"))?;
    Ok(match params.text(&format!("{prefix}NetworkInterfaceId")) {
        Some(id) => Card {
            device_index,
            delete_on_termination: goes.unwrap_or(false),
            interface: CardInterface::Existing(id.to_owned()),
            public,
        },
        None => Card {
            device_index,
            delete_on_termination: goes.unwrap_or(true),
            interface: CardInterface::New(NewInterface {
                tags: tags.clone(),
                ..NewInterface::read(params, prefix)?
            }),
            public,
        },
    })
}

fn check_card(
    cloud: &mut Cloud,
    params: &Params,
    card: &mut Card,
    count: usize,
) -> Result<(), ApiError> {
    let is_one_of_a_kind = match &mut card.interface {
        CardInterface::Existing(id) => {
            if render::find_by_id(&INTERFACE, &mut cloud.network_interfaces, id)?
                .attachment
                .is_some()
            {
                return Err(ApiError::bad(
                    "InvalidNetworkInterface.InUse",
                    format!("Interface: [{id}] in use."),
                ));
            }
            true
        }
        CardInterface::New(wanted) => {
            if wanted.subnet_id.is_empty() {
                wanted.subnet_id = default_subnet(cloud, params)?;
            }
            render::find_by_id(&SUBNET, &mut cloud.subnets, &wanted.subnet_id)?;
            wanted.primary.is_some() || !wanted.secondary.is_empty()
        }
    };
    if is_one_of_a_kind && count > 1 {
        return Err(ApiError::invalid_combination(
            "A network interface or a private address may not be specified for several instances",
        ));
    }
    Ok(())
}

/// The id of the default VPC's subnet in the zone that is asked for.
fn default_subnet(cloud: &Cloud, params: &Params) -> Result<String, ApiError> {
    let Some(vpc) = cloud.vpcs.values().find(|vpc| vpc.is_default) else {
        return Err(ApiError::bad(
            "VPCIdNotSpecified",
            "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
        ));
    };
    let zone = params.text("Placement.AvailabilityZone");
    let mut all = cloud.subnets.values();
    all.find(|s| s.vpc_id == vpc.id && zone.is_none_or(|zone| zone == s.availability_zone))
        .map(|subnet| subnet.id.clone())
        .ok_or_else(|| {
            let message = format!(
                "No subnets found for the default VPC '{}'. Please specify a subnet.",
                vpc.id
            );
            ApiError::bad("MissingInput", message)
        })
}

/// Attaches a card's interface; its zone is the instance's.
pub fn plug_card(
    call: &mut ApiCall<'_>,
    instance_id: &str,
    card: &Card,
    instance_type: &InstanceType,
) -> Result<String, ApiError> {
    let mut eni = match &card.interface {
        CardInterface::New(wanted) => new_interfaces::make(call.cloud, wanted)?,
        CardInterface::Existing(id) => {
            render::find_by_id(&INTERFACE, &mut call.cloud.network_interfaces, id)?.clone()
        }
    };
    if eni.private_addresses.len() > instance_type.ipv4_addresses_per_interface {
        return Err(ApiError::bad(
            "InvalidInterface.IpAddressLimitExceeded",
            "The number of IP addresses on the interface exceeds the limit of the instance type.",
        ));
    }
    eni.instance_id = Some(instance_id.to_owned());
    eni.attachment = Some(Attachment {
        id: call.cloud.new_id("eni-attach"),
        device_index: card.device_index,
        delete_on_termination: card.delete_on_termination,
        attached_at: call.now,
    });
    let subnet = render::find_by_id(&SUBNET, &mut call.cloud.subnets, &eni.subnet_id)?;
    let zone = subnet.availability_zone.clone();
    // It comes when the instance runs.
    let is_new = matches!(card.interface, CardInterface::New(_));
    if card.public.unwrap_or(is_new && card.device_index == 0 && subnet.map_public_ip_on_launch) {
        eni.launch_address = LaunchAddress::Released;
    }
    call.cloud.network_interfaces.insert(eni.id.clone(), eni);
    Ok(zone)
}
