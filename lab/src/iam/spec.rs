//! How a role's documents are read; whether what they grant is right is for `preflight` to say.

use super::*;

const GOOD: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Look", "Effect": "Allow", "Action": "ec2:DescribeNetworkInterfaces", "Resource": "*",
     "Condition": {"StringEquals": {"aws:RequestedRegion": "ap-northeast-1"}}},
    {"Effect": "Deny", "NotAction": ["s3:*", "ec2:*"], "NotResource": "x", "Principal": "*"}
  ]
}"#;

fn name() -> DocumentName {
    DocumentName::Inline("executor".into())
}

fn read(text: &str) -> Grants {
    Grants::read(&[PolicyDocument { name: name(), text: text.into() }])
}

#[test]
fn a_document_has_one_or_many_of_everything() {
    let condition = ("aws:RequestedRegion".to_owned(), vec!["ap-northeast-1".to_owned()]);
    let look = Statement {
        document: name(),
        sid: Some("Look".into()),
        effect: PolicyEffect::Allow,
        actions: Subject::Only(vec!["ec2:DescribeNetworkInterfaces".into()]),
        resources: Subject::Only(vec!["*".into()]),
        conditions: [("StringEquals".to_owned(), [condition].into())].into(),
        has_principal: false,
    };
    let deny = Statement {
        document: name(),
        sid: None,
        effect: PolicyEffect::Deny,
        actions: Subject::AllBut(vec!["s3:*".into(), "ec2:*".into()]),
        resources: Subject::AllBut(vec!["x".into()]),
        conditions: std::collections::BTreeMap::default(),
        has_principal: true,
    };
    let expected = Grants { statements: vec![look, deny], unreadable: vec![] };
    assert_eq!(read(GOOD), expected);
}

#[test]
fn a_document_is_read_as_iam_encodes_it() {
    let encoded = format!(
        "%{}",
        hex::encode_upper(GOOD)
            .as_bytes()
            .chunks(2)
            .map(|digits| std::str::from_utf8(digits).unwrap_or_default())
            .collect::<Vec<_>>()
            .join("%")
    );
    assert_eq!(read(&encoded), read(GOOD));
}

/// A word that is not known may be one that grants.
#[test]
fn a_document_that_is_not_wholly_understood_is_unreadable() {
    for (from, to) in [("\"Allow\"", "\"allow\""), ("\"Sid\"", "\"Sld\""), ("{", "")] {
        let grants = read(&GOOD.replacen(from, to, 1));
        assert_eq!((grants.statements.len(), grants.unreadable.len()), (0, 1), "{from} -> {to}");
        assert_eq!(grants.unreadable[0].0, name());
    }
}
