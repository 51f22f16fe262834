//! Whether a role grants exactly the executor's four actions, on the lab's ENI alone.

use std::collections::BTreeMap;
use std::fmt;

use lab::iam::{DocumentName, Grants, PolicyEffect, Statement, Subject, make_ec2_arn};
use serde::Serialize;

use super::narrow::{NamedInterfaces, Narrowing, NarrowingPart, part_of};

/// The actions that the executor calls.
pub const ACTIONS: [&str; 4] =
    [DESCRIBE, "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", MODIFY];

const MODIFY: &str = "ec2:ModifyNetworkInterfaceAttribute";

/// EC2 knows no resource for it: only `*` grants it.
pub const DESCRIBE: &str = "ec2:DescribeNetworkInterfaces";

/// The lab's ENI, which the mutations are to be limited to.
#[derive(Clone, Debug)]
pub struct RoleExpectation {
    pub region: String,
    pub account_id: String,
    pub network_interface_id: String,
    /// What was looked up of the statements that name interfaces by tags and VPC.
    pub named: NamedInterfaces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IamProblemKind {
    /// The document can't be read, so that it may grant anything.
    Unreadable,
    /// `NotAction` or `NotResource` in a statement that allows.
    AllBut,
    Principal,
    Wildcard,
    /// An EC2 action that the executor never calls.
    OtherAction,
    OtherService,
    /// IAM or STS: the role could change what it may do.
    Identity,
    /// A mutation that is not limited to the lab's ENI.
    OtherResource,
    Missing,
    /// An explicit Deny takes one of the four away.
    Denied,
    /// The permissions boundary does not allow one of the four.
    Bounded,
    /// A note: tags and a VPC name the lab's ENI, and did so when it was looked up.
    ByTags,
    /// A note: the describe is allowed in every region.
    AnyRegion,
    /// A note: conditions that are not evaluated here.
    Condition,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IamProblem {
    pub kind: IamProblemKind,
    /// None where no document has it, as for a missing action.
    pub document: Option<DocumentName>,
    pub message: String,
}

impl IamProblem {
    /// Whether it says that this action is not allowed.
    pub fn takes_away(&self, action: &str) -> bool {
        let takes = matches!(
            self.kind,
            IamProblemKind::Missing | IamProblemKind::Denied | IamProblemKind::Bounded
        );
        takes && self.message.split_whitespace().any(|word| word == action)
    }
}

impl fmt::Display for IamProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.document {
            Some(document) => write!(f, "{document}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Empty means that the role is as it should be.
    pub problems: Vec<IamProblem>,
    /// Worth recording, and no reason to stop.
    pub notes: Vec<IamProblem>,
    /// The documents that grant each of the four actions.
    pub granted_by: BTreeMap<&'static str, Vec<DocumentName>>,
}

/// Judges what a role's documents grant.
pub fn judge_grants(grants: &Grants, expected: &RoleExpectation) -> Judgement {
    let mut judge = Judge { expected, arn: eni_arn(expected), judgement: Judgement::default() };
    for (document, reason) in &grants.unreadable {
        judge.problem(IamProblemKind::Unreadable, document, format!("can't be read: {reason}"));
    }
    for statement in &grants.statements {
        if statement.has_principal {
            let message = "a role's policy can't have a principal".to_owned();
            judge.problem(IamProblemKind::Principal, &statement.document, message);
        }
        match statement.effect {
            PolicyEffect::Allow => judge.allow(statement),
            PolicyEffect::Deny => judge.deny(statement),
        }
    }
    judge.missing();
    judge.judgement
}

/// Judges whether a role's permissions boundary lets the four through. The role may what both this and
/// its own documents allow.
pub fn judge_boundary(boundary: &Grants, expected: &RoleExpectation, judgement: &mut Judgement) {
    let mut judge =
        Judge { expected, arn: eni_arn(expected), judgement: std::mem::take(judgement) };
    for (document, reason) in &boundary.unreadable {
        judge.problem(IamProblemKind::Unreadable, document, format!("can't be read: {reason}"));
    }
    let named = boundary.statements.first().map(|it| it.document.clone());
    for action in ACTIONS {
        let allows =
            |it: &&Statement| it.effect == PolicyEffect::Allow && judge.is_about(it, action);
        let allowed = boundary
            .statements
            .iter()
            .filter(allows)
            .any(|it| !matches!(applies(it, action, expected), Applies::Elsewhere));
        if let (false, Some(document)) = (allowed, &named) {
            judge.problem(IamProblemKind::Bounded, document, format!("does not allow {action}"));
        }
    }
    let denials = boundary.statements.iter().filter(|it| it.effect == PolicyEffect::Deny);
    denials.for_each(|statement| judge.deny(statement));
    *judgement = judge.judgement;
}

struct Judge<'a> {
    expected: &'a RoleExpectation,
    /// The lab's ENI.
    arn: String,
    judgement: Judgement,
}

/// Whether a statement's conditions hold for the executor's calls.
enum Applies {
    /// Only in the lab's region.
    InRegion,
    Anywhere,
    Elsewhere,
    /// There are conditions that only AWS can evaluate.
    Perhaps,
}

impl Judge<'_> {
    fn problem(&mut self, kind: IamProblemKind, document: &DocumentName, message: String) {
        self.judgement.problems.push(IamProblem {
            kind,
            document: Some(document.clone()),
            message,
        });
    }

    fn note(&mut self, kind: IamProblemKind, document: &DocumentName, message: String) {
        self.judgement.notes.push(IamProblem { kind, document: Some(document.clone()), message });
    }

    fn allow(&mut self, statement: &Statement) {
        let document = &statement.document;
        let (Subject::Only(actions), Subject::Only(resources)) =
            (&statement.actions, &statement.resources)
        else {
            let message = "allows all but what it names (NotAction, NotResource)".to_owned();
            return self.problem(IamProblemKind::AllBut, document, message);
        };
        for action in actions {
            match ACTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(action)) {
                Some(known) => self.allow_one(statement, known, resources),
                None => {
                    self.problem(kind_of(action), document, format!("allows {action}"));
                }
            }
        }
    }

