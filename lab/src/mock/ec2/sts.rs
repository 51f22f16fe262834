//! STS: who am I.

use super::action::{Action, Call, DryRun, Effect, Resources};
use super::error::ApiError;
use super::identify::Caller;
use super::request::Service;
use super::xml::Xml;

pub const ACTIONS: &[Action] = &[Action {
    service: Service::Sts,
    name: "GetCallerIdentity",
    parameters: &[],
    effect: Effect::Read,
    dry_run: DryRun::Absent,
    resources: Resources::Free,
    handler: get_caller_identity,
}];

fn get_caller_identity(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let cloud = &*call.cloud;
    let (arn, user_id) = match call.caller {
        Caller::Operator => (cloud.operator.arn.clone(), cloud.operator.user_id.clone()),
        Caller::Instance { instance_id } => {
            let role = cloud.role_of(instance_id).ok_or_else(|| {
                ApiError::new(
                    403,
                    "InvalidClientTokenId",
                    "The security token included in the request is invalid.",
                )
            })?;
            (cloud.assumed_role_arn(&role.name, instance_id), format!("{}:{instance_id}", role.id))
        }
    };
    let mut xml = Xml::new();
    // The account is the caller's own, as its ARN says: it need not be the one it looks at.
    let account = arn.split(':').nth(4).unwrap_or(&cloud.account_id).to_owned();
    xml.leaf("Arn", arn);
    xml.leaf("UserId", user_id);
    xml.leaf("Account", account);
    Ok(xml)
}
