//! The checks that a manifest must pass beyond its shape.

mod identity;
mod reach;

use std::collections::BTreeMap;

use reports::digest::Digest;
use reports::record::LabKind;
use ssh_key::PublicKey;

use super::parse::UnplacedProblem;
use super::{Ceiling, Manifest, NodeEntry};
use crate::node::Node;

pub use identity::is_role_arn;
pub use reach::{PLACEHOLDERS, find_node};

/// Everything that is wrong with the values.
pub(super) fn find_problems(manifest: &Manifest) -> Vec<UnplacedProblem> {
    let mut check = ManifestCheck { found: Vec::new() };
    check.lab(manifest);
    check.aws(manifest);
    check.routerd(manifest);
    for (node, entry) in &manifest.nodes {
        check.node(manifest.lab.kind, *node, entry);
    }
    check.nodes_together(manifest);
    check.limits(manifest);
    check.timing(manifest);
    check.consent(manifest);
    check.teardown(manifest);
    check.owner(manifest);
    reach::check_ways(&mut check, manifest);
    identity::check_identity(&mut check, manifest);
    check.found
}

struct ManifestCheck {
    found: Vec<UnplacedProblem>,
}

impl ManifestCheck {
    fn report(&mut self, field: &str, message: impl Into<String>) {
        self.found.push(UnplacedProblem {
            field: field.to_owned(),
            message: message.into(),
            span: None,
        });
    }

