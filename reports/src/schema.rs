//! The JSON Schema of `evidence.json`.
