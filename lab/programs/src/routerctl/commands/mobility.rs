//! `routerctl mobility`: what a daemon left in the database about its MobilityPools. Without a
//! daemon there is nothing but the plans that were stored.

use std::fmt::Write as _;

use serde_json::Value;

use super::{no_arguments, not_here, print, rows, usage};
use crate::routerctl::go::doc::{Doc, Fields};
use crate::routerctl::go::flags::{FlagSet, Parsed};
use crate::routerctl::go::quote::quote;
use crate::routerctl::go::table::cell;
use crate::routerctl::paths::STATE_FILE;
use crate::routerctl::store::objects::{self, Object};
use crate::routerctl::store::{Database, parts};
use crate::routerctl::{Call, Outcome};

pub fn run(call: &mut Call<'_>, args: &[String]) -> Outcome {
    let Some((subcommand, args)) = args.split_first() else {
        call.stderr.push_str(usage::MOBILITY);
        return Err("mobility requires subcommand".into());
    };
    match subcommand.as_str() {
        "owners" => owners(call, args),
        "paths" => paths(call, args),
        "traps" => traps(call, args),
        "leases" | "list" | "ownership" | "show" => Err(format!(
            "mobility {subcommand} was removed with BGP mobility; use `routerctl mobility owners`, \
             `routerctl mobility paths`, `routerctl mobility traps`, or `routerctl mobility explain`"
        )),
        "explain" | "enrollment-hmac" | "enrollment-submit" | "enrollment-revoke"
        | "leaf-config" => not_here(&format!("routerctl mobility {subcommand}")),
        "help" | "-h" | "--help" => {
            call.stdout.push_str(usage::MOBILITY);
            Ok(())
        }
        other => Err(format!("unknown mobility subcommand {}", quote(other))),
    }
}

fn options(
    call: &mut Call<'_>,
    what: &str,
    flags: &FlagSet,
    args: &[String],
) -> Result<Option<Parsed>, String> {
    let Some(options) = call.options(flags, args)? else { return Ok(None) };
    no_arguments(what, &options.rest)?;
    Ok(Some(options))
}

/// The columns of an owner's row: its key in the output, the keys of the status it may stand
/// under, and whether the table shows it.
const OWNER: [(&str, &[&str], Column); 15] = [
    ("class", &["class"], Column::Shown),
    ("ownerNode", &["ownerNode", "homeOwnerNode"], Column::Shown),
    ("ownerProviderRef", &["ownerProviderRef"], Column::Shown),
    ("ownerNICRef", &["ownerNICRef"], Column::Shown),
    ("ownerResourceRef", &["ownerResourceRef"], Column::Hidden),
    ("localEvidenceNode", &["localEvidenceNode", "localNode"], Column::Shown),
    ("localEvidenceSource", &["localEvidenceSource", "localSource"], Column::Shown),
    ("localEvidenceNICRef", &["localEvidenceNICRef", "localNICRef"], Column::Hidden),
    ("localEvidenceResourceRef", &["localEvidenceResourceRef", "localResourceRef"], Column::Hidden),
    ("captureHolderNode", &["captureHolderNode"], Column::Shown),
    ("captureDisposition", &["captureDisposition"], Column::Shown),
    ("captureReason", &["captureReason"], Column::Shown),
    ("advertiseOwnerNode", &["advertiseOwnerNode"], Column::Shown),
    ("suppressionReason", &["suppressionReason"], Column::Shown),
    ("conflictReason", &["conflictReason"], Column::Shown),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Shown,
    Hidden,
}

fn owners(call: &mut Call<'_>, args: &[String]) -> Outcome {
    let flags = FlagSet::new(
        "mobility owners",
        "Show SAM control-plane owner table state from MobilityPool status.",
        "routerctl mobility owners\n\
         routerctl mobility owners --pool cloudedge --address 10.77.60.10/32 -o json",
    )
    .text("state-file", STATE_FILE, "routerd state database file")
    .text("pool", "", "filter by MobilityPool name")
    .text("address", "", "filter by mobility address")
    .output();
    let Some(options) = options(call, "mobility owners", &flags, args)? else { return Ok(()) };
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
    let mut table = "POOL\tADDRESS\tSTATE\tCLASS\tOWNER\tOWNER_PROVIDER\tOWNER_NIC\tLOCAL_EVIDENCE\tLOCAL_SOURCE\tCAPTURE_HOLDER\tCAPTURE_DISPOSITION\tCAPTURE_REASON\tADVERTISE\tSUPPRESSION\tCONFLICT\n".to_owned();
    let mut items = Vec::new();
    for (pool, address, item) in found {
        let state = match status_text(item, "state") {
            state if state.is_empty() => "Unknown".to_owned(),
            state => state,
        };
        let mut fields = Fields::new()
            .put("pool", pool)
            .put("address", address.as_str())
            .put("state", state.as_str())
            .put("class", status_text(item, "class").as_str());
        let _ = write!(table, "{pool}\t{address}\t{}", cell(&state));
        for (key, sources, column) in &OWNER {
            let value = first_text(item, sources);
            if *key != "class" {
                fields = fields.text(key, &value);
            }
            if *column == Column::Shown {
                let _ = write!(table, "\t{}", cell(&value));
            }
        }
        table.push('\n');
        items.push(fields.done());
    }
    print(call, options.text("output"), &rows(items), &table)
}

