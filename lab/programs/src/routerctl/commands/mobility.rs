//! `routerctl mobility`: what a daemon left in the database about its MobilityPools. Without a
//! daemon there is nothing but the plans that were stored.

use serde_json::Value;

use super::{no_arguments, not_here, print_json, rows};
use crate::routerctl::go::doc::DocMap;
use crate::routerctl::go::flags::FlagSet;
use crate::routerctl::paths::STATE_FILE;
use crate::routerctl::store::Database;
use crate::routerctl::store::objects::{self, StoredObject};
use crate::routerctl::{CommandResult, RouterctlCall};
use lab::golang::quote;

pub fn run(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let Some((subcommand, args)) = args.split_first() else {
        return Err("mobility requires subcommand".into());
    };
    match subcommand.as_str() {
        "owners" => owners(call, args),
        "paths" | "traps" | "explain" | "enrollment-hmac" | "enrollment-submit"
        | "enrollment-revoke" | "leaf-config" => {
            not_here(&format!("routerctl mobility {subcommand}"))
        }
        other => Err(format!("unknown mobility subcommand {}", quote(other))),
    }
}

/// The fields of an owner's row beside its class: the key of each in the output, and the keys of
/// the status that it may stand under.
const OWNER: [(&str, &[&str]); 14] = [
    ("ownerNode", &["ownerNode", "homeOwnerNode"]),
    ("ownerProviderRef", &["ownerProviderRef"]),
    ("ownerNICRef", &["ownerNICRef"]),
    ("ownerResourceRef", &["ownerResourceRef"]),
    ("localEvidenceNode", &["localEvidenceNode", "localNode"]),
    ("localEvidenceSource", &["localEvidenceSource", "localSource"]),
    ("localEvidenceNICRef", &["localEvidenceNICRef", "localNICRef"]),
    ("localEvidenceResourceRef", &["localEvidenceResourceRef", "localResourceRef"]),
    ("captureHolderNode", &["captureHolderNode"]),
    ("captureDisposition", &["captureDisposition"]),
    ("captureReason", &["captureReason"]),
    ("advertiseOwnerNode", &["advertiseOwnerNode"]),
    ("suppressionReason", &["suppressionReason"]),
    ("conflictReason", &["conflictReason"]),
];

fn owners(call: &mut RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let flags =
        FlagSet::new().text("state-file", STATE_FILE).text("pool", "").text("address", "").output();
    let options = flags.parse(args)?;
    no_arguments("mobility owners", &options.rest)?;
    let all = Database::new(call.host, options.text("state-file")).read(|db| objects::list(db))?;
    let (pool, address) = (options.text("pool").trim(), options.text("address").trim());
    let mut found: Vec<(&str, String, &Value)> = all
        .iter()
        .filter(|object| is_pool(object) && (pool.is_empty() || object.name == pool))
        .flat_map(|object| {
            let table = &object.status["ownershipResolverControlPlaneOwnerTable"];
            let items = table.as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().map(|item| (object.name.as_str(), status_text(item, "address"), item))
        })
        .filter(|(_, at, _)| address.is_empty() || at == address)
        .collect();
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut items = Vec::new();
    for (pool, address, item) in found {
        let state = match status_text(item, "state") {
            state if state.is_empty() => "Unknown".to_owned(),
            state => state,
        };
        let mut fields = DocMap::new()
            .put("pool", pool)
            .put("address", address.as_str())
            .put("state", state.as_str())
            .put("class", status_text(item, "class").as_str());
        for (key, sources) in &OWNER {
            fields = fields.text(key, &first_text(item, sources));
        }
        items.push(fields.done());
    }
    print_json(call, "mobility owners", options.text("output"), &rows(items))
}

fn is_pool(object: &StoredObject) -> bool {
    object.api_version == "mobility.routerd.net/v1alpha1" && object.kind == "MobilityPool"
}

fn first_text(item: &Value, keys: &[&str]) -> String {
    keys.iter().map(|key| status_text(item, key)).find(|text| !text.is_empty()).unwrap_or_default()
}

fn status_text(item: &Value, key: &str) -> String {
    match &item[key] {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}
