//! The captured address is on the ENI, as a secondary one, and nothing else there has changed.

use lab::Lab;
use lab::ec2::NetworkInterface;
use serde_json::json;

use crate::context::{Context, Ruling};
use crate::observe;

pub const PRESENT: &str = "eni-address.present";
pub const NOTHING_ELSE: &str = "eni-address.nothing-else";

pub const ASSERTS: &[&str] = &[PRESENT, NOTHING_ELSE];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let address = lab.manifest.capture.address.addr();
    let has_it = |eni: &NetworkInterface| eni.secondary_addresses.contains(&address);
    let looks = observe::look_until_twice(lab, has_it).await;
    let ((eni, looks), how) = match observe::keep_looks(lab, ctx, looks, has_it) {
        Ok(seen) => seen,
        Err((why, how)) => {
            return ctx.check(PRESENT).expects(json!(address)).seen(how).unknown(why);
        }
    };
    let ruling = Ruling::when(
        has_it(&eni),
        format!("{address} is no secondary address of {}", eni.network_interface_id),
    );
    ctx.check(PRESENT).expects(json!(address)).seen(how.clone()).comes_to(
        json!({
            "primary": eni.primary_address,
            "secondary": eni.secondary_addresses,
            "looks": looks,
        }),
        ruling,
    );
    let Some(baseline) = ctx.run.baseline() else { return };
    let mut expected = baseline.interface.clone();
    expected.secondary_addresses.push(address);
    expected.secondary_addresses.sort_unstable();
    expected.secondary_addresses.dedup();
    let others = |eni: &NetworkInterface| {
        let mut others = eni.secondary_addresses.clone();
        others.retain(|other| *other != address);
        json!({
            "primary": eni.primary_address,
            "secondary": others,
            "security_groups": eni.security_groups,
            "instance_id": eni.instance_id,
        })
    };
    ctx.check(NOTHING_ELSE).expects(others(&expected)).seen(how).is(others(&eni));
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_baseline, judge_as_scenario};

    /// The lab's ENI has no secondary address yet: the baseline is told to have had these.
    #[test]
    fn all_but_the_captured_address_is_as_it_was() {
        let table = [
            (vec![], A::Passed),
            (vec!["10.88.60.9"], A::Passed),
            (vec!["10.88.60.50"], A::Failed),
        ];
        for (secondary, expected) in table {
            let judged = judge_as_scenario("eni-address", async |lab, ctx| {
                let id = &lab.manifest.capture.network_interface_id;
                let eni = lab.reader.network_interface(id).await.expect("an answer").value;
                let mut before = example_baseline();
                before.interface = eni.expect("the lab's ENI");
                let parsed = secondary.iter().map(|it| it.parse().expect("an address"));
                before.interface.secondary_addresses = parsed.collect();
                ctx.run.state.borrow_mut().baseline = Some(Rc::new(before));
                run(lab, ctx).await;
            });
            assert_eq!(judged.status(PRESENT), A::Failed, "nobody assigned it");
            assert_eq!(judged.status(NOTHING_ELSE), expected, "{secondary:?}");
        }
    }
}
