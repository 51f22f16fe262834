//! The captured address is on the ENI, as a secondary one, and nothing else there has changed.

use lab::Lab;
use serde_json::json;

use crate::context::Context;
use crate::observe;

const PRESENT: &str = "eni-address.present";
const NOTHING_ELSE: &str = "eni-address.nothing-else";

pub const ASSERTS: &[&str] = &[PRESENT, NOTHING_ELSE];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let address = lab.manifest.capture.address.addr();
    let (eni, how) = match observe::interface(lab, ctx).await {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.unknown(PRESENT, json!(address), how, why),
    };
    ctx.judge(
        PRESENT,
        eni.secondary_addresses.contains(&address),
        json!(address),
        json!({ "primary": eni.primary_address, "secondary": eni.secondary_addresses }),
        how.clone(),
        Some(format!("{address} is no secondary address of {}", eni.network_interface_id)),
    );
    let Some(baseline) = ctx.run.baseline() else { return };
    let mut expected = baseline.interface.clone();
    expected.secondary_addresses.push(address);
    expected.secondary_addresses.sort_unstable();
    expected.secondary_addresses.dedup();
    let others = |eni: &lab::ec2::NetworkInterface| {
        let mut others = eni.secondary_addresses.clone();
        others.retain(|other| *other != address);
        json!({
            "primary": eni.primary_address,
            "secondary": others,
            "security_groups": eni.security_groups,
            "instance_id": eni.instance_id,
        })
    };
    ctx.expect(NOTHING_ELSE, others(&expected), others(&eni), how);
}