    fn allow_one(&mut self, statement: &Statement, action: &'static str, resources: &[String]) {
        let document = &statement.document;
        let wanted = if action == DESCRIBE { "*" } else { self.arn.as_str() };
        let granted = resources.iter().any(|resource| glob(resource, wanted));
        let others = resources.iter().filter(|resource| *resource != wanted);
        let others: Vec<&str> = others.map(String::as_str).collect();
        if action != DESCRIBE && !others.is_empty() {
            if self.names_the_eni_alone(statement, &others) {
                let message = format!(
                    "allows {action} on {} by tags and VPC, which named {} alone when it was looked up",
                    others.join(", "),
                    self.expected.network_interface_id
                );
                self.note(IamProblemKind::ByTags, document, message);
            } else {
                let message =
                    format!("allows {action} on {}, not on {} alone", others.join(", "), self.arn);
                self.problem(IamProblemKind::OtherResource, document, message);
            }
        }
        match applies(statement, action, self.expected) {
            Applies::Elsewhere => return,
            Applies::Anywhere if action == DESCRIBE => {
                let message = format!("allows {action} in every region");
                self.note(IamProblemKind::AnyRegion, document, message);
            }
            Applies::Perhaps => {
                let message =
                    format!("allows {action} under conditions that are not evaluated here");
                self.note(IamProblemKind::Condition, document, message);
            }
            Applies::Anywhere | Applies::InRegion => {}
        }
        if granted {
            self.judgement.granted_by.entry(action).or_default().push(document.clone());
        }
    }

    /// Whether the statement's conditions name the lab's ENI and no other of the region, and its
    /// resources nothing but interfaces of the lab's region and account.
    fn names_the_eni_alone(&self, statement: &Statement, resources: &[&str]) -> bool {
        let RoleExpectation { region, account_id, network_interface_id, named } = self.expected;
        let interfaces = make_ec2_arn(region, account_id, "network-interface/");
        let alone = Narrowing::of(statement)
            .and_then(|narrowing| named.get(&narrowing))
            .is_some_and(|found| found == std::slice::from_ref(network_interface_id));
        alone && resources.iter().all(|resource| resource.starts_with(&interfaces))
    }

    fn is_about(&self, statement: &Statement, action: &str) -> bool {
        let resource = if action == DESCRIBE { "*" } else { self.arn.as_str() };
        matches(&statement.actions, &action.to_ascii_lowercase(), Case::Ignored)
            && matches(&statement.resources, resource, Case::Counts)
    }

    fn deny(&mut self, statement: &Statement) {
        for action in ACTIONS {
            if !self.is_about(statement, action) {
                continue;
            }
            match applies(statement, action, self.expected) {
                Applies::Elsewhere => {}
                Applies::Anywhere | Applies::InRegion => {
                    let message = format!("denies {action}");
                    self.problem(IamProblemKind::Denied, &statement.document, message);
                }
                Applies::Perhaps => {
                    let message =
                        format!("denies {action} under conditions that are not evaluated here");
                    self.note(IamProblemKind::Condition, &statement.document, message);
                }
            }
        }
    }

