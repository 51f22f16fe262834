//! Tests of what is a difference of the cloud's side, and what is left of it.

use super::*;
use crate::example::judge_as_scenario;

/// The lab's own state, read anew after something was done to it.
fn changed(change: impl FnOnce(&mut CloudState)) -> Vec<Difference> {
    let mut given = Vec::new();
    judge_as_scenario("restored", async |lab, ctx| {
        let reads = ask(lab).await;
        let (before, _) = read(lab, ctx, reads).expect("a state");
        let mut now = before.clone();
        change(&mut now);
        given = before.differences(&now);
    });
    given
}

#[test]
fn every_kind_is_read_and_the_same_twice() {
    judge_as_scenario("restored", async |lab, ctx| {
        let reads = ask(lab).await;
        let (one, how) = read(lab, ctx, reads).expect("a state");
        let reads = ask(lab).await;
        let (other, _) = read(lab, ctx, reads).expect("a state");
        assert_eq!(one.differences(&other), []);
        assert_eq!(one.digest(), other.digest());
        for kind in [
            "network interface",
            "instance",
            "security group",
            "route table",
            "network ACL",
            "role",
            "instance profile",
        ] {
            assert!(one.0.get(kind).is_some_and(|all| !all.is_empty()), "{kind}");
        }
        assert!(how.how.contains("DescribeNetworkAcls"), "{}", how.how);
    });
}

fn first(state: &mut CloudState, kind: &str) -> Value {
    let all = state.0.get_mut(kind).expect("a kind");
    all.values().next().expect("one").clone()
}

fn put(state: &mut CloudState, kind: &str, value: Value) {
    let all = state.0.get_mut(kind).expect("a kind");
    *all.values_mut().next().expect("one") = value;
}

#[test]
fn what_is_left_comes_with_the_commands_that_settle_it() {
    type Row = (&'static str, fn(&mut Value), &'static str);
    let table: [Row; 5] = [
        (
            "security group",
            |it| it["ingress"] = json!(["tcp 443-443 0.0.0.0/0"]),
            "aws ec2 revoke-security-group-ingress --group-id ",
        ),
        (
            "security group",
            |it| it["ingress"] = json!([]),
            "aws ec2 authorize-security-group-ingress",
        ),
        ("network interface", |it| it["tags"] = json!({}), "aws ec2 create-tags --resources eni-"),
        ("network ACL", |it| it["entries"] = json!([]), "aws ec2 describe-network-acls"),
        ("role", |it| it["documents"] = json!({}), "aws iam list-role-policies --role-name "),
    ];
    for (kind, change, command) in table {
        let found = changed(|state| {
            let mut value = first(state, kind);
            change(&mut value);
            put(state, kind, value);
        });
        assert_eq!(found.len(), 1, "{kind}");
        let item = describe_difference("eu-central-1", &found[0]);
        assert_eq!(item.resource, kind);
        assert!(item.owner_commands[0].starts_with(command), "{:?}", item.owner_commands);
        let region = item.owner_commands[0].ends_with(" --region eu-central-1");
        assert_eq!(region, command.starts_with("aws ec2"), "{:?}", item.owner_commands);
    }
    let gone = changed(|state| {
        state.0.remove("route table");
    });
    assert!(gone[0].words().ends_with(" is gone"), "{}", gone[0].words());
}
