//! Grants that the executor's role may have, and each way to grant it too much or too little.

use lab::iam::{DocumentName, Grants, PolicyDocument};

use super::grants::{IamProblem, IamProblemKind as Kind, Judgement, RoleExpectation, judge_grants};

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
