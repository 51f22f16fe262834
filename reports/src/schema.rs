//! The published JSON Schema of `evidence.json`.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::evidence::Evidence;

/// The schema's `$id`.
pub const SCHEMA_ID: &str = "https://lab-smoke.dev/schema/evidence-v6.json";

/// JSON Schema 2020-12, pretty-printed with a final newline: what `lab-smoke schema` prints and
/// `docs/` holds.
pub fn print_schema() -> String {
    format!("{:#}\n", schema_value())
}

/// The same as a value, for a validator.
pub fn schema_value() -> Value {
    // For what is written: a field that is always there is required.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Evidence>();
    schema.insert("$id".to_owned(), SCHEMA_ID.into());
    schema.insert("title".to_owned(), "lab-smoke evidence".into());
    sorted(schema.into())
}

/// Keys in one order, whatever features another crate turns on in `serde_json`.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.into_iter().collect();
            members.sort_by(|one, two| one.0.cmp(&two.0));
            let members = members.into_iter().map(|(key, member)| (key, sorted(member)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_closed_and_names_itself() {
        let schema = schema_value();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], SCHEMA_ID);
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["$defs"]["Digest"]["pattern"], "^[0-9a-f]{64}$");
        for (name, of) in schema["$defs"].as_object().expect("definitions") {
            if of["type"] == "object" {
                assert_eq!(of["additionalProperties"], false, "{name} takes unknown fields");
            }
        }
        assert_eq!(serde_json::from_str::<Value>(&schema_text()).expect("JSON"), schema);
    }

    #[test]
    fn every_field_that_is_written_is_required() {
        let schema = schema_value();
        let required = schema["required"].as_array().expect("a list").len();
        assert_eq!(required, schema["properties"].as_object().expect("an object").len());
    }

    fn schema_text() -> String {
        let text = print_schema();
        assert!(text.ends_with("}\n"));
        text
    }
}