    fn require(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.report(field, message);
        }
    }

    fn id(&mut self, field: &str, prefix: &str, value: &str) {
        let expected = format!("{value:?} is no id: expected {prefix}- and 8 or 17 hex digits");
        self.require(is_id(prefix, value), field, expected);
    }

    /// A name that becomes a word of a command, where a dash in front would make it a flag.
    fn name(&mut self, field: &str, value: &str) {
        let expected = format!(
            "{value:?} is no name: letters, digits and . _ - are allowed, no dash in front"
        );
        self.require(is_name(value), field, expected);
    }

    fn lab(&mut self, manifest: &Manifest) {
        let lab = &manifest.lab;
        self.require(manifest.version == 1, "version", "only version 1 is known");
        self.name("lab.name", &lab.name);
        let usable = !lab.tag_key.trim().is_empty() && !lab.tag_key.starts_with("aws:");
        self.require(usable, "lab.tag_key", "empty, or one of AWS's own (aws:…)");
        self.require(!lab.tag_value.trim().is_empty(), "lab.tag_value", "empty");
    }

    fn aws(&mut self, manifest: &Manifest) {
        let (aws, capture, iam) = (&manifest.aws, &manifest.capture, &manifest.iam);
        let digits =
            aws.account_id.len() == 12 && aws.account_id.bytes().all(|b| b.is_ascii_digit());
        self.require(digits, "aws.account_id", "expected 12 digits, in quotes");
        let region = is_region(&aws.region);
        self.require(region, "aws.region", format!("{:?} is no region", aws.region));
        self.id("aws.vpc_id", "vpc", &aws.vpc_id);
        self.id("aws.subnet_id", "subnet", &aws.subnet_id);
        if let Some(vpc_id) = &manifest.onprem.vpc_id {
            self.id("onprem.vpc_id", "vpc", vpc_id);
            let onprem = [Node::OnpremRouter, Node::OnpremClient];
            let nodes = onprem.iter().filter_map(|node| manifest.nodes.get(node));
            let used = nodes.into_iter().any(|entry| entry.instance_id.is_some());
            let message = "no on-prem node has an instance_id: leave it out";
            self.require(used, "onprem.vpc_id", message);
        }
        let one = capture.address.prefix_len() == 32;
        self.require(one, "capture.address", "expected one address, a /32");
        self.id("capture.network_interface_id", "eni", &capture.network_interface_id);
        self.name("capture.provider_ref", &capture.provider_ref);
        let hops = (1..=32).contains(&capture.hops);
        self.require(hops, "capture.hops", "expected 1 to 32");
        let mtu = (576..=9001).contains(&capture.path_mtu_bytes);
        self.require(mtu, "capture.path_mtu_bytes", "expected 576 to 9001");
        self.require(
            is_iam_name(&iam.role_name),
            "iam.role_name",
            "expected a name, no ARN or path",
        );
        let profile = is_iam_name(&iam.instance_profile_name);
        self.require(profile, "iam.instance_profile_name", "expected a name, no ARN or path");
    }

    fn routerd(&mut self, manifest: &Manifest) {
        let routerd = &manifest.routerd;
        for (field, path) in [
            ("routerd.config", &routerd.config),
            ("routerd.state_file", &routerd.state_file),
            ("routerd.routerctl", &routerd.routerctl),
        ] {
            let absolute = path.starts_with('/') && !path.contains(char::is_control);
            self.require(absolute, field, "expected an absolute path on routerd-cloud");
        }
        self.name("routerd.planner", &routerd.planner);
        if let Err(error) = Digest::try_from(routerd.planner_sha256.clone()) {
            self.report("routerd.planner_sha256", error.to_string());
        }
    }

    fn node(&mut self, kind: LabKind, node: Node, entry: &NodeEntry) {
        let field = |name: &str| format!("nodes.{node}.{name}");
        self.name(&field("hostname"), &entry.hostname);
        self.name(&field("interface"), &entry.interface);
        self.name(&field("user"), &entry.user);
        let fits = entry.interface.len() <= 15;
        self.require(fits, &field("interface"), "an interface's name has at most 15 characters");
        if let Some(overlay) = &entry.overlay_interface {
            let at = field("overlay_interface");
            self.name(&at, overlay);
            let fits = overlay.len() <= 15;
            self.require(fits, &at, "an interface's name has at most 15 characters");
        }
        if let Err(error) = PublicKey::from_openssh(&entry.host_key) {
            let message = format!("no public key in OpenSSH's format: {error}");
            self.report(&field("host_key"), message);
        }
        let ssh = entry.ssh.as_deref();
        if ssh.is_some_and(|ssh| !is_ssh_target(ssh)) {
            self.report(&field("ssh"), "expected user@host or user@host:port");
        }
        if let Some(id) = &entry.instance_id {
            self.id(&field("instance_id"), "i", id);
        }
        if let Some(program) = &entry.outage_probe {
            let absolute = program.starts_with('/');
            self.require(absolute, &field("outage_probe"), "expected an absolute path");
        }
        if let Some(program) = &entry.path_probe {
            let absolute = program.starts_with('/');
            self.require(absolute, &field("path_probe"), "expected an absolute path");
        }
        if kind != LabKind::Aws {
            return;
        }
        reach::check_node(self, node, entry);
        if matches!(node, Node::RouterdCloud | Node::CloudClient) {
            let there = entry.instance_id.is_some();
            self.require(there, &field("instance_id"), "missing: this node is an EC2 instance");
        }
    }

    fn consent(&mut self, manifest: &Manifest) {
        let consent = &manifest.consent;
        self.require(
            consent.stop_instances || !consent.start_instances,
            "consent.start_instances",
            "what preflight starts has to be stopped again: set consent.stop_instances = true too",
        );
    }

    fn nodes_together(&mut self, manifest: &Manifest) {
        for node in Node::ALL {
            if !manifest.nodes.contains_key(&node) {
                self.report(&format!("nodes.{node}"), "missing: the lab has four nodes");
            }
        }
        self.distinct(manifest, "hostname", |entry| Some(entry.hostname.clone()));
        self.distinct(manifest, "address", |entry| Some(entry.address.to_string()));
        self.distinct(manifest, "instance_id", |entry| entry.instance_id.clone());
        self.distinct(manifest, "ssh", |entry| entry.ssh.clone());
        self.distinct(manifest, "host_key", |entry| {
            PublicKey::from_openssh(&entry.host_key).ok().and_then(|key| key.to_bytes().ok())
        });
        let captured = manifest.capture.address.addr();
        if let Some(client) = manifest.nodes.get(&Node::OnpremClient) {
            let message = format!("the captured address {captured} is this node's own");
            self.require(client.address == captured, "nodes.onprem-client.address", message);
        }
    }

    fn distinct<T: Ord>(
        &mut self,
        manifest: &Manifest,
        name: &str,
        value: impl Fn(&NodeEntry) -> Option<T>,
    ) {
        let mut seen = BTreeMap::new();
        for (node, entry) in &manifest.nodes {
            let Some(value) = value(entry) else { continue };
            if let Some(first) = seen.insert(value, node) {
                self.report(&format!("nodes.{node}.{name}"), format!("the same as {first}'s"));
            }
        }
    }

    fn limits(&mut self, manifest: &Manifest) {
        let limits = &manifest.limits;
        let some = limits.max_instance_seconds != Ceiling::Seconds(0);
        self.require(some, "limits.max_instance_seconds", "0 forbids every run");
        self.require(
            limits.clock_skew_ms > 0,
            "limits.clock_skew_ms",
            "no two clocks agree to 0 ms",
        );
        self.require(
            limits.guest_settle_ms > 0,
            "limits.guest_settle_ms",
            "at least 1: guests act on a new address later than that",
        );
    }

    /// What is late on AWS is waited for on AWS.
    fn timing(&mut self, manifest: &Manifest) {
        if manifest.lab.kind != LabKind::Aws || manifest.endpoints.ec2_is_on_this_machine() {
            return;
        }
        for (field, ms, least) in manifest.waits() {
            let message = format!(
                "at least {least} on AWS, where things are that late: less is for a lab whose endpoints.ec2 \
                 is http://127.0.0.1:PORT"
            );
            self.require(ms.is_none_or(|ms| ms >= least), field, message);
        }
    }

    fn teardown(&mut self, manifest: &Manifest) {
        let teardown = &manifest.teardown;
        let mut seen = BTreeMap::new();
        for (field, prefix, ids) in [
            ("teardown.release_addresses", Some("eipalloc"), &teardown.release_addresses),
            ("teardown.delete_volumes", Some("vol"), &teardown.delete_volumes),
            ("teardown.keep", None, &teardown.keep),
        ] {
            for id in ids {
                match prefix.or_else(|| id.rsplit_once('-').map(|(prefix, _)| prefix)) {
                    Some(prefix) => self.id(field, prefix, id),
                    None => self.report(field, format!("{id:?} is no id")),
                }
                if let Some(first) = seen.insert(id, field) {
                    self.report(field, format!("{id} already stands in {first}"));
                }
            }
        }
    }

    fn owner(&mut self, manifest: &Manifest) {
        let signers = &manifest.owner.allowed_signers;
        let none = signers.lines().all(|line| line.trim().is_empty() || line.starts_with('#'));
        let needed = manifest.lab.kind == LabKind::Aws;
        self.require(!(none && needed), "owner.allowed_signers", "empty: nobody could grant a go");
    }
}

fn is_id(prefix: &str, value: &str) -> bool {
    let hex = value.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    hex.is_some_and(|hex| {
        matches!(hex.len(), 8 | 17)
            && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn is_name(value: &str) -> bool {
    !value.is_empty()
        && !value.starts_with('-')
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Whether it has the form of a region, as `ap-northeast-1` or `us-gov-west-1`.
fn is_region(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2 && words.iter().all(is_word) && number.parse::<u8>().is_ok()
}

fn is_iam_name(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}

fn is_ssh_target(value: &str) -> bool {
    let Some((user, host)) = value.split_once('@') else { return false };
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => host,
        Some(_) => return false,
        None => host,
    };
    is_name(user) && is_name(host)
}
