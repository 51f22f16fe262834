//! Says what would be done. All it has is a [`Describer`], which cannot change anything.

use super::action::{ExecutorAction, Prior, Reassignment};
use super::ec2::Describer;
use super::error::CallError;
use super::perform::{self, NOTHING_TO_RESTORE};
use super::protocol::ExecuteActionStatus;

pub(super) async fn preview_action(
    describer: &Describer<'_>,
    action: &ExecutorAction,
) -> ExecuteActionStatus {
    match action {
        ExecutorAction::Assign { eni, address, reassignment } => {
            let how = match reassignment {
                Reassignment::Allowed => "seize/reassign",
                Reassignment::Refused => "assign",
            };
            described("assign-secondary-ip dry-run: describe failed", async {
                let current = describer.interface(eni).await?.secondary_addresses.join(",");
                Ok(ExecuteActionStatus::succeeded(format!("would {how} {address} to {eni}"))
                    .observing("currentSecondaryIps", current)
                    .undo_available())
            })
            .await
        }
        ExecutorAction::Unassign { eni, address } => {
            described("unassign-secondary-ip dry-run: describe failed", async {
                describer.interface(eni).await?;
                Ok(ExecuteActionStatus::succeeded(format!("would unassign {address} from {eni}")))
            })
            .await
        }
        ExecutorAction::AssignRoute { route, .. } => {
            described("assign-route-table-route dry-run: describe route table failed", async {
                describer.routes(&route.table).await?;
                let message = format!(
                    "would route {} to {} in {}",
                    route.destination, route.eni, route.table
                );
                Ok(ExecuteActionStatus::succeeded(message).undo_available())
            })
            .await
        }
        ExecutorAction::UnassignRoute { route } => {
            described("unassign-route-table-route dry-run: describe route table failed", async {
                describer.routes(&route.table).await?;
                let message =
                    format!("would delete route {} from {}", route.destination, route.table);
                Ok(ExecuteActionStatus::succeeded(message))
            })
            .await
        }
        ExecutorAction::EnableForwarding { eni } => {
            match perform::read_prior_check(describer, eni).await {
                Ok(prior) => ExecuteActionStatus::succeeded("would set SourceDestCheck=false")
                    .observing("priorSourceDestCheck", prior.to_string())
                    .undo_available(),
                Err(status) => status,
            }
        }
        ExecutorAction::RestoreForwarding { prior: Prior::Off, .. } => {
            ExecuteActionStatus::skipped(NOTHING_TO_RESTORE)
                .observing("priorSourceDestCheck", "false")
        }
        ExecutorAction::RestoreForwarding { prior: Prior::On, .. } => {
            ExecuteActionStatus::succeeded("would re-enable SourceDestCheck (restore prior=true)")
                .observing("priorSourceDestCheck", "true")
        }
    }
}

async fn described(
    failure: &'static str,
    preview: impl Future<Output = Result<ExecuteActionStatus, CallError>>,
) -> ExecuteActionStatus {
    preview.await.unwrap_or_else(|error| error.into_status(failure))
}
