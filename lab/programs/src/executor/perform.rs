//! Does it. Every mutation is one call, sent once.

use super::action::{ExecutorAction, Prior, Reassignment, RouteEntry};
use super::ec2::{Describer, Ec2Caller};
use super::error::CallError;
use super::protocol::ExecuteActionStatus;

pub(super) const NOTHING_TO_RESTORE: &str =
    "prior SourceDestCheck was already false; nothing to restore";

pub(super) async fn perform_action(
    caller: &Ec2Caller<'_>,
    action: &ExecutorAction,
) -> ExecuteActionStatus {
    match action {
        ExecutorAction::Assign { eni, address, reassignment } => {
            assign(caller, eni, address, *reassignment).await
        }
        ExecutorAction::Unassign { eni, address } => unassign(caller, eni, address).await,
        ExecutorAction::AssignRoute { route, reassignment } => {
            assign_route(caller, route, *reassignment).await
        }
        ExecutorAction::UnassignRoute { route } => unassign_route(caller, route).await,
        ExecutorAction::EnableForwarding { eni } => enable_forwarding(caller, eni).await,
        ExecutorAction::RestoreForwarding { eni, prior } => {
            restore_forwarding(caller, eni, *prior).await
        }
    }
}

/// The source/dest check as it is now: what an undo will restore.
pub(super) async fn read_prior_check(
    describer: &Describer<'_>,
    eni: &str,
) -> Result<bool, ExecuteActionStatus> {
    let described = describer.interface(eni).await;
    described.and_then(|interface| interface.source_dest_check()).map_err(|error| {
        error.into_status("ensure-forwarding-enabled: describe (capture prior) failed")
    })
}

async fn assign(
    caller: &Ec2Caller<'_>,
    eni: &str,
    address: &str,
    reassignment: Reassignment,
) -> ExecuteActionStatus {
    let done = match reassignment {
        Reassignment::Allowed => "seized/reassigned",
        Reassignment::Refused => "assigned",
    };
    match caller.assign(eni, address, reassignment).await {
        Ok(()) => ExecuteActionStatus::succeeded(format!("{done} {address} to {eni}"))
            .observing("assignedAddress", address)
            .undo_available(),
        Err(error) => error.into_status("assign-secondary-ip execute: assign failed"),
    }
}

async fn unassign(caller: &Ec2Caller<'_>, eni: &str, address: &str) -> ExecuteActionStatus {
    match caller.unassign(eni, address).await {
        Ok(()) => ExecuteActionStatus::succeeded(format!("unassigned {address} from {eni}")),
        Err(error) if error.is_not_assigned() => {
            ExecuteActionStatus::succeeded(format!("{address} was already absent from {eni}"))
        }
        Err(error) => error.into_status("unassign-secondary-ip execute: unassign failed"),
    }
}

async fn enable_forwarding(caller: &Ec2Caller<'_>, eni: &str) -> ExecuteActionStatus {
    let prior = match read_prior_check(caller.describer(), eni).await {
        Ok(prior) => prior,
        Err(status) => return status,
    };
    match caller.disable_source_dest_check(eni).await {
        Ok(()) => ExecuteActionStatus::succeeded(format!(
            "disabled SourceDestCheck on {eni} (prior={prior})"
        ))
        .observing("priorSourceDestCheck", prior.to_string())
        .undo_available(),
        Err(error) => error.into_status("ensure-forwarding-enabled execute: modify failed"),
    }
}

/// Enables the check again where it was on before. A check that was off stays off: the interface
/// was a forwarder for reasons of its own.
async fn restore_forwarding(
    caller: &Ec2Caller<'_>,
    eni: &str,
    prior: Prior,
) -> ExecuteActionStatus {
    if prior == Prior::Off {
        return ExecuteActionStatus::skipped(NOTHING_TO_RESTORE)
            .observing("priorSourceDestCheck", "false");
    }
    match caller.enable_source_dest_check(eni).await {
        Ok(()) => {
            let message = format!("re-enabled SourceDestCheck on {eni} (restored prior=true)");
            ExecuteActionStatus::succeeded(message).observing("priorSourceDestCheck", "true")
        }
        Err(error) => error.into_status("ensure-forwarding-disabled execute: modify failed"),
    }
}

async fn assign_route(
    caller: &Ec2Caller<'_>,
    route: &RouteEntry,
    reassignment: Reassignment,
) -> ExecuteActionStatus {
    let (result, failure) = match reassignment {
        Reassignment::Allowed => (
            replace_or_create(caller, route).await,
            "assign-route-table-route execute: replace/create route failed",
        ),
        Reassignment::Refused => (
            caller.create_route(route).await,
            "assign-route-table-route execute: create route failed",
        ),
    };
    let RouteEntry { table, destination, eni } = route;
    match result {
        Ok(()) => {
            ExecuteActionStatus::succeeded(format!("routed {destination} to {eni} in {table}"))
                .observing("assignedRoute", destination)
                .observing("routeTableRef", table)
                .observing("nextHopNICRef", eni)
                .undo_available()
        }
        Err(error) => error.into_status(failure),
    }
}

/// Creates only where EC2 refused to replace: after an answer that was lost the route may be there.
async fn replace_or_create(caller: &Ec2Caller<'_>, route: &RouteEntry) -> Result<(), CallError> {
    match caller.replace_route(route).await {
        Err(replace) if replace.is_refusal() => caller
            .create_route(route)
            .await
            .map_err(|create| CallError::replace_and_create(&replace, &create)),
        result => result,
    }
}

async fn unassign_route(caller: &Ec2Caller<'_>, route: &RouteEntry) -> ExecuteActionStatus {
    let RouteEntry { table, destination, eni } = route;
    let absent =
        || ExecuteActionStatus::skipped(format!("route {destination} already absent from {table}"));
    let holder = match holder(caller.describer(), route).await {
        Ok(Some(holder)) => holder,
        Ok(None) => return absent(),
        Err(error) => {
            return error.into_status("unassign-route-table-route execute: describe route failed");
        }
    };
    if !holder.trim().eq_ignore_ascii_case(eni.trim()) {
        return ExecuteActionStatus::skipped(format!(
            "route {destination} in {table} is held by {holder}, not {eni}; leaving it intact"
        ));
    }
    match caller.delete_route(route).await {
        Ok(()) => {
            ExecuteActionStatus::succeeded(format!("deleted route {destination} from {table}"))
        }
        Err(error) if error.is_not_found() => absent(),
        Err(error) => error.into_status("unassign-route-table-route execute: delete route failed"),
    }
}

/// The interface that the route leads to, where there is such a route in such a table.
async fn holder(
    describer: &Describer<'_>,
    route: &RouteEntry,
) -> Result<Option<String>, CallError> {
    let routes = match describer.routes(&route.table).await {
        Err(error) if error.is_not_found() => return Ok(None),
        routes => routes?,
    };
    let wanted = route.destination.trim();
    Ok(routes.into_iter().find(|(to, _)| to.trim() == wanted).map(|(_, interface)| interface))
}
