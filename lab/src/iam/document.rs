//! Policy documents as IAM returns them: JSON, usually URL-encoded, with one or many of everything.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a policy document, by which it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum DocumentName {
    /// Part of the role itself.
    Inline(String),
    /// A managed policy's default version.
    Attached { arn: String, version: String },
    /// The default version of the policy that is the role's permissions boundary.
    Boundary { arn: String, version: String },
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(name) => write!(f, "inline {name}"),
            Self::Attached { arn, version } => write!(f, "attached {arn} {version}"),
            Self::Boundary { arn, version } => write!(f, "boundary {arn} {version}"),
        }
    }
}

/// A policy document with its text as IAM returned it: JSON, maybe percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    pub name: DocumentName,
    pub text: String,
}

/// All statements of a role's documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    pub statements: Vec<Statement>,
    /// Documents that could not be read, with the reason: they may grant anything.
    pub unreadable: Vec<(DocumentName, String)>,
}

/// A statement's `Effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyEffect {
    Allow,
    Deny,
}

/// The actions or resources that a statement is about: these, or all but these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Subject {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

/// A statement of a policy document; one action or resource is a list of one here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    pub document: DocumentName,
    pub sid: Option<String>,
    pub effect: PolicyEffect,
    pub actions: Subject,
    pub resources: Subject,
    /// Operator, key, values: as `StringEquals`, `aws:RequestedRegion`, `ap-northeast-1`.
    pub conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// A principal has no place in a role's policy.
    pub has_principal: bool,
}

impl Grants {
    /// Reads the statements of all documents. A document that cannot be read goes to `unreadable`.
    pub fn read(documents: &[PolicyDocument]) -> Self {
        let mut grants = Self::default();
        for document in documents {
            match statements(document) {
                Ok(statements) => grants.statements.extend(statements),
                Err(reason) => grants.unreadable.push((document.name.clone(), reason)),
            }
        }
        grants
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WireDocument {
    #[serde(rename = "Version")]
    _version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<WireStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WireStatement {
    sid: Option<String>,
    effect: PolicyEffect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    principal: Option<serde_json::Value>,
    not_principal: Option<serde_json::Value>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<ConditionValue>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

/// IAM takes `true` and `"true"` for the same.
#[derive(Deserialize)]
#[serde(untagged)]
enum ConditionValue {
    Text(String),
    Flag(bool),
    Number(serde_json::Number),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(values) => values,
            Self::One(value) => vec![value],
        }
    }
}

fn statements(document: &PolicyDocument) -> Result<Vec<Statement>, String> {
    let text = decoded(&document.text)?;
    let wire: WireDocument = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    wire.statement.into_vec().into_iter().map(|wire| statement(&document.name, wire)).collect()
}

fn statement(document: &DocumentName, wire: WireStatement) -> Result<Statement, String> {
    let values = |value: OneOrMany<ConditionValue>| {
        value.into_vec().into_iter().map(|value| value.to_string()).collect()
    };
    let keys = |keys: BTreeMap<String, OneOrMany<ConditionValue>>| {
        keys.into_iter().map(|(key, value)| (key, values(value))).collect()
    };
    Ok(Statement {
        document: document.clone(),
        sid: wire.sid,
        effect: wire.effect,
        actions: subject("Action", wire.action, wire.not_action)?,
        resources: subject("Resource", wire.resource, wire.not_resource)?,
        conditions: wire.condition.into_iter().map(|(operator, it)| (operator, keys(it))).collect(),
        has_principal: wire.principal.is_some() || wire.not_principal.is_some(),
    })
}

fn subject(
    name: &str,
    only: Option<OneOrMany<String>>,
    all_but: Option<OneOrMany<String>>,
) -> Result<Subject, String> {
    match (only, all_but) {
        (Some(only), None) => Ok(Subject::Only(only.into_vec())),
        (None, Some(all_but)) => Ok(Subject::AllBut(all_but.into_vec())),
        _ => Err(format!("a statement needs either {name} or Not{name}")),
    }
}

impl fmt::Display for ConditionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// IAM's documents are percent-encoded (RFC 3986: a `+` is a `+`), the SDK's may be decoded already.
fn decoded(text: &str) -> Result<String, String> {
    if !text.trim_start().starts_with('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).ok_or("a percent sign without two digits")?;
        bytes.extend(hex::decode(digits).map_err(|_| "a percent sign without two digits")?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
