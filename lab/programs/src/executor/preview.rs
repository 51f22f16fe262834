//! Says what would be done. All it has is a [`Describer`], which cannot change anything.

use super::action::{Action, Prior, Reassignment};
use super::ec2::Describer;
use super::error::CallError;
use super::perform::{self, NOTHING_TO_RESTORE};
use super::protocol::Status;

pub(super) async fn run(describer: &Describer<'_>, action: &Action) -> Status {
    match action {
        Action::Assign { eni, address, reassignment } => {
            let how = match reassignment {
                Reassignment::Allowed => "seize/reassign",
                Reassignment::Refused => "assign",
            };
            described("assign-secondary-ip dry-run: describe failed", async {
                let current = describer.interface(eni).await?.secondary_addresses.join(",");
                Ok(Status::succeeded(format!("would {how} {address} to {eni}"))
                    .observing("currentSecondaryIps", current)
                    .undo_available())
            })
            .await
        }
        Action::Unassign { eni, address } => {
            described("unassign-secondary-ip dry-run: describe failed", async {
                describer.interface(eni).await?;
                Ok(Status::succeeded(format!("would unassign {address} from {eni}")))
            })
            .await
        }
        Action::AssignRoute { route, .. } => {
            described("assign-route-table-route dry-run: describe route table failed", async {
                describer.routes(&route.table).await?;
                let message = format!(
                    "would route {} to {} in {}",
                    route.destination, route.eni, route.table
                );
                Ok(Status::succeeded(message).undo_available())
            })
            .await
        }
        Action::UnassignRoute { route } => {
            described("unassign-route-table-route dry-run: describe route table failed", async {
                describer.routes(&route.table).await?;
                let message =
                    format!("would delete route {} from {}", route.destination, route.table);
                Ok(Status::succeeded(message))
            })
            .await
        }
        Action::EnableForwarding { eni } => match perform::prior(describer, eni).await {
            Ok(prior) => Status::succeeded("would set SourceDestCheck=false")
                .observing("priorSourceDestCheck", prior.to_string())
                .undo_available(),
            Err(status) => status,
        },
        Action::RestoreForwarding { prior: Prior::Off, .. } => {
            Status::skipped(NOTHING_TO_RESTORE).observing("priorSourceDestCheck", "false")
        }
        Action::RestoreForwarding { prior: Prior::On, .. } => {
            Status::succeeded("would re-enable SourceDestCheck (restore prior=true)")
                .observing("priorSourceDestCheck", "true")
        }
    }
}

async fn described(
    failure: &'static str,
    preview: impl Future<Output = Result<Status, CallError>>,
) -> Status {
    preview.await.unwrap_or_else(|error| error.into_status(failure))
}
