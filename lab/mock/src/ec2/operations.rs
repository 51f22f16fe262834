//! The operations that the endpoint knows, for those who check it from outside.

use serde::Serialize;

use super::action::{DryRun, all_operations};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// The short name of the service, such as `ec2`.
    pub service: &'static str,
    pub name: &'static str,
    /// The parameters' names as on the wire; `N` stands for a number.
    pub parameters: &'static [&'static str],
    pub dry_run: bool,
}

/// Every operation.
pub fn list_operations() -> Vec<Operation> {
    all_operations()
        .map(|action| Operation {
            service: action.service.as_str(),
            name: action.name,
            parameters: action.parameters,
            dry_run: action.dry_run == DryRun::Supported,
        })
        .collect()
}
