//! A bad underlay is as bad as was asked for, and a good one again afterwards.

use lab::node::Node;
use lab_mock::faults::Underlay;
use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{captured, on_a_lab, run, text, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("a_bad_underlay_is_as_bad_as_asked_for", as_bad_as_asked_for)]
}

const SENT: u32 = 200;

struct Pings {
    received: u32,
    /// Milliseconds.
    least: f64,
}

fn as_bad_as_asked_for() {
    on_a_lab(async |opened| {
        captured(opened).await;
        let good = pings(opened).await;
        assert_eq!(good.received, SENT);
        assert!(good.least < 40.0, "{} ms", good.least);

        under(opened, Underlay { delay_ms: 40, loss_percent: 0 }).await;
        let late = pings(opened).await;
        assert_eq!(late.received, SENT);
        assert!((80.0..120.0).contains(&late.least), "{} ms", late.least);

        under(opened, Underlay { delay_ms: 20, loss_percent: 5 }).await;
        let lossy = pings(opened).await;
        // Each way: 200 * 0.95 * 0.95 = 180.5.
        assert!((178..=183).contains(&lossy.received), "{} received", lossy.received);
        assert!((40.0..80.0).contains(&lossy.least), "{} ms", lossy.least);

        under(opened, Underlay::default()).await;
        assert_eq!(pings(opened).await.received, SENT);
    });
}

async fn under(opened: &Netns, underlay: Underlay) {
    let mut world = lab_netns::read_world(&opened.folder).await.unwrap();
    world.faults.underlay = underlay;
    lab_netns::write_world(&opened.folder, &world).await.unwrap();
}

async fn pings(opened: &Netns) -> Pings {
    let line = format!("ping -q -n -c {SENT} -i 0.005 -W 2 10.88.60.9");
    let said = text(&run(opened, Node::CloudClient, &line).await);
    let count = said.lines().find_map(|line| {
        line.split(", ").find_map(|part| part.strip_suffix(" received"))?.parse().ok()
    });
    let times = said.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "));
    let least = times.and_then(|times| times.split('/').next()?.parse().ok());
    Pings {
        received: count.unwrap_or_else(|| panic!("{said}")),
        least: least.unwrap_or_else(|| panic!("{said}")),
    }
}
