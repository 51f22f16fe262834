//! Throttling and stale reads, where they are asked for.

use std::time::Duration;

use super::ExampleLab;
use super::script::{Script, find_element};
use crate::cloud::Throttling;

#[tokio::test(start_paused = true)]
async fn a_bucket_empties_and_fills_again() {
    let table = [
        ("DescribeVpcs", 50, 10),
        ("DescribeVpcs VpcId.1=$lab_vpc", 100, 20),
        ("CreateTags ResourceId.1=$lab_vpc Tag.1.Key=a Tag.1.Value=b", 100, 10),
        ("StartInstances InstanceId.1=$lab_instance", 5, 2),
        ("DisassociateAddress AssociationId=eipassoc-0123456789abcdef0", 50, 5),
    ];
    for (request, size, per_second) in table {
        let lab = ExampleLab::new();
        lab.shared.lock().cloud.options.throttling = Throttling::AsPublished;
        let mut script = Script::new(&lab);
        let throttled = format!("{request} ! RequestLimitExceeded");
        let passes = if request.starts_with("Disassociate") {
            format!("{request} ! InvalidAssociationID.NotFound")
        } else {
            request.to_owned()
        };
        for _ in 0..size {
            script.line(&passes).await;
        }
        script.line(&throttled).await;
        lab.clock.sleep(Duration::from_secs(1)).await;
        for _ in 0..per_second {
            script.line(&passes).await;
        }
        script.line(&throttled).await;
        script.line("DescribeSubnets").await;
    }
}

/// Whether the description of what was just made was found, read by read, one a second.
async fn reads(seed: u64, staleness_ms: u64) -> Vec<bool> {
    let lab = ExampleLab::new();
    {
        let mut world = lab.shared.lock();
        world.cloud.seed = seed;
        world.cloud.options.staleness_ms = staleness_ms;
    }
    let mut script = Script::new(&lab);
    script.line("CreateVpc CidrBlock=10.99.0.0/16 => vpc=vpcId").await;
    let mut found = Vec::new();
    for _ in 0..8 {
        let text =
            script.line("DescribeVpcs Filter.1.Name=cidr Filter.1.Value.1=10.99.0.0/16").await;
        found.push(find_element(&text, "vpcId").is_some());
        lab.clock.sleep(Duration::from_secs(1)).await;
    }
    found
}

#[tokio::test(start_paused = true)]
async fn reads_are_stale_within_the_bound_and_as_the_seed_says() {
    assert_eq!(reads(1, 0).await, [true; 8], "off is off");
    let mut seen_stale = false;
    for seed in 1..10 {
        let found = reads(seed, 5_000).await;
        assert_eq!(found, reads(seed, 5_000).await, "the same seed is the same");
        assert_eq!(found[5..], [true; 3], "nothing is stale after the bound: {found:?}");
        seen_stale |= found.contains(&false);
    }
    assert!(seen_stale);
}
