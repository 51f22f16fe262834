//! Nothing around the lab was changed in the cloud: its interfaces, groups, routes, ACL and the
//! executor's role are as preflight saw them, but for the change set's own two effects.

use lab::Lab;

use crate::cloud_state;
use crate::context::Context;

pub const UNCHANGED: &str = "cloud-state.unchanged";

pub const ASSERTS: &[&str] = &[UNCHANGED];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let reads = Box::pin(cloud_state::ask(lab)).await;
    cloud_state::judge(lab, ctx, UNCHANGED, reads);
}