    fn missing(&mut self) {
        for action in ACTIONS {
            if !self.judgement.granted_by.contains_key(action) {
                let on = if action == DESCRIBE { "*" } else { self.arn.as_str() };
                let message = format!("no document allows {action} on {on} in the lab's region");
                let kind = IamProblemKind::Missing;
                self.judgement.problems.push(IamProblem { kind, document: None, message });
            }
        }
    }
}

pub fn eni_arn(expected: &RoleExpectation) -> String {
    let RoleExpectation { region, account_id, network_interface_id, .. } = expected;
    make_ec2_arn(region, account_id, &format!("network-interface/{network_interface_id}"))
}

/// The kind of too much that an action is which is none of the four.
fn kind_of(action: &str) -> IamProblemKind {
    let action = action.to_ascii_lowercase();
    let service = action.split_once(':').map_or("*", |(service, _)| service);
    if ["iam", "sts", "organizations"].contains(&service) {
        IamProblemKind::Identity
    } else if action.contains(['*', '?']) {
        IamProblemKind::Wildcard
    } else if service == "ec2" {
        IamProblemKind::OtherAction
    } else {
        IamProblemKind::OtherService
    }
}

/// Conditions on the region, on what was looked up, and on the attribute with both of its values are
/// understood; any other makes it a perhaps.
fn applies(statement: &Statement, action: &str, expected: &RoleExpectation) -> Applies {
    let mut applies = Applies::Anywhere;
    let found = Narrowing::of(statement).and_then(|narrowing| expected.named.get(&narrowing));
    for (operator, keys) in &statement.conditions {
        for (key, values) in keys {
            match condition(operator, key, values, expected) {
                Condition::Region { named: true, alone: true } => {
                    if matches!(applies, Applies::Anywhere) {
                        applies = Applies::InRegion;
                    }
                }
                Condition::Region { named: true, alone: false } => {}
                Condition::Region { named: false, .. } => return Applies::Elsewhere,
                Condition::Narrows => match found {
                    Some(found) if found.contains(&expected.network_interface_id) => {}
                    Some(_) => return Applies::Elsewhere,
                    None => applies = Applies::Perhaps,
                },
                Condition::BothChecks if action == MODIFY => {}
                Condition::BothChecks | Condition::Other => applies = Applies::Perhaps,
            }
        }
    }
    applies
}

/// What one condition asks.
enum Condition {
    /// Whether the lab's region is among those that it takes, and whether it is the only one.
    Region {
        named: bool,
        alone: bool,
    },
    /// Tags or a VPC of the interface.
    Narrows,
    /// Either value of the source/dest check, and no other attribute.
    BothChecks,
    Other,
}

fn condition(
    operator: &str,
    key: &str,
    values: &[String],
    expected: &RoleExpectation,
) -> Condition {
    let key_is = |wanted: &str| key.eq_ignore_ascii_case(wanted);
    let named = values.contains(&expected.region);
    match operator {
        "StringEquals" if key_is("aws:RequestedRegion") || key_is("ec2:Region") => {
            Condition::Region { named, alone: values.len() == 1 }
        }
        "StringNotEquals" if named && (key_is("aws:RequestedRegion") || key_is("ec2:Region")) => {
            Condition::Region { named: false, alone: false }
        }
        "StringEquals" if key_is("ec2:Attribute/SourceDestCheck") => {
            let both = ["true", "false"].iter().all(|it| values.iter().any(|value| value == it));
            if both { Condition::BothChecks } else { Condition::Other }
        }
        _ => match part_of(operator, key, values) {
            Some(NarrowingPart::Tag(_) | NarrowingPart::Vpc(_)) => Condition::Narrows,
            None => Condition::Other,
        },
    }
}

#[derive(Clone, Copy)]
enum Case {
    Ignored,
    Counts,
}

fn matches(subject: &Subject, text: &str, case: Case) -> bool {
    let any = |patterns: &[String]| {
        patterns.iter().any(|pattern| match case {
            Case::Ignored => glob(&pattern.to_ascii_lowercase(), text),
            Case::Counts => glob(pattern, text),
        })
    };
    match subject {
        Subject::Only(patterns) => any(patterns),
        Subject::AllBut(patterns) => !any(patterns),
    }
}

/// IAM's wildcards: `*` is any text, `?` one character. Goes back to the last star only, so that
/// no pattern takes long.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    let mut star = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                // Back to the star, which takes one byte more.
                at = star_at;
                in_text = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
