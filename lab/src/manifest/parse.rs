//! From the manifest's text to a manifest, or to all of its problems with their places.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as KeyError, StrDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Manifest, check};
use crate::node::Node;

/// Why a manifest can't be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    pub file: String,
    /// Never empty; in the text's order.
    pub problems: Vec<Problem>,
}

/// A mistake in a manifest, with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The field's path, as `nodes.routerd-cloud.host_key`; empty where the text is no TOML.
    pub field: String,
    pub message: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let Problem { line, column, field, message } = problem;
            write!(f, "{}:{line}:{column}: ", self.file)?;
            if !field.is_empty() {
                write!(f, "{field}: ")?;
            }
            f.write_str(message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

/// A problem before its place is known as line and column.
pub(super) struct UnplacedProblem {
    pub field: String,
    pub message: String,
    /// Where it is, if that is not where the field is.
    pub span: Option<Range<usize>>,
}

impl Manifest {
    /// `file_name` is only for the errors.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, ManifestError> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let outcome = if errors.is_empty() {
            let place = |found: UnplacedProblem| placed(text, &table, found);
            read(&table).map_err(|found| found.into_iter().map(place).collect())
        } else {
            Err(errors.iter().map(|error| syntax(text, error)).collect())
        };
        outcome.map_err(|mut problems: Vec<Problem>| {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            ManifestError { file: file_name.to_owned(), problems }
        })
    }

    /// Does as [`parse`](Self::parse) does, from a file's bytes: what is no UTF-8 is a problem with its
    /// place.
    pub fn parse_bytes(file_name: &str, bytes: &[u8]) -> Result<Self, ManifestError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(file_name, text),
            Err(error) => Err(ManifestError {
                file: file_name.to_owned(),
                problems: vec![not_utf8(bytes, error.valid_up_to())],
            }),
        }
    }

    /// The manifest as text that parses back to an equal one.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

fn read(table: &Spanned<DeTable<'_>>) -> Result<Manifest, Vec<UnplacedProblem>> {
    let mut sections = Sections { table, found: Vec::new() };
    let manifest = sections.manifest();
    let mut found = sections.found;
    match manifest {
        Some(manifest) if found.is_empty() => {
            found = check::find_problems(&manifest);
            if found.is_empty() { Ok(manifest) } else { Err(found) }
        }
        _ => Err(found),
    }
}

/// Reads each section by itself, so that a mistake in one does not hide those in another.
struct Sections<'a> {
    table: &'a Spanned<DeTable<'a>>,
    found: Vec<UnplacedProblem>,
}

const SECTIONS: [&str; 15] = [
    "version",
    "lab",
    "aws",
    "onprem",
    "capture",
    "iam",
    "routerd",
    "nodes",
    "limits",
    "consent",
    "teardown",
    "owner",
    "identity",
    "endpoints",
    "timing",
];

impl<'a> Sections<'a> {
    fn manifest(&mut self) -> Option<Manifest> {
        for (key, _) in self.table.get_ref() {
            let name = key.get_ref().as_ref();
            if !SECTIONS.contains(&name) {
                let message = format!("unknown field, expected one of {}", SECTIONS.join(", "));
                self.report(name.to_owned(), message, Some(key.span()));
            }
        }
        // All are read before the first that is missing ends it.
        let (version, lab, aws) =
            (self.section("version"), self.section("lab"), self.section("aws"));
        let onprem = self.optional("onprem").unwrap_or_default();
        let (capture, iam, routerd) =
            (self.section("capture"), self.section("iam"), self.section("routerd"));
        let (nodes, limits, consent) =
            (self.nodes(), self.section("limits"), self.section("consent"));
        let (teardown, owner) = (self.section("teardown"), self.section("owner"));
        let (identity, endpoints) = (self.optional("identity"), self.optional("endpoints"));
        let timing = self.optional("timing").unwrap_or_default();
        Some(Manifest {
            version: version?,
            lab: lab?,
            aws: aws?,
            onprem,
            capture: capture?,
            iam: iam?,
            routerd: routerd?,
            nodes: nodes?,
            limits: limits?,
            consent: consent?,
            teardown: teardown?,
            owner: owner?,
            identity,
            endpoints: endpoints.unwrap_or_default(),
            timing,
        })
    }

