//! Everything that EC2, STS and IAM know: the model behind the endpoint. No protocol here, and no
//! clock: time is handed in.

mod compute;
mod example;
mod iam;
pub mod ids;
pub mod instance_types;
mod launch;
mod neighbours;
mod network;
mod network_acls;
mod options;
mod public_addresses;
mod storage;
mod tagged;
pub mod zones;

pub use compute::{Instance, InstanceState, ShutdownBehavior, StateReason, Transition};
pub use example::LAB_TAG;
pub use iam::{
    Iam, InstanceProfile, ManagedPolicy, NamedPolicy, Operator, PolicyVersion, Role, Session, User,
};
pub use launch::{Image, InternetGateway, KeyPair, ed25519_fingerprint, key_material};
pub use neighbours::{
    NatGateway, PeeredVpc, PeeringConnection, TransitGatewayAttachment, VpcEndpoint,
};
pub use network::{
    AddressAssociation, Attachment, ElasticIp, NetworkInterface, Permission, PrivateAddress,
    RouteOrigin, RouteTable, RouteTableAssociation, RouteTarget, SecurityGroup, Subnet, Vpc,
    VpcRoute,
};
pub use network_acls::{AclAssociation, AclEntry, Crossing, LAST_RULE, NetworkAcl};
pub use options::{
    Answered, Before, Bucket, ClientTokens, CloudOptions, OperatorsPolicies, Rate, Throttling,
};
pub use public_addresses::LaunchAddress;
pub use storage::{Volume, VolumeAttachment};
pub use tagged::kind_of;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use lab::node::Node;

pub type Tags = BTreeMap<String, String>;

/// For how long a terminated instance is still described.
const TERMINATED_SHOWN: TimeDelta = TimeDelta::hours(1);

/// One account in one region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    pub seed: u64,
    pub account_id: String,
    pub region: String,
    pub vpcs: BTreeMap<String, Vpc>,
    pub subnets: BTreeMap<String, Subnet>,
    pub route_tables: BTreeMap<String, RouteTable>,
    pub security_groups: BTreeMap<String, SecurityGroup>,
    pub network_interfaces: BTreeMap<String, NetworkInterface>,
    pub instances: BTreeMap<String, Instance>,
    pub volumes: BTreeMap<String, Volume>,
    /// Elastic IP addresses, by allocation id.
    pub addresses: BTreeMap<String, ElasticIp>,
    #[serde(default)]
    pub internet_gateways: BTreeMap<String, InternetGateway>,
    #[serde(default)]
    pub nat_gateways: BTreeMap<String, NatGateway>,
    #[serde(default)]
    pub vpc_endpoints: BTreeMap<String, VpcEndpoint>,
    #[serde(default)]
    pub peering_connections: BTreeMap<String, PeeringConnection>,
    #[serde(default)]
    pub transit_gateway_attachments: BTreeMap<String, TransitGatewayAttachment>,
    #[serde(default)]
    pub network_acls: BTreeMap<String, NetworkAcl>,
    #[serde(default)]
    pub key_pairs: BTreeMap<String, KeyPair>,
    #[serde(default)]
    pub images: BTreeMap<String, Image>,
    pub iam: Iam,
    pub operator: Operator,
    #[serde(default)]
    pub options: CloudOptions,
    #[serde(default)]
    pub client_tokens: ClientTokens,
    /// How many ids were given to what was made since the beginning.
    #[serde(default)]
    pub made: u64,
    /// How many public addresses were given to instances that started.
    #[serde(default)]
    pub public_addresses_given: u64,
    #[serde(skip)]
    pub buckets: BTreeMap<String, Bucket>,
    #[serde(skip)]
    pub history: Vec<Before>,
    #[serde(skip)]
    pub reads: u64,
    /// The cloud before the last change, for reads that are answered too early.
    #[serde(skip)]
    pub previous: Option<Box<Cloud>>,
}

impl Cloud {
    /// Who has an address in the VPC, primary or secondary.
    pub fn owner_of(&self, address: Ipv4Addr) -> Option<&NetworkInterface> {
        self.network_interfaces.values().find(|eni| eni.owns(address))
    }

    pub fn interface(&self, id: &str) -> Option<&NetworkInterface> {
        self.network_interfaces.get(id)
    }

