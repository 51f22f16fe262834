//! The projection that the owner decides on: without times, request ids, power states and public
//! addresses, so that an unchanged lab has the same digest at any time.

use std::collections::BTreeMap;

use lab::Lab;
use lab::shell::HashedFile;
use reports::digest::Digest;
use reports::record::{FactsRecorded, LabIdentity};
use reports::redact::Redactor;
use serde_json::json;

use super::cloud::Cloud;
use super::nodes::Nodes;
use super::role::Role;
use super::router::Router;
use crate::baseline::{Baseline, restorable};
use crate::cloud_state::CloudState;
use crate::run::Run;

pub fn project(
    lab: &Lab,
    run: &Run,
    cloud: &Cloud,
    role: &Role,
    nodes: &Nodes,
    router: &Router,
) -> FactsRecorded {
    let manifest = &lab.manifest;
    let instances: Vec<_> = cloud
        .instances
        .iter()
        .map(|it| {
            json!({
                "instance_id": it.instance_id,
                "instance_type": it.instance_type,
                "network_interface_ids": it.network_interface_ids,
                "instance_profile": it.instance_profile,
            })
        })
        .collect();
    let mut facts = json!({
        "lab": { "kind": manifest.lab.kind, "name": manifest.lab.name },
        "account_id": manifest.aws.account_id,
        "region": manifest.aws.region,
        "vpc": cloud.vpc,
        "subnet": cloud.subnet,
        "route_table": cloud.route_table,
        "interface": restorable(&cloud.interface),
        "instances": instances,
        "captured_address": manifest.capture.address,
        "captured_address_holders": [],
        "role": {
            "name": manifest.iam.role_name,
            "documents": role.documents,
            "granted_by": role.judgement.granted_by,
            "notes": role.judgement.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "cloud_state": cloud.state.as_ref().map(CloudState::digest),
        "nodes": nodes.iter().map(|(node, it)| (*node, it.facts())).collect::<BTreeMap<_, _>>(),
        "router_yaml": { "sha256": router.yaml_digest, "policies": router.config.policies },
        "programs": router.programs,
        "rows_of_earlier_runs": router.rows,
    });
    // The digest is of what the owner is shown.
    Redactor::default().value(&mut facts);
    let identity = identity(lab, nodes);
    FactsRecorded {
        facts_digest: Digest::of_json(&facts),
        facts,
        lab_fingerprint: Digest::of_json(&json!(identity)),
        lab: identity,
        change_set: json!(run.change_set),
        programs: router.programs.clone(),
    }
}

/// Which lab it is.
fn identity(lab: &Lab, nodes: &Nodes) -> LabIdentity {
    let manifest = &lab.manifest;
    let instances = manifest.nodes.values().filter_map(|node| node.instance_id.clone());
    let keys = nodes.iter().map(|(node, it)| (node.as_str().to_owned(), it.host_key.clone()));
    LabIdentity {
        kind: manifest.lab.kind,
        account_id: manifest.aws.account_id.clone(),
        region: manifest.aws.region.clone(),
        vpc_id: manifest.aws.vpc_id.clone(),
        network_interface_id: manifest.capture.network_interface_id.clone(),
        instance_ids: instances.collect(),
        host_keys: keys.collect(),
    }
}

pub fn baseline(
    cloud: Cloud,
    nodes: Nodes,
    rows: Vec<u64>,
    programs: BTreeMap<String, HashedFile>,
) -> Baseline {
    let rulesets = nodes.iter().map(|(node, it)| (*node, it.state.ruleset.clone())).collect();
    Baseline { interface: cloud.interface, nodes, rows, cloud: cloud.state, programs, rulesets }
}
