//! Tests of what is a difference of the cloud's side, and what is left of it.

use super::*;
use crate::example::judge_as_scenario;

mod around;

/// The lab's own state, read anew after something was done to it.
fn changed(change: impl FnOnce(&mut CloudState)) -> Vec<Difference> {
    let mut given = Vec::new();
    judge_as_scenario("restored", async |lab, ctx| {
        let reads = Box::pin(ask(lab)).await;
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
        let reads = Box::pin(ask(lab)).await;
        let (one, how) = read(lab, ctx, reads).expect("a state");
        let reads = Box::pin(ask(lab)).await;
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
        let instance = one.0["instance"].values().next().expect("an instance");
        assert!(instance["instance_type"].is_string() && instance["tags"].is_object());
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

fn differing(kind: &str, before: Value, now: Value) -> Difference {
    Difference {
        kind: kind.to_owned(),
        id: "id-1".to_owned(),
        before: Some(before),
        now: Some(now),
    }
}

fn commands(difference: &Difference) -> Vec<String> {
    let commands = describe_difference("eu-central-1", difference).owner_commands;
    commands.iter().map(|it| it.replace(" --region eu-central-1", "")).collect()
}

#[test]
fn each_source_of_a_rule_is_put_back_as_what_it_is() {
    let table = [
        (
            "tcp 22-23 sg-1",
            "IpProtocol=tcp,FromPort=22,ToPort=23,UserIdGroupPairs=[{GroupId=sg-1}]",
        ),
        (
            "tcp 22-23 pl-1",
            "IpProtocol=tcp,FromPort=22,ToPort=23,PrefixListIds=[{PrefixListId=pl-1}]",
        ),
        (
            "tcp 22-23 2001:db8::/32",
            "IpProtocol=tcp,FromPort=22,ToPort=23,Ipv6Ranges=[{CidrIpv6=2001:db8::/32}]",
        ),
        (
            "-1 all-all 0.0.0.0/0",
            "IpProtocol=-1,FromPort=-1,ToPort=-1,IpRanges=[{CidrIp=0.0.0.0/0}]",
        ),
    ];
    for (rule, permission) in table {
        for (way, other) in [("ingress", "egress"), ("egress", "ingress")] {
            let side = |rules: Value| json!({ way: rules, other: ["tcp 1-1 10.0.0.0/8"] });
            let lost = differing("security group", side(json!([rule])), side(json!([])));
            let command = format!(
                "aws ec2 authorize-security-group-{way} --group-id id-1 --ip-permissions '{permission}'"
            );
            assert_eq!(commands(&lost), [command]);
        }
    }
}

#[test]
fn tags_are_taken_away_and_put_back() {
    let of = |tags: Value| json!({ "tags": tags });
    let (own, other) = (json!({ "a": "1", "b": "2" }), json!({ "a": "1", "b": "3", "c": "4" }));
    let changed = differing("network ACL", of(own.clone()), of(other));
    let expected = [
        "aws ec2 delete-tags --resources id-1 --tags 'Key=c'",
        "aws ec2 create-tags --resources id-1 --tags 'Key=b,Value=2'",
    ];
    assert_eq!(commands(&changed), expected);
    // What is new or gone as a whole has no tags of its own to settle.
    for side in [true, false] {
        let mut one = differing("network ACL", of(own.clone()), of(own.clone()));
        *(if side { &mut one.before } else { &mut one.now }) = None;
        assert_eq!(commands(&one), ["aws ec2 describe-network-acls --network-acl-ids id-1"]);
    }
}

#[test]
fn an_interface_gets_back_its_groups_its_check_and_its_addresses() {
    let eni = |groups: Value, check: bool, addresses: Value| json!({ "security_groups": groups, "source_dest_check": check, "secondary_addresses": addresses });
    let before = eni(json!(["sg-1", "sg-2"]), true, json!(["10.88.60.9"]));
    let modify = "aws ec2 modify-network-interface-attribute --network-interface-id id-1";
    let private = |verb, address| {
        format!(
            "aws ec2 {verb}-private-ip-addresses --network-interface-id id-1 --private-ip-addresses {address}"
        )
    };
    let table = [
        (
            eni(json!(["sg-1"]), true, json!(["10.88.60.9"])),
            vec![format!("{modify} --groups sg-1 sg-2")],
        ),
        (
            eni(json!(["sg-1", "sg-2"]), false, json!(["10.88.60.9"])),
            vec![format!("{modify} --source-dest-check")],
        ),
        (
            eni(json!(["sg-1", "sg-2"]), true, json!(["10.88.60.8"])),
            vec![private("unassign", "10.88.60.8"), private("assign", "10.88.60.9")],
        ),
    ];
    for (now, expected) in table {
        assert_eq!(commands(&differing("network interface", before.clone(), now)), expected);
    }
    let off = eni(json!([]), false, json!([]));
    let on = differing("network interface", off, eni(json!([]), true, json!([])));
    assert_eq!(commands(&on), [format!("{modify} --no-source-dest-check")]);
    // The same fields of anything else are settled by nobody.
    let other = differing("instance", before, eni(json!([]), true, json!([])));
    assert_eq!(commands(&other), ["aws ec2 describe-instances --instance-ids id-1"]);
}

#[test]
fn where_nothing_can_be_derived_it_is_said_where_to_look() {
    let table = [
        ("network interface", "aws ec2 describe-network-interfaces --network-interface-ids id-1"),
        ("instance", "aws ec2 describe-instances --instance-ids id-1"),
        ("security group", "aws ec2 describe-security-groups --group-ids id-1"),
        ("route table", "aws ec2 describe-route-tables --route-table-ids id-1"),
        ("network ACL", "aws ec2 describe-network-acls --network-acl-ids id-1"),
        ("instance profile", "aws iam get-instance-profile --instance-profile-name id-1"),
    ];
    for (kind, command) in table {
        let other = differing(kind, json!({ "a": 1, "b": 1 }), json!({ "a": 2, "b": 1 }));
        assert_eq!(commands(&other), [command]);
        assert_eq!(other.words(), format!("{kind} id-1: a was 1, is 2"));
    }
}
