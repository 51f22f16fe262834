//! EC2's Query protocol (and STS's and IAM's) over the model. [`handle`] answers one request;
//! below it everything is a pure function of the model, the request and the time.
//!
//! To add an operation: a handler in the file of its resource, and a line in that file's `ACTIONS`.

mod action;
mod addresses;
mod authorize;
mod endpoint;
mod error;
mod filters;
mod iam;
mod identify;
mod instance_types;
mod instances;
mod interfaces;
pub mod metadata;
mod network;
mod paging;
mod params;
mod private_addresses;
mod render;
mod request;
mod response;
mod routes;
mod security_groups;
mod sts;
mod tags;
mod volumes;
mod xml;

pub use action::handle;
pub use endpoint::{Broken, answer};
pub use error::ApiError;
pub use identify::{Caller, Credentials, identify, instance_credentials};
pub use request::{Request, Service};
pub use response::Response;

#[cfg(test)]
mod tests;
