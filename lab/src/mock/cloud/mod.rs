//! What EC2, STS and IAM know: the model behind the endpoint. No protocol here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cloud {
    pub account_id: String,
    pub region: String,
    pub network_interfaces: BTreeMap<String, NetworkInterface>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub id: String,
    pub mac: String,
    pub source_dest_check: bool,
    /// The primary first.
    pub private_addresses: Vec<Ipv4Addr>,
    pub instance_id: Option<String>,
}

impl Cloud {
    /// Who has an address in the VPC, primary or secondary.
    pub fn owner_of(&self, address: Ipv4Addr) -> Option<&NetworkInterface> {
        self.network_interfaces.values().find(|eni| eni.private_addresses.contains(&address))
    }
}
