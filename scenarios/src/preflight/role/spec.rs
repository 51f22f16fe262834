//! Grants that the executor's role may have, and each way to grant it too much or too little.

use lab::iam::{DocumentName, Grants, PolicyDocument};

use super::grants::{
    IamProblem, IamProblemKind as Kind, Judgement, RoleExpectation, judge_boundary, judge_grants,
};
use super::narrow::{NamedInterfaces, Narrowing};

const GOOD: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Look", "Effect": "Allow", "Action": "ec2:DescribeNetworkInterfaces", "Resource": "*",
     "Condition": {"StringEquals": {"aws:RequestedRegion": "ap-northeast-1"}}},
    {"Sid": "Change", "Effect": "Allow",
     "Action": ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "ec2:ModifyNetworkInterfaceAttribute"],
     "Resource": "arn:aws:ec2:ap-northeast-1:123456789012:network-interface/eni-0a1b2c3d4e5f60718"}
  ]
}"#;

fn expected() -> RoleExpectation {
    RoleExpectation {
        region: "ap-northeast-1".into(),
        account_id: "123456789012".into(),
        network_interface_id: "eni-0a1b2c3d4e5f60718".into(),
        named: NamedInterfaces::new(),
    }
}

fn inline(text: &str) -> PolicyDocument {
    PolicyDocument { name: DocumentName::Inline("executor".into()), text: text.into() }
}

fn attached(text: &str) -> PolicyDocument {
    let name = DocumentName::Attached {
        arn: "arn:aws:iam::123456789012:policy/extra".into(),
        version: "v3".into(),
    };
    PolicyDocument { name, text: text.into() }
}

fn judged(documents: &[PolicyDocument]) -> Judgement {
    judge_grants(&Grants::read(documents), &expected())
}

fn spoiled(from: &str, to: &str) -> Judgement {
    assert!(GOOD.contains(from), "{from:?} is not in the good document");
    judged(&[inline(&GOOD.replacen(from, to, 1))])
}

fn kinds(problems: &[IamProblem]) -> Vec<Kind> {
    problems.iter().map(|problem| problem.kind).collect()
}

