//! A statement that names network interfaces by tags and a VPC: which these are, a lookup of all that
//! carry them says, and it says so of one moment.

use std::collections::BTreeMap;

use lab::Lab;
use lab::ec2::{Answer, NetworkInterface, ReadError};
use lab::iam::{Grants, PolicyDocument, PolicyEffect, Statement};

/// The tags and the VPC by which a statement's conditions name interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Narrowing {
    /// Each tag with the values that it may have.
    pub tags: BTreeMap<String, Vec<String>>,
    pub vpc_id: Option<String>,
}

/// The interfaces of the region that each narrowing names.
pub type NamedInterfaces = BTreeMap<Narrowing, Vec<String>>;

/// One lookup for each narrowing, with its answer.
pub type NamedReads = Result<Vec<(Narrowing, Answer<Vec<NetworkInterface>>)>, ReadError>;

impl Narrowing {
    /// None where the conditions name neither a tag nor a VPC.
    pub fn of(statement: &Statement) -> Option<Self> {
        let mut narrowing = Self::default();
        for (operator, keys) in &statement.conditions {
            for (key, values) in keys {
                match part_of(operator, key, values) {
                    Some(NarrowingPart::Tag(tag)) => {
                        narrowing.tags.insert(tag.to_owned(), values.clone());
                    }
                    Some(NarrowingPart::Vpc(id)) => narrowing.vpc_id = Some(id.to_owned()),
                    None => {}
                }
            }
        }
        (narrowing != Self::default()).then_some(narrowing)
    }
}

/// What one condition names.
pub enum NarrowingPart<'a> {
    Tag(&'a str),
    Vpc(&'a str),
}

/// Only what names exactly: a pattern could name what nobody looked up.
pub fn part_of<'a>(
    operator: &str,
    key: &'a str,
    values: &'a [String],
) -> Option<NarrowingPart<'a>> {
    let is_key = |wanted: &str| key.eq_ignore_ascii_case(wanted);
    if operator == "StringEquals" {
        let (prefix, tag) = key.split_once('/').unwrap_or((key, ""));
        let of_tags = ["aws:ResourceTag", "ec2:ResourceTag"]
            .iter()
            .any(|wanted| prefix.eq_ignore_ascii_case(wanted));
        // A filter of EC2 takes these for wildcards.
        let exact = !values.iter().any(|value| value.contains(['*', '?', '\\', '$']));
        if of_tags && exact && !tag.is_empty() && !values.is_empty() {
            return Some(NarrowingPart::Tag(tag));
        }
    }
    if ["StringEquals", "ArnEquals"].contains(&operator) && is_key("ec2:Vpc") {
        let [arn] = values else { return None };
        let (_, id) = arn.split_once(":vpc/")?;
        return (!arn.contains(['*', '?', '$'])).then_some(NarrowingPart::Vpc(id));
    }
    None
}

/// Looks up what each statement that allows names by its conditions. Nothing is asked where none does.
pub async fn look_up_named(
    lab: &Lab,
    policies: &Result<Vec<Answer<PolicyDocument>>, ReadError>,
) -> NamedReads {
    let Ok(policies) = policies else { return Ok(Vec::new()) };
    let documents: Vec<_> = policies.iter().map(|answer| answer.value.clone()).collect();
    let grants = Grants::read(&documents);
    let allowing = grants.statements.iter().filter(|it| it.effect == PolicyEffect::Allow);
    let mut narrowings: Vec<_> = allowing.filter_map(Narrowing::of).collect();
    narrowings.sort();
    narrowings.dedup();
    let asked = narrowings.into_iter().map(async |narrowing| {
        let tags: Vec<_> = narrowing.tags.clone().into_iter().collect();
        let vpc_id = narrowing.vpc_id.as_deref();
        let answer = lab.reader.interfaces_named(&tags, vpc_id).await?;
        Ok((narrowing, answer))
    });
    futures::future::try_join_all(asked).await
}
