//! The action that a request asks for, parsed once: whatever is missing or unknown is answered
//! here, before anything is sent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::protocol::{ActionRequest, ExecuteActionStatus};
use lab::golang::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    DryRun,
    Execute,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExecutorOrder {
    pub mode: Mode,
    pub region: String,
    pub action: ExecutorAction,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExecutorAction {
    Assign { eni: String, address: String, reassignment: Reassignment },
    Unassign { eni: String, address: String },
    AssignRoute { route: RouteEntry, reassignment: Reassignment },
    UnassignRoute { route: RouteEntry },
    EnableForwarding { eni: String },
    RestoreForwarding { eni: String, prior: Prior },
}

/// May the address be taken from whoever has it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reassignment {
    Allowed,
    Refused,
}

/// The source/dest check before the run, as routerd's journal remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prior {
    On,
    Off,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct RouteEntry {
    pub table: String,
    pub destination: String,
    pub eni: String,
}

impl ExecutorOrder {
    pub fn parse(request: &ActionRequest) -> Result<Self, ExecuteActionStatus> {
        let mode = match request.mode.as_str() {
            "dry-run" => Mode::DryRun,
            "execute" => Mode::Execute,
            other => {
                let mode = quote(other);
                return Err(ExecuteActionStatus::failed(format!(
                    "invalid mode {mode} (want dry-run or execute)"
                )));
            }
        };
        let by_route = request
            .target
            .get("captureStrategy")
            .is_some_and(|strategy| strategy.trim() == "route-table");
        let (region, action) = match request.action.as_str() {
            "assign-secondary-ip" if !by_route => assign(request)?,
            "unassign-secondary-ip" if !by_route => unassign(request)?,
            "assign-secondary-ip" | "assign-route-table-route" => assign_route(request)?,
            "unassign-secondary-ip" | "unassign-route-table-route" => unassign_route(request)?,
            "ensure-forwarding-enabled" => enable_forwarding(request)?,
            "ensure-forwarding-disabled" => restore_forwarding(request)?,
            other => {
                return Err(ExecuteActionStatus::failed(format!(
                    "unsupported action {}",
                    quote(other)
                )));
            }
        };
        Ok(Self { mode, region, action })
    }
}

fn assign(request: &ActionRequest) -> Result<(String, ExecutorAction), ExecuteActionStatus> {
    let fields = TargetFields { verb: "assign-secondary-ip", target: &request.target };
    let (eni, region, address) = (fields.eni()?, fields.region()?, fields.address()?);
    let address = bare_address(&address);
    Ok((region, ExecutorAction::Assign { eni, address, reassignment: reassignment(request) }))
}

fn unassign(request: &ActionRequest) -> Result<(String, ExecutorAction), ExecuteActionStatus> {
    let fields = TargetFields { verb: "unassign-secondary-ip", target: &request.target };
    let (eni, region, address) = (fields.eni()?, fields.region()?, fields.address()?);
    Ok((region, ExecutorAction::Unassign { eni, address: bare_address(&address) }))
}

fn assign_route(request: &ActionRequest) -> Result<(String, ExecutorAction), ExecuteActionStatus> {
    let fields = TargetFields { verb: "assign-route-table-route", target: &request.target };
    let (region, route) = fields.route()?;
    Ok((region, ExecutorAction::AssignRoute { route, reassignment: reassignment(request) }))
}

fn unassign_route(
    request: &ActionRequest,
) -> Result<(String, ExecutorAction), ExecuteActionStatus> {
    let fields = TargetFields { verb: "unassign-route-table-route", target: &request.target };
    let (region, route) = fields.route()?;
    Ok((region, ExecutorAction::UnassignRoute { route }))
}

fn enable_forwarding(
    request: &ActionRequest,
) -> Result<(String, ExecutorAction), ExecuteActionStatus> {
    let fields = TargetFields { verb: "ensure-forwarding-enabled", target: &request.target };
    let (eni, region) = (fields.eni()?, fields.region()?);
    Ok((region, ExecutorAction::EnableForwarding { eni }))
}

