//! The outage probe hears what the kernel drops.

use std::time::Duration;

use lab::node::Node;
use lab::outage::{Margins, watch_change};
use lab_netns::Netns;
use libtest_mimic::Trial;
use reports::record::{FlowOutage, Outage};

use super::support::{captured, on_a_lab, run, text, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("an_outage_is_measured_as_long_as_it_was", as_long_as_it_was)]
}

const QUIET: Duration = Duration::from_millis(600);
const MARGINS: Margins = Margins { before: QUIET, after: QUIET };

/// Drops everything on the router for 200 ms, and says when: before and after the rule came,
/// before and after it went, in microseconds.
const CUT: &str = "t() { echo $(($(date +%s%N) / 1000)); }; t; \
    nft 'table inet cut { chain forward { type filter hook forward priority 0; policy drop; }; }'; \
    t; sleep 0.2; t; nft delete table inet cut; t";

/// Microseconds that the scheduler of a busy machine may add. Less than the quiet, which is no part of an
/// outage.
const SLACK_US: u64 = 400_000;

fn as_long_as_it_was() {
    on_a_lab(async |opened| {
        captured(opened).await;
        let (cut, watched) = watch_change(&opened.lab, "trial", MARGINS, async |mark| {
            mark.begins().await;
            text(&run(opened, Node::RouterdCloud, CUT).await)
        })
        .await;
        let times: Vec<u64> = cut.lines().map(|line| line.parse().unwrap()).collect();
        let [before, from, until, after] = times[..] else { panic!("{cut}") };
        let Outage::Measured { flows } = watched.outage else { panic!("{:?}", watched.outage) };
        assert_eq!(flows.len(), 2);
        for flow in flows {
            let outage = flow.outage_us.unwrap_or_else(|| panic!("{flow:?}"));
            let least = until - from - 2 * flow.resolution_us;
            assert!((least..after - before + SLACK_US).contains(&outage), "{cut}: {flow:?}");
            // Of 200; a sender that waits for a processor sends some of them later.
            assert!(flow.lost_in_outage >= 100, "{flow:?}");
            assert_eq!((flow.reachable_after_us, flow.unreachable_after_us), (None, None));
            quiet(&flow);
        }
        unmeasured(opened).await;
    });
}

fn quiet(flow: &FlowOutage) {
    let control = flow.control.unwrap_or_else(|| panic!("{flow:?}"));
    assert!(control.received * 10 >= control.sent * 9, "{flow:?}");
    assert!(flow.noise_floor_us.is_some_and(|noise| noise < SLACK_US), "{flow:?}");
}

/// A probe that is not where the manifest says it is stops nothing.
async fn unmeasured(opened: &Netns) {
    let mut lab = opened.lab.clone();
    let mut manifest = lab.manifest.as_ref().clone();
    for node in manifest.nodes.values_mut() {
        node.outage_probe = Some("/no/such/probe".to_owned());
    }
    lab.manifest = manifest.into();
    let (value, watched) = watch_change(&lab, "nobody", MARGINS, async |mark| {
        mark.begins().await;
        7
    })
    .await;
    assert_eq!(value, 7);
    let Outage::NotMeasured { reason } = watched.outage else { panic!("{:?}", watched.outage) };
    assert!(reason.contains("/no/such/probe"), "{reason}");
}
