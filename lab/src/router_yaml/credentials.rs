//! Where a router.yaml holds AWS credentials: routerd must never see any (hard stop 1).

use serde_yaml_ng::Value;

use super::fields::join_path;

/// The paths of what is, or is named like, an AWS credential.
pub(super) fn find_credentials(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

/// Whether a variable of an executor's environment gives it another identity than its instance's.
pub fn is_credential_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"].iter().any(|part| name.contains(part))
        || matches!(name.as_str(), "AWS_PROFILE" | "AWS_DEFAULT_PROFILE" | "AWS_CONFIG_FILE")
        || matches!(name.as_str(), "AWS_ROLE_ARN" | "HOME")
}

/// Whether a variable of routerd's own environment is one of AWS's credentials, by its name or by what
/// it holds.
pub fn is_aws_credential(name: &str, value: &str) -> bool {
    is_aws_credential_name(name) || has_access_key_id(value)
}

fn walk(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                let path = join_path(path, key.as_str().unwrap_or("?"));
                if key.as_str().is_some_and(is_aws_credential_name) {
                    found.push(path);
                } else {
                    walk(&path, value, found);
                }
            }
        }
        Value::Sequence(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(&format!("{path}[{index}]"), value, found);
            }
        }
        Value::String(text) if has_access_key_id(text) => found.push(path.to_owned()),
        _ => {}
    }
}

/// Other secrets, as a tunnel's key, are none of AWS's and have their place in router.yaml.
fn is_aws_credential_name(name: &str) -> bool {
    name.to_ascii_uppercase().starts_with("AWS_") && is_credential_name(name)
}

/// `AKIA…` or `ASIA…`, 20 characters, as a word of its own.
fn has_access_key_id(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 20
            && (word.starts_with("AKIA") || word.starts_with("ASIA"))
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}