fn restore_forwarding(
    request: &ActionRequest,
) -> Result<(String, ExecutorAction), ExecuteActionStatus> {
    let fields = TargetFields { verb: "ensure-forwarding-disabled", target: &request.target };
    let (eni, region) = (fields.eni()?, fields.region()?);
    let prior = match request.parameters.get("priorSourceDestCheck").map(String::as_str) {
        Some("true") => Prior::On,
        Some("false") => Prior::Off,
        _ => {
            return Err(ExecuteActionStatus::failed(
                "ensure-forwarding-disabled: missing/invalid priorSourceDestCheck parameter \
                 (want true|false)",
            ));
        }
    };
    Ok((region, ExecutorAction::RestoreForwarding { eni, prior }))
}

/// The target's fields, each required when it is asked for.
struct TargetFields<'a> {
    verb: &'static str,
    target: &'a BTreeMap<String, String>,
}

impl TargetFields<'_> {
    fn eni(&self) -> Result<String, ExecuteActionStatus> {
        self.required("nicRef", "target.nicRef (ENI id) is required")
    }

    fn region(&self) -> Result<String, ExecuteActionStatus> {
        self.required("region", "target.region is required")
    }

    fn address(&self) -> Result<String, ExecuteActionStatus> {
        self.required("address", "target.address is required")
    }

    fn route(&self) -> Result<(String, RouteEntry), ExecuteActionStatus> {
        let table = self.required("routeTableRef", "target.routeTableRef is required")?;
        let (eni, region) = (self.eni()?, self.region()?);
        Ok((region, RouteEntry { table, destination: self.address()?, eni }))
    }

    fn required(&self, key: &str, otherwise: &str) -> Result<String, ExecuteActionStatus> {
        match self.target.get(key) {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            _ => {
                let message = format!("{}: missing target field", self.verb);
                Err(ExecuteActionStatus::failed(message).with_error(otherwise))
            }
        }
    }
}

/// routerd names a host `10.88.60.9/32`, EC2 `10.88.60.9`. What is neither is left as it is, so
/// that EC2 says what it thinks of it.
fn bare_address(text: &str) -> String {
    let text = text.trim();
    let host = match text.split_once('/') {
        Some(_) => text.parse::<ipnet::IpNet>().ok().map(|network| network.addr()),
        None => text.parse::<IpAddr>().ok(),
    };
    host.map_or_else(|| text.into(), |host| host.to_canonical().to_string())
}

fn reassignment(request: &ActionRequest) -> Reassignment {
    let value = request.parameters.get("allowReassignment").map_or("", |value| value.trim());
    match value.to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Reassignment::Allowed,
        _ => Reassignment::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_prefix_and_what_is_none_stays() {
        let cases = [
            ("10.88.60.9/32", "10.88.60.9"),
            (" 10.88.60.9 ", "10.88.60.9"),
            ("10.88.60.9/24", "10.88.60.9"),
            ("2001:DB8::1/128", "2001:db8::1"),
            ("10.88.60/32", "10.88.60/32"),
            ("not-an-address", "not-an-address"),
        ];
        for (text, bare) in cases {
            assert_eq!(bare_address(text), bare);
        }
    }

    #[test]
    fn reassignment_is_allowed_by_four_words_alone() {
        for (value, expected) in [
            ("1", Reassignment::Allowed),
            ("TRUE", Reassignment::Allowed),
            (" yes ", Reassignment::Allowed),
            ("On", Reassignment::Allowed),
            ("y", Reassignment::Refused),
            ("false", Reassignment::Refused),
            ("", Reassignment::Refused),
        ] {
            let parameters = [("allowReassignment".into(), value.into())].into();
            let request = ActionRequest { parameters, ..ActionRequest::default() };
            assert_eq!(reassignment(&request), expected, "{value:?}");
        }
    }
}