    fn section<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.value(name)?;
        self.decode(name, value)
    }

    /// One that may be left out.
    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.table.get_ref().get(name)?;
        self.decode(name, value)
    }

    fn nodes(&mut self) -> Option<BTreeMap<Node, super::NodeEntry>> {
        let value = self.value("nodes")?;
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("expected a table, found {}", value.get_ref().type_str());
            self.report("nodes".to_owned(), message, Some(value.span()));
            return None;
        };
        let mut nodes = BTreeMap::new();
        for (key, value) in table {
            let path = format!("nodes.{}", key.get_ref());
            match Node::deserialize(StrDeserializer::<KeyError>::new(key.get_ref())) {
                Ok(node) => {
                    if let Some(entry) = self.decode(&path, value) {
                        nodes.insert(node, entry);
                    }
                }
                Err(error) => self.report(path, error.to_string(), Some(key.span())),
            }
        }
        Some(nodes)
    }

    fn value(&mut self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.table.get_ref().get(name);
        if value.is_none() {
            self.report(name.to_owned(), "missing".to_owned(), None);
        }
        value
    }

    fn decode<T: DeserializeOwned>(
        &mut self,
        path: &str,
        value: &Spanned<DeValue<'a>>,
    ) -> Option<T> {
        let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(section) => return Some(section),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| value.span());
        // serde names a missing field in its text alone: its place is the section's.
        let field = match error.message().strip_prefix("missing field `") {
            Some(rest) => format!("{path}.{}", rest.trim_end_matches('`')),
            None => format!("{path}{}", path_at(value.get_ref(), &span)),
        };
        self.report(field, error.message().to_owned(), Some(span));
        None
    }

    fn report(&mut self, field: String, message: String, span: Option<Range<usize>>) {
        self.found.push(UnplacedProblem { field, message, span });
    }
}

/// The path, with a leading dot, of the key or value inside `value` that covers `span`.
fn path_at(value: &DeValue<'_>, span: &Range<usize>) -> String {
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let Some(table) = value.as_table() else { return String::new() };
    for (key, inner) in table {
        if covers(key.span()) || covers(inner.span()) {
            return format!(".{}{}", key.get_ref(), path_at(inner.get_ref(), span));
        }
    }
    String::new()
}

fn placed(text: &str, table: &Spanned<DeTable<'_>>, found: UnplacedProblem) -> Problem {
    let span = found.span.unwrap_or_else(|| span_of(table, &found.field));
    let (line, column) = line_and_column(text, span.start);
    Problem { line, column, field: found.field, message: found.message }
}

/// The place of a field, or of the nearest thing around it that is there.
fn span_of(table: &Spanned<DeTable<'_>>, field: &str) -> Range<usize> {
    let mut inner = table.get_ref();
    let mut span = 0..0;
    for name in field.split('.') {
        let Some(value) = inner.get(name) else { break };
        span = value.span();
        let Some(next) = value.get_ref().as_table() else { break };
        inner = next;
    }
    span
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
    Problem { line, column, field: String::new(), message: error.message().to_owned() }
}

/// The byte at `offset` ends what is UTF-8.
fn not_utf8(bytes: &[u8], offset: usize) -> Problem {
    let valid = String::from_utf8_lossy(&bytes[..offset]);
    let (line, column) = line_and_column(&valid, valid.len());
    let byte = bytes.get(offset).copied().unwrap_or_default();
    let message = format!("byte {byte:#04x} at offset {offset} is not UTF-8");
    Problem { line, column, field: String::new(), message }
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