fn is_pool(object: &Object) -> bool {
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

fn paths(call: &mut Call<'_>, args: &[String]) -> Outcome {
    let flags = FlagSet::new(
        "mobility paths",
        "Show BGP-installed mobility /32 next-hop state.",
        "routerctl mobility paths\nrouterctl mobility paths --prefix 10.77.60.10/32 -o json",
    )
    .text("state-file", STATE_FILE, "routerd state database file")
    .text("prefix", "", "filter by prefix")
    .output();
    let Some(options) = options(call, "mobility paths", &flags, args)? else { return Ok(()) };
    let all = Database::new(call.host, options.text("state-file")).read(|db| objects::list(db))?;
    let wanted = options.text("prefix").trim();
    let mut found: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for object in all.iter().filter(|object| object.kind == "BGPRouter") {
        for (prefix, hops) in object.status["installedNextHops"].as_object().into_iter().flatten() {
            let prefix = prefix.trim();
            if wanted.is_empty() || prefix == wanted {
                found.push((&object.name, prefix, next_hops(hops)));
            }
        }
    }
    found.sort();
    let mut table = "ROUTER\tPREFIX\tNEXT_HOPS\n".to_owned();
    let mut items = Vec::new();
    for (router, prefix, hops) in found {
        let _ = writeln!(table, "{router}\t{prefix}\t{}", cell(&hops.join(",")));
        let hops = hops.iter().map(|hop| hop.as_str().into()).collect();
        items.push(
            Fields::new()
                .put("router", router)
                .put("prefix", prefix)
                .put("nextHops", Doc::List(hops))
                .done(),
        );
    }
    print(call, options.text("output"), &rows(items), &table)
}

fn next_hops(value: &Value) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let mut hops: Vec<String> = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(one).collect(),
        other => vec![one(other)],
    };
    hops.retain(|hop| !hop.is_empty());
    hops.sort();
    hops.dedup();
    hops
}

fn traps(call: &mut Call<'_>, args: &[String]) -> Outcome {
    let flags = FlagSet::new(
        "mobility traps",
        "Show provider trap ActionPlans generated by MobilityPool.",
        "routerctl mobility traps\nrouterctl mobility traps --address 10.77.60.10/32 -o json",
    )
    .text("state-file", STATE_FILE, "routerd state database file")
    .text("address", "", "filter by captured address")
    .output();
    let Some(options) = options(call, "mobility traps", &flags, args)? else { return Ok(()) };
    let all = Database::new(call.host, options.text("state-file")).read(|db| parts::list(db))?;
    let wanted = options.text("address").trim();
    let mut found = Vec::new();
    for part in &all {
        for plan in part.plans().unwrap_or_default() {
            let address = plan.target("address").trim().to_owned();
            if is_trap(plan.action.trim()) && (wanted.is_empty() || address == wanted) {
                found.push((part.source.clone(), address, plan));
            }
        }
    }
    found.sort_by(|a, b| (&a.0, &a.1, &a.2.action).cmp(&(&b.0, &b.1, &b.2.action)));
    let mut table =
        "SOURCE\tACTION\tPROVIDER\tPROVIDER_REF\tNIC\tADDRESS\tIDEMPOTENCY_KEY\n".to_owned();
    let mut items = Vec::new();
    for (source, address, plan) in &found {
        let provider_ref = match plan.provider_ref.as_str() {
            "" => plan.target("providerRef"),
            provider_ref => provider_ref,
        };
        let key = plan.idempotency_key.trim();
        let nic = plan.target("nicRef");
        let _ = writeln!(
            table,
            "{source}\t{}\t{}\t{}\t{}\t{}\t{}",
            plan.action,
            cell(&plan.provider),
            cell(provider_ref),
            cell(nic),
            cell(address),
            cell(key)
        );
        items.push(
            Fields::new()
                .put("source", source.as_str())
                .put("action", plan.action.as_str())
                .text("provider", &plan.provider)
                .text("providerRef", provider_ref)
                .text("nicRef", nic)
                .text("address", address)
                .put("idempotencyKey", key)
                .done(),
        );
    }
    print(call, options.text("output"), &rows(items), &table)
}

/// Plans for route tables are not shown.
fn is_trap(action: &str) -> bool {
    matches!(
        action,
        "assign-secondary-ip"
            | "unassign-secondary-ip"
            | "ensure-forwarding-enabled"
            | "ensure-forwarding-disabled"
    )
}