    /// The instance's interfaces, by device index.
    pub fn interfaces_of(&self, instance_id: &str) -> Vec<&NetworkInterface> {
        let mut interfaces: Vec<_> = self
            .network_interfaces
            .values()
            .filter(|eni| eni.instance_id.as_deref() == Some(instance_id))
            .collect();
        interfaces.sort_by_key(|eni| eni.attachment.as_ref().map(|a| a.device_index));
        interfaces
    }

    pub fn instance_running(&self, instance_id: &str, now: DateTime<Utc>) -> bool {
        self.instances
            .get(instance_id)
            .is_some_and(|instance| instance.state_at(now) == InstanceState::Running)
    }

    /// The lab's instance of that name, terminated ones included.
    pub fn instance_of(&self, node: Node) -> Option<&Instance> {
        self.instances.values().find(|instance| {
            instance.tags.get("Name").is_some_and(|name| name.as_str() == node.as_str())
        })
    }

    /// The Elastic IP address that is translated to this private one.
    pub fn address_on(&self, interface_id: &str, private: Ipv4Addr) -> Option<&ElasticIp> {
        self.addresses.values().find(|address| {
            address.association.as_ref().is_some_and(|association| {
                association.network_interface_id == interface_id
                    && association.private_address == private
            })
        })
    }

    pub fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:ec2:{}:{}:{kind}/{id}", self.region, self.account_id)
    }

    /// Who a program on the instance is to AWS.
    pub fn assumed_role_arn(&self, role: &str, instance_id: &str) -> String {
        format!("arn:aws:sts::{}:assumed-role/{role}/{instance_id}", self.account_id)
    }

    /// The role that the instance's profile gives it.
    pub fn role_of(&self, instance_id: &str) -> Option<&Role> {
        let profile = self.instances.get(instance_id)?.instance_profile.as_deref()?;
        let role = self.iam.instance_profiles.get(profile)?.roles.first()?;
        self.iam.roles.get(role)
    }

    /// Lets the time that has passed take effect: transitions that are due, and what ends with an
    /// instance.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        let due: Vec<String> = self
            .instances
            .values()
            .filter(|instance| instance.transition.is_some_and(|t| t.at <= now))
            .map(|instance| instance.id.clone())
            .collect();
        for id in due {
            self.finish_transition(&id);
        }
        self.instances.retain(|_, instance| {
            instance.state != InstanceState::Terminated
                || instance.changed_at + TERMINATED_SHOWN > now
        });
    }

    /// An id for something new.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        ids::make_id(prefix, self.seed, &format!("made/{}", self.made))
    }

    /// The same account where nothing was ever made: another region.
    #[must_use]
    pub fn elsewhere(&self, region: &str) -> Self {
        Self {
            seed: self.seed,
            account_id: self.account_id.clone(),
            region: region.to_owned(),
            iam: self.iam.clone(),
            operator: self.operator.clone(),
            options: self.options.clone(),
            ..Self::default()
        }
    }

    fn finish_transition(&mut self, id: &str) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let Some(transition) = instance.transition.take() else { return };
        instance.state = transition.to;
        instance.changed_at = transition.at;
        match transition.to {
            InstanceState::Running => self.give_public_addresses(id),
            InstanceState::Stopped => self.take_public_addresses(id),
            InstanceState::Terminated => {
                instance.instance_profile = None;
                self.take_public_addresses(id);
                self.unmake_instance(id);
            }
            InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Stopping => {}
        }
    }

    /// Interfaces and volumes go or stay as their attachment says; Elastic IP addresses stay, and
    /// cost.
    fn unmake_instance(&mut self, id: &str) {
        self.network_interfaces.retain(|_, eni| {
            eni.instance_id.as_deref() != Some(id)
                || !eni.attachment.as_ref().is_some_and(|a| a.delete_on_termination)
        });
        for eni in self.network_interfaces.values_mut() {
            if eni.instance_id.as_deref() == Some(id) {
                eni.instance_id = None;
                eni.attachment = None;
            }
        }
        self.volumes.retain(|_, volume| {
            !volume
                .attachments
                .iter()
                .any(|attachment| attachment.instance_id == id && attachment.delete_on_termination)
        });
        for volume in self.volumes.values_mut() {
            volume.attachments.retain(|attachment| attachment.instance_id != id);
        }
        let interfaces = &self.network_interfaces;
        for address in self.addresses.values_mut() {
            address.association.take_if(|a| !interfaces.contains_key(&a.network_interface_id));
        }
    }
}

#[cfg(test)]
mod tests;