/// One more statement beside the good document.
fn with_statement(statement: &str) -> Judgement {
    judged(&[inline(GOOD), attached(&format!(r#"{{"Statement": {statement}}}"#))])
}

#[test]
fn the_four_actions_on_the_eni_are_right() {
    let judgement = judged(&[inline(GOOD)]);
    assert_eq!((judgement.problems, judgement.notes), (vec![], vec![]));
    assert_eq!(judgement.granted_by.len(), 4);
    for documents in judgement.granted_by.values() {
        assert_eq!(documents, &[DocumentName::Inline("executor".into())]);
    }
}

#[test]
fn names_of_actions_have_no_case() {
    assert_eq!(
        spoiled("ec2:AssignPrivateIpAddresses", "EC2:assignPRIVATEipaddresses").problems,
        []
    );
}

#[test]
fn each_defect_is_found() {
    let table = [
        ("\"ec2:AssignPrivateIpAddresses\", ", "", vec![Kind::Missing]),
        (
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeInstances",
            vec![Kind::OtherAction, Kind::Missing],
        ),
        (
            "\"ec2:DescribeNetworkInterfaces\"",
            "[\"ec2:DescribeNetworkInterfaces\", \"ec2:RunInstances\"]",
            vec![Kind::OtherAction],
        ),
        ("ec2:DescribeNetworkInterfaces", "ec2:Describe*", vec![Kind::Wildcard, Kind::Missing]),
        ("ec2:DescribeNetworkInterfaces", "*", vec![Kind::Wildcard, Kind::Missing]),
        (
            "\"ec2:DescribeNetworkInterfaces\"",
            "[\"ec2:DescribeNetworkInterfaces\", \"s3:GetObject\"]",
            vec![Kind::OtherService],
        ),
        (
            "\"ec2:DescribeNetworkInterfaces\"",
            "[\"ec2:DescribeNetworkInterfaces\", \"iam:PassRole\"]",
            vec![Kind::Identity],
        ),
        (
            "\"ec2:DescribeNetworkInterfaces\"",
            "[\"ec2:DescribeNetworkInterfaces\", \"STS:AssumeRole\"]",
            vec![Kind::Identity],
        ),
        (
            "network-interface/eni-0a1b2c3d4e5f60718",
            "network-interface/*",
            vec![Kind::OtherResource; 3],
        ),
        ("eni-0a1b2c3d4e5f60718\"", "eni-0a1b2c3d4e5f6071?\"", vec![Kind::OtherResource; 3]),
        (
            "arn:aws:ec2:ap-northeast-1:123456789012:network-interface/eni-0a1b2c3d4e5f60718",
            "*",
            vec![Kind::OtherResource; 3],
        ),
        ("\"Action\": \"ec2:D", "\"NotAction\": \"ec2:D", vec![Kind::AllBut, Kind::Missing]),
        ("\"Resource\": \"*\"", "\"NotResource\": \"x\"", vec![Kind::AllBut, Kind::Missing]),
        ("\"Resource\": \"*\"", "\"Principal\": \"*\", \"Resource\": \"*\"", vec![Kind::Principal]),
        (
            "\"Resource\": \"*\"",
            "\"Resource\": \"arn:aws:ec2:ap-northeast-1:123456789012:network-interface/eni-0a1b2c3d4e5f60718\"",
            vec![Kind::Missing],
        ),
        (
            "RequestedRegion\": \"ap-northeast-1\"",
            "RequestedRegion\": \"us-east-1\"",
            vec![Kind::Missing],
        ),
        (
            "\"Effect\": \"Allow\", \"Action\"",
            "\"Effect\": \"allow\", \"Action\"",
            vec![Kind::Unreadable, Kind::Missing, Kind::Missing, Kind::Missing, Kind::Missing],
        ),
        (
            "\"Sid\": \"Look\"",
            "\"Sld\": \"Look\"",
            vec![Kind::Unreadable, Kind::Missing, Kind::Missing, Kind::Missing, Kind::Missing],
        ),
    ];
    for (from, to, expected) in table {
        assert_eq!(kinds(&spoiled(from, to).problems), expected, "{from:?} -> {to:?}");
    }
}

#[test]
fn another_eni_is_both_too_much_and_too_little() {
    let problems = kinds(&spoiled("eni-0a1b2c3d4e5f60718", "eni-0ffffffffffffffff").problems);
    assert_eq!(problems, [vec![Kind::OtherResource; 3], vec![Kind::Missing; 3]].concat());
}

#[test]
fn a_second_document_is_judged_too_and_named() {
    let judgement = with_statement(r#"{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}"#);
    assert_eq!(kinds(&judgement.problems), [Kind::Wildcard]);
    let text = judgement.problems[0].to_string();
    assert_eq!(text, "attached arn:aws:iam::123456789012:policy/extra v3: allows ec2:*");
}

#[test]
fn an_explicit_deny_takes_away() {
    let table = [
        (r#""Action": "ec2:Assign*", "Resource": "*""#, vec![Kind::Denied]),
        (r#""Action": "EC2:*", "Resource": "*""#, vec![Kind::Denied; 4]),
        (r#""Action": "ec2:*PrivateIp?ddresses", "Resource": "*""#, vec![Kind::Denied; 2]),
        (r#""Action": "ec2:*s*s*x*", "Resource": "*""#, vec![]),
        (r#""NotAction": "s3:*", "Resource": "*""#, vec![Kind::Denied; 4]),
        (r#""NotAction": "ec2:*", "Resource": "*""#, vec![]),
        (
            r#""Action": "ec2:*", "Resource": "arn:aws:ec2:*:*:network-interface/eni-0bbbbbbbbbbbbbbbb""#,
            vec![],
        ),
        (
            r#""Action": "ec2:*", "NotResource": "arn:aws:ec2:*:*:network-interface/*""#,
            vec![Kind::Denied],
        ),
        (
            r#""Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["ap-northeast-1"]}}"#,
            vec![],
        ),
        (
            r#""Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "ap-northeast-1"}}"#,
            vec![Kind::Denied; 4],
        ),
    ];
    for (body, expected) in table {
        let judgement = with_statement(&format!(r#"{{"Effect": "Deny", {body}}}"#));
        assert_eq!(kinds(&judgement.problems), expected, "{body}");
    }
}

#[test]
fn what_is_only_worth_recording_is_a_note() {
    let condition = r#",
     "Condition": {"StringEquals": {"aws:RequestedRegion": "ap-northeast-1"}}"#;
    let judgement = spoiled(condition, "");
    assert_eq!((kinds(&judgement.notes), judgement.problems), (vec![Kind::AnyRegion], vec![]));

    let deny = r#"{"Effect": "Deny", "Action": "ec2:Assign*", "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": false}}}"#;
    let judgement = with_statement(deny);
    assert_eq!((kinds(&judgement.notes), judgement.problems), (vec![Kind::Condition], vec![]));
}

#[test]
fn a_role_without_documents_lacks_all_four() {
    assert_eq!(kinds(&judged(&[]).problems), [Kind::Missing; 4]);
}

/// A list that names the region beside others is no limit; other operators only AWS evaluates.
#[test]
fn a_condition_on_the_region_is_read_and_any_other_is_noted() {
    let list = r#"["ap-northeast-1", "us-east-1"]"#;
    let wide =
        spoiled("RequestedRegion\": \"ap-northeast-1\"", &format!("RequestedRegion\": {list}"));
    assert_eq!((kinds(&wide.notes), wide.problems), (vec![Kind::AnyRegion], vec![]));
    let table = [
        ("StringNotEquals", "ap-northeast-1", vec![]),
        ("StringNotEquals", "us-east-1", vec![Kind::Condition; 4]),
        ("StringLike", "ap-*", vec![Kind::Condition; 4]),
    ];
    for (operator, region, notes) in table {
        let deny = format!(
            r#"{{"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {{"{operator}": {{"aws:RequestedRegion": "{region}"}}}}}}"#
        );
        let judgement = with_statement(&deny);
        let given = (kinds(&judgement.notes), judgement.problems);
        assert_eq!(given, (notes, vec![]), "{operator} {region}");
    }
}

#[test]
fn the_enis_arn_is_of_its_regions_partition() {
    let table = [
        ("ap-northeast-1", "arn:aws:ec2:ap-northeast-1:123456789012:network-interface/"),
        ("cn-north-1", "arn:aws-cn:ec2:cn-north-1:123456789012:network-interface/"),
        ("us-gov-west-1", "arn:aws-us-gov:ec2:us-gov-west-1:123456789012:network-interface/"),
    ];
    for (region, prefix) in table {
        let expected = RoleExpectation { region: region.into(), ..expected() };
        let lacking = judge_grants(&Grants::read(&[]), &expected).problems;
        let messages: Vec<_> = lacking.iter().map(|it| it.message.as_str()).collect();
        let describe = "no document allows ec2:DescribeNetworkInterfaces on * in the lab's region";
        assert_eq!(messages[0], describe);
        assert!(messages[1..].iter().all(|it| it.contains(prefix)), "{messages:?}");
    }
}

/// The good document with the mutations on all interfaces under a condition, where a lookup found these.
fn by_conditions(condition: &str, found: &[&str]) -> Judgement {
    let from = "network-interface/eni-0a1b2c3d4e5f60718\"";
    let text =
        GOOD.replacen(from, &format!("network-interface/*\", \"Condition\": {condition}"), 1);
    let grants = Grants::read(&[inline(&text)]);
    let narrowing = grants.statements.iter().find_map(Narrowing::of);
    let ids: Vec<String> = found.iter().map(|id| (*id).to_owned()).collect();
    let named = narrowing.map(|narrowing| (narrowing, ids)).into_iter().collect();
    judge_grants(&grants, &RoleExpectation { named, ..expected() })
}

#[test]
fn tags_and_a_vpc_are_as_good_as_the_arn_where_they_name_the_labs_eni_alone() {
    const OURS: &str = "eni-0a1b2c3d4e5f60718";
    let tags = r#"{"StringEquals": {"aws:ResourceTag/lab": "a", "ec2:ResourceTag/node": "r"}}"#;
    let vpc = r#"{"ArnEquals": {"ec2:Vpc": "arn:aws:ec2:ap-northeast-1:123456789012:vpc/vpc-1"}}"#;
    let both = r#"{"StringEquals": {"aws:ResourceTag/lab": ["a", "b"],
        "ec2:Vpc": "arn:aws:ec2:ap-northeast-1:123456789012:vpc/vpc-1"}}"#;
    for condition in [tags, vpc, both] {
        let judgement = by_conditions(condition, &[OURS]);
        assert_eq!((kinds(&judgement.notes), judgement.problems), (vec![Kind::ByTags; 3], vec![]));
        let two = kinds(&by_conditions(condition, &[OURS, "eni-0bbbbbbbbbbbbbbbb"]).problems);
        assert_eq!(two, [Kind::OtherResource; 3], "{condition}");
        let other = kinds(&by_conditions(condition, &["eni-0bbbbbbbbbbbbbbbb"]).problems);
        let both = [vec![Kind::OtherResource; 3], vec![Kind::Missing; 3]].concat();
        assert_eq!(other, both, "{condition}");
        let nobody = kinds(&by_conditions(condition, &[]).problems);
        assert_eq!(nobody, both, "{condition}");
    }
    // Nobody can look these up: they are as wide as their resource.
    let patterns = [
        r#"{"StringLike": {"aws:ResourceTag/lab": "a*"}}"#,
        r#"{"StringEquals": {"aws:ResourceTag/lab": "a*"}}"#,
        r#"{"StringEquals": {"aws:PrincipalTag/lab": "a"}}"#,
        r#"{"ArnLike": {"ec2:Vpc": "arn:aws:ec2:*:*:vpc/*"}}"#,
        r#"{"StringEqualsIfExists": {"aws:ResourceTag/lab": "a"}}"#,
    ];
    for condition in patterns {
        let judgement = by_conditions(condition, &[OURS]);
        assert_eq!(kinds(&judgement.problems), [Kind::OtherResource; 3], "{condition}");
    }
}

/// Other resources than interfaces of the lab's region would be named by the same tags.
#[test]
fn tags_on_more_than_interfaces_of_the_region_are_too_much() {
    for resource in ["*", "arn:aws:ec2:*:123456789012:network-interface/*", "arn:aws:ec2:*:*:*/*"] {
        let text = GOOD
            .replacen(
                "\"arn:aws:ec2:ap-northeast-1:123456789012:network-interface/eni-0a1b2c3d4e5f60718\"",
                &format!(
                    "\"{resource}\", \"Condition\": {{\"StringEquals\": {{\"aws:ResourceTag/lab\": \"a\"}}}}"
                ),
                1,
            );
        let grants = Grants::read(&[inline(&text)]);
        let narrowing = grants.statements.iter().find_map(Narrowing::of).expect("a tag");
        let named = [(narrowing, vec!["eni-0a1b2c3d4e5f60718".to_owned()])].into();
        let judgement = judge_grants(&grants, &RoleExpectation { named, ..expected() });
        assert_eq!(kinds(&judgement.problems), [Kind::OtherResource; 3], "{resource}");
    }
}

/// EC2 knows the attribute of a modify alone: for the others the condition holds never.
#[test]
fn both_values_of_the_check_are_no_limit_of_a_modify() {
    let wide = r#"{"StringEquals": {"ec2:Attribute/SourceDestCheck": ["true", "false"]}}"#;
    let narrow = r#"{"StringEquals": {"ec2:Attribute/SourceDestCheck": "false"}}"#;
    let on_the_eni = |condition: &str| {
        let from = "eni-0a1b2c3d4e5f60718\"";
        let to = format!("{from}, \"Condition\": {condition}");
        spoiled(from, &to)
    };
    assert_eq!(kinds(&on_the_eni(wide).notes), [Kind::Condition; 2]);
    assert_eq!(kinds(&on_the_eni(narrow).notes), [Kind::Condition; 3]);
}

#[test]
fn a_boundary_takes_away_what_it_does_not_allow() {
    let bounded = |statements: &str| {
        let mut judgement = judged(&[inline(GOOD)]);
        let name = DocumentName::Boundary { arn: "arn:b".into(), version: "v1".into() };
        let text = format!(r#"{{"Statement": {statements}}}"#);
        let boundary = Grants::read(&[PolicyDocument { name, text }]);
        judge_boundary(&boundary, &expected(), &mut judgement);
        kinds(&judgement.problems)
    };
    let table = [
        (r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#, vec![]),
        (r#"{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}"#, vec![]),
        (
            r#"{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}"#,
            vec![Kind::Bounded; 3],
        ),
        (
            r#"{"Effect": "Allow", "NotAction": "ec2:Assign*", "Resource": "*"}"#,
            vec![Kind::Bounded],
        ),
        (r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#, vec![Kind::Bounded; 4]),
        (
            r#"[{"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "ec2:Unassign*", "Resource": "*"}]"#,
            vec![Kind::Denied],
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}"#,
            vec![Kind::Bounded; 4],
        ),
        (r#"{"Effect": "Perhaps", "Action": "*", "Resource": "*"}"#, vec![Kind::Unreadable]),
    ];
    for (statements, expected) in table {
        assert_eq!(bounded(statements), expected, "{statements}");
    }
}
