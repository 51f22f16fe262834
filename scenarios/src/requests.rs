//! Requests that routerd would hand to its executor: they must hold no secret (hard stop 1).

use lab::router_yaml::is_credential_name;
use serde_json::Value;

/// The first key that is named like a credential, in any of these plans or rows.
pub fn secret_in<'a>(requests: impl IntoIterator<Item = &'a Value>) -> Option<String> {
    let name = requests.into_iter().find_map(named_like_one)?;
    Some(format!("the executor would be handed `{name}`"))
}

fn named_like_one(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let own = key != "idempotencyKey" && is_credential_name(key);
            if own { Some(key.clone()) } else { named_like_one(value) }
        }),
        Value::Array(values) => values.iter().find_map(named_like_one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_is_named_like_a_credential_is_found_at_any_depth() {
        let table = [
            (json!({ "target": { "eni": "eni-1" }, "idempotencyKey": "k" }), None),
            (json!({ "secretAccessKey": "x" }), Some("secretAccessKey")),
            (json!({ "a": { "password": "x" } }), Some("password")),
            (json!([{ "a": 1 }, { "b": [{ "password": "x" }] }]), Some("password")),
            (json!("password"), None),
        ];
        for (request, expected) in table {
            let expected = expected.map(|name| format!("the executor would be handed `{name}`"));
            assert_eq!(secret_in([&json!({}), &request]), expected, "{request}");
        }
    }
}
