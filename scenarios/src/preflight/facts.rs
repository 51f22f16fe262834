//! The projection that the owner decides on: without times, request ids, power states and public
//! addresses, so that an unchanged lab has the same digest at any time.

use std::collections::BTreeMap;

use lab::Lab;
use lab::ec2::Instance;
use lab::shell::HashedFile;
use reports::digest::Digest;
use reports::record::{
    Facts, FactsRecorded, InstanceFacts, LabFacts, LabIdentity, RoleFacts, RouterYamlFacts,
};
use reports::redact::Redactor;
use serde::Serialize;
use serde_json::{Value, json};

use super::cloud::Cloud;
use super::nodes::Nodes;
use super::role::JudgedRole;
use super::router::Router;
use crate::baseline::{Baseline, restorable_fields};
use crate::cloud_state::CloudState;
use crate::run::Run;

pub fn project(
    lab: &Lab,
    run: &Run,
    cloud: &Cloud,
    role: &JudgedRole,
    nodes: &Nodes,
    router: &Router,
) -> FactsRecorded {
    let manifest = &lab.manifest;
    let facts = Facts {
        lab: LabFacts { kind: manifest.lab.kind, name: manifest.lab.name.clone() },
        account_id: manifest.aws.account_id.clone(),
        region: manifest.aws.region.clone(),
        vpc: shown(&cloud.vpc),
        subnet: shown(&cloud.subnet),
        route_table: shown(&cloud.route_table),
        interface: shown(&restorable_fields(&cloud.interface)),
        instances: cloud.instances.iter().map(instance).collect(),
        captured_address: manifest.capture.address.to_string(),
        captured_address_holders: Vec::new(),
        role: RoleFacts {
            name: manifest.iam.role_name.clone(),
            documents: shown(&role.documents),
            granted_by: shown(&role.judgement.granted_by),
            notes: role.judgement.notes.iter().map(ToString::to_string).collect(),
        },
        cloud_state: cloud.state.as_ref().map(CloudState::digest),
        nodes: nodes.iter().map(|(node, it)| (node.to_string(), shown(&it.facts()))).collect(),
        router_yaml: RouterYamlFacts {
            sha256: router.yaml_digest.clone(),
            policies: shown(&router.config.policies),
        },
        programs: router.programs.clone(),
        rows_of_earlier_runs: router.rows.iter().map(shown).collect(),
        elsewhere: lab.elsewhere().to_vec(),
        shortened_waits: manifest.shortened_waits(),
    };
    let identity = identity(lab, nodes);
    FactsRecorded {
        facts_digest: Digest::of_json(&json!(facts)),
        facts,
        lab_fingerprint: Digest::of_json(&json!(identity)),
        lab: identity,
        change_set: json!(run.change_set),
        programs: router.programs.clone(),
    }
}

fn instance(instance: &Instance) -> InstanceFacts {
    InstanceFacts {
        instance_id: instance.instance_id.clone(),
        instance_type: instance.instance_type.clone(),
        network_interface_ids: instance.network_interface_ids.clone(),
        instance_profile: instance.instance_profile.clone(),
    }
}

/// Words of others, as the owner is shown them: the digest is of that.
fn shown(said: &impl Serialize) -> Value {
    let mut said = json!(said);
    Redactor::default().value(&mut said);
    said
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

pub fn make_baseline(
    cloud: Cloud,
    nodes: Nodes,
    rows: Vec<u64>,
    programs: BTreeMap<String, HashedFile>,
) -> Baseline {
    let rulesets = nodes.iter().map(|(node, it)| (*node, it.state.ruleset.clone())).collect();
    Baseline { interface: cloud.interface, nodes, rows, cloud: cloud.state, programs, rulesets }
}
