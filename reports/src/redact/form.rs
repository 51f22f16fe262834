//! The part of a raw answer that is kept, by its form. The digest of the bytes as they came stands
//! beside whatever was changed, so that two answers can be compared without the secrets in them.

use std::borrow::Cow;

use serde_json::json;

use super::{Redactor, service, yaml};
use crate::digest::Digest;

/// The form that a raw answer is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Whatever a command prints; JSON is recognised.
    #[default]
    Text,
    Json,
    Xml,
    Yaml,
    /// A unit as `systemctl show` describes it: of its environment the names are kept.
    Unit,
    /// Lines of `NAME=value`, of which the names are kept.
    Variables,
    /// A file that not everybody on its node may read: a digest and nothing else.
    Sealed,
}

/// The bytes that go into a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    pub bytes: Cow<'a, [u8]>,
    pub media_type: &'static str,
    /// SHA-256 of the answer as it came, where something else is kept.
    pub original: Option<Digest>,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Text | Self::Unit | Self::Variables => "text/plain",
            Self::Xml => "application/xml",
            Self::Yaml => "application/yaml",
            Self::Json | Self::Sealed => "application/json",
        }
    }
}

pub(super) fn redact_bytes<'a>(redactor: &Redactor, form: Form, bytes: &'a [u8]) -> Kept<'a> {
    let text = String::from_utf8_lossy(bytes);
    let changed = match form {
        Form::Sealed => Some(sealed(bytes)),
        Form::Yaml => yaml::redact_yaml(redactor, &text),
        Form::Unit => changed(&text, service::of_unit(redactor, &text)),
        Form::Variables => changed(&text, service::of_variables(&text)),
        Form::Text | Form::Json | Form::Xml => match redactor.text(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(other) => Some(other),
        },
    };
    let original = changed.is_some().then(|| Digest::of(bytes));
    let bytes = changed.map_or(Cow::Borrowed(bytes), |text| Cow::Owned(text.into_bytes()));
    Kept { bytes, media_type: form.media_type(), original }
}

fn changed(text: &str, kept: String) -> Option<String> {
    (kept != text).then_some(kept)
}

fn sealed(bytes: &[u8]) -> String {
    let about = json!({ "kept": "digest", "bytes": bytes.len(), "sha256": Digest::of(bytes) });
    format!("{about}\n")
}
