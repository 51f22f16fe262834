//! EC2's Query protocol (and STS's and IAM's) over the model. [`handle_request`] answers one request;
//! below it everything is a pure function of the model, the request and the time.
//!
//! To add an operation: a handler in the file of its resource, and a line in that file's `ACTIONS`.

mod action;
mod addresses;
mod authorize;
mod conditions;
mod endpoint;
mod error;
mod filters;
mod gateways;
mod iam;
mod iam_users;
mod identify;
mod images;
mod instance_attributes;
mod instance_filters;
mod instance_types;
mod instances;
mod interface_lifecycle;
mod interfaces;
mod key_pairs;
mod launch_cards;
mod launches;
pub mod metadata;
mod neighbours;
mod network_acls;
mod new_interfaces;
mod operations;
mod paging;
mod params;
mod policy;
mod principal;
mod private_addresses;
mod render;
mod request;
mod response;
mod route_tables;
mod routes;
mod security_group_rules;
mod security_groups;
mod sigv4;
mod simulate;
mod sts;
mod subnets;
mod tags;
mod throttle;
mod volume_lifecycle;
mod volumes;
mod vpcs;
mod xml;
mod zones;

pub use action::{answer_dry_run, handle_request};
pub use endpoint::{Broken, Headers, answer_request, answer_signed};
pub use error::ApiError;
pub use identify::{Caller, Credentials, SECURITY_TOKEN, arn_and_user_id_of, instance_credentials};
pub use operations::{Operation, list_operations};
pub use request::{Request, Service};
pub use response::Response;
pub use sigv4::Http;

#[cfg(test)]
mod tests;
