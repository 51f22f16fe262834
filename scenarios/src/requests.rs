//! What routerd would hand to its executor: it must hold no secret (hard stop 1).

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
