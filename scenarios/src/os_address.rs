//! The captured address is on the ENI and not on the router's own interfaces: before, after, and
//! once whatever configures the guest has had time to add it (contract §8.4, F8).

use std::time::Duration;

use lab::Lab;
use lab::node::Node;
use lab::shell::Observe;
use serde_json::{Value, json};

use crate::baseline;
use crate::context::{Context, How};
use crate::observe;

const ABSENT: &str = "os-address.absent";
const ABSENT_AFTER_SETTLING: &str = "os-address.absent-after-settling";

pub const ASSERTS: &[&str] = &[ABSENT, ABSENT_AFTER_SETTLING];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let address = lab.manifest.capture.address.addr();
    let settle_ms = lab.manifest.limits.guest_settle_ms;
    let first = look(lab, ctx).await;
    judge(lab, ctx, ABSENT, json!({ "absent": address }), first);
    lab.clock.sleep(Duration::from_millis(settle_ms)).await;
    let second = look(lab, ctx).await;
    let expected = json!({ "absent": address, "guest_settle_ms": settle_ms });
    judge(lab, ctx, ABSENT_AFTER_SETTLING, expected, second);
}

type Look = Result<(Vec<String>, How), (String, How)>;

/// Every address of routerd-cloud, as `ens5 10.88.60.4/24`.
async fn look(lab: &Lab, ctx: &mut Context<'_>) -> Look {
    let (text, how) = observe::command(lab, ctx, Node::RouterdCloud, &Observe::addresses()).await?;
    match baseline::addresses(&text) {
        Ok(links) => {
            let all = links
                .iter()
                .flat_map(|(link, all)| all.iter().map(move |one| format!("{link} {one}")))
                .collect();
            Ok((all, how))
        }
        Err(why) => Err((why, how)),
    }
}

fn judge(lab: &Lab, ctx: &mut Context<'_>, id: &'static str, expected: Value, look: Look) {
    let address = lab.manifest.capture.address.addr();
    match look {
        Ok((all, how)) => {
            let needle = format!(" {address}/");
            let there = all.iter().find(|one| one.contains(&needle)).cloned();
            let message = there.map(|there| format!("{} has it: {there}", Node::RouterdCloud));
            ctx.judge(id, message.is_none(), expected, json!(all), how, message);
        }
        Err((why, how)) => ctx.unknown(id, expected, how, why),
    }
}
