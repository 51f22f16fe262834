//! A writer for the flat XML of the Query protocols.

use std::fmt::{Display, Write as _};

#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    pub fn new() -> Self {
        Self::default()
    }

    /// `<name>…</name>` around what `body` writes.
    pub fn element(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.push(format_args!("<{name}>"));
        body(self);
        self.push(format_args!("</{name}>"));
    }

    /// `<name>value</name>`.
    pub fn leaf(&mut self, name: &str, value: impl Display) {
        self.element(name, |xml| xml.text(&value.to_string()));
    }

    /// A leaf where there is a value, else nothing.
    pub fn leaf_if(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    /// EC2's lists: `<name><item>…</item>…</name>`.
    pub fn items<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut body: impl FnMut(&mut Self, T),
    ) {
        self.list(name, "item", items, &mut body);
    }

    /// STS's and IAM's lists: `<name><member>…</member>…</name>`.
    pub fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut body: impl FnMut(&mut Self, T),
    ) {
        self.list(name, "member", items, &mut body);
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From what was written before.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub fn into_document(self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.0)
    }

    /// Writes the same as [`Xml::element`], with a namespace.
    pub fn root(&mut self, name: &str, namespace: &str, body: impl FnOnce(&mut Self)) {
        self.push(format_args!("<{name} xmlns=\"{namespace}\">"));
        body(self);
        self.push(format_args!("</{name}>"));
    }

    fn list<T>(
        &mut self,
        name: &str,
        item_name: &str,
        items: impl IntoIterator<Item = T>,
        body: &mut impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element(item_name, |xml| body(xml, item));
            }
        });
    }

    /// Text by itself, escaped.
    pub fn text(&mut self, text: &str) {
        self.0.push_str(&quick_xml::escape::escape(text));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.0.write_fmt(text);
    }
}
