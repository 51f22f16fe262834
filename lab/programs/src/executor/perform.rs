//! Does it. Every mutation is one call, sent once.

use super::action::{Action, Prior, Reassignment, Route};
use super::ec2::{Caller, Describer};
use super::error::CallError;
use super::protocol::Status;

pub(super) const NOTHING_TO_RESTORE: &str =
    "prior SourceDestCheck was already false; nothing to restore";

pub(super) async fn run(caller: &Caller<'_>, action: &Action) -> Status {
    match action {
        Action::Assign { eni, address, reassignment } => {
            assign(caller, eni, address, *reassignment).await
        }
        Action::Unassign { eni, address } => unassign(caller, eni, address).await,
        Action::AssignRoute { route, reassignment } => {
            assign_route(caller, route, *reassignment).await
        }
        Action::UnassignRoute { route } => unassign_route(caller, route).await,
        Action::EnableForwarding { eni } => enable_forwarding(caller, eni).await,
        Action::RestoreForwarding { eni, prior } => restore_forwarding(caller, eni, *prior).await,
    }
}

/// The source/dest check as it is now: what an undo will restore.
pub(super) async fn prior(describer: &Describer<'_>, eni: &str) -> Result<bool, Status> {
    let described = describer.interface(eni).await;
    described.and_then(|interface| interface.source_dest_check()).map_err(|error| {
        error.into_status("ensure-forwarding-enabled: describe (capture prior) failed")
    })
}

async fn assign(
    caller: &Caller<'_>,
    eni: &str,
    address: &str,
    reassignment: Reassignment,
) -> Status {
    let done = match reassignment {
        Reassignment::Allowed => "seized/reassigned",
        Reassignment::Refused => "assigned",
    };
    match caller.assign(eni, address, reassignment).await {
        Ok(()) => Status::succeeded(format!("{done} {address} to {eni}"))
            .observing("assignedAddress", address)
            .undo_available(),
        Err(error) => error.into_status("assign-secondary-ip execute: assign failed"),
    }
}

async fn unassign(caller: &Caller<'_>, eni: &str, address: &str) -> Status {
    match caller.unassign(eni, address).await {
        Ok(()) => Status::succeeded(format!("unassigned {address} from {eni}")),
        Err(error) if error.is_not_assigned() => {
            Status::succeeded(format!("{address} was already absent from {eni}"))
        }
        Err(error) => error.into_status("unassign-secondary-ip execute: unassign failed"),
    }
}

async fn enable_forwarding(caller: &Caller<'_>, eni: &str) -> Status {
    let prior = match prior(caller.describer(), eni).await {
        Ok(prior) => prior,
        Err(status) => return status,
    };
    match caller.disable_source_dest_check(eni).await {
        Ok(()) => Status::succeeded(format!("disabled SourceDestCheck on {eni} (prior={prior})"))
            .observing("priorSourceDestCheck", prior.to_string())
            .undo_available(),
        Err(error) => error.into_status("ensure-forwarding-enabled execute: modify failed"),
    }
}

/// Enables the check again where it was on before. A check that was off stays off: the interface
/// was a forwarder for reasons of its own.
async fn restore_forwarding(caller: &Caller<'_>, eni: &str, prior: Prior) -> Status {
    if prior == Prior::Off {
        return Status::skipped(NOTHING_TO_RESTORE).observing("priorSourceDestCheck", "false");
    }
    match caller.enable_source_dest_check(eni).await {
        Ok(()) => {
            let message = format!("re-enabled SourceDestCheck on {eni} (restored prior=true)");
            Status::succeeded(message).observing("priorSourceDestCheck", "true")
        }
        Err(error) => error.into_status("ensure-forwarding-disabled execute: modify failed"),
    }
}

async fn assign_route(caller: &Caller<'_>, route: &Route, reassignment: Reassignment) -> Status {
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
    let Route { table, destination, eni } = route;
    match result {
        Ok(()) => Status::succeeded(format!("routed {destination} to {eni} in {table}"))
            .observing("assignedRoute", destination)
            .observing("routeTableRef", table)
            .observing("nextHopNICRef", eni)
            .undo_available(),
        Err(error) => error.into_status(failure),
    }
}

/// Creates only where EC2 refused to replace: after an answer that was lost the route may be there.
async fn replace_or_create(caller: &Caller<'_>, route: &Route) -> Result<(), CallError> {
    match caller.replace_route(route).await {
        Err(replace) if replace.is_refusal() => caller
            .create_route(route)
            .await
            .map_err(|create| CallError::replace_and_create(&replace, &create)),
        result => result,
    }
}

async fn unassign_route(caller: &Caller<'_>, route: &Route) -> Status {
    let Route { table, destination, eni } = route;
    let absent = || Status::skipped(format!("route {destination} already absent from {table}"));
    let holder = match holder(caller.describer(), route).await {
        Ok(Some(holder)) => holder,
        Ok(None) => return absent(),
        Err(error) => {
            return error.into_status("unassign-route-table-route execute: describe route failed");
        }
    };
    if !holder.trim().eq_ignore_ascii_case(eni.trim()) {
        return Status::skipped(format!(
            "route {destination} in {table} is held by {holder}, not {eni}; leaving it intact"
        ));
    }
    match caller.delete_route(route).await {
        Ok(()) => Status::succeeded(format!("deleted route {destination} from {table}")),
        Err(error) if error.is_not_found() => absent(),
        Err(error) => error.into_status("unassign-route-table-route execute: delete route failed"),
    }
}

/// The interface that the route leads to, where there is such a route in such a table.
async fn holder(describer: &Describer<'_>, route: &Route) -> Result<Option<String>, CallError> {
    let routes = match describer.routes(&route.table).await {
        Err(error) if error.is_not_found() => return Ok(None),
        routes => routes?,
    };
    let wanted = route.destination.trim();
    Ok(routes.into_iter().find(|(to, _)| to.trim() == wanted).map(|(_, interface)| interface))
}
