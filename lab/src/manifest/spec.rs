//! Shows what a manifest may say, and how its mistakes are told.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

/// The problems of the example after one replacement, as `line:column field: message`.
fn problems_after(from: &str, to: &str) -> Vec<Problem> {
    assert!(example_manifest().contains(from), "{from:?} is not in the example");
    match Manifest::parse("lab.toml", &example_manifest().replacen(from, to, 1)) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems,
    }
}

/// As the example has it, with the comment between them.
const STOPS_AND_DOES_NOT_START: &str = "stop_instances = true\n# Preflight may start what it finds \
    stopped: not where it is left out.\nstart_instances = false\n";

#[test]
fn the_example_has_no_problem() {
    let manifest =
        Manifest::parse("example.toml", example_manifest()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(manifest.nodes.len(), 4);
    assert_eq!(manifest.limits.max_instance_seconds, Ceiling::Seconds(14400));
}

#[test]
fn a_manifest_written_as_text_parses_back_equal() {
    for ceiling in ["14400", "\"none\""] {
        let text = example_manifest().replace("14400", ceiling);
        let manifest = Manifest::parse("a", &text).unwrap_or_else(|e| panic!("{e}"));
        let written = manifest.to_toml().unwrap();
        assert_eq!(Manifest::parse("b", &written).unwrap_or_else(|e| panic!("{e}")), manifest);
    }
}

/// A manifest that says nothing of the on-prem side's VPC is as valid as before, and all of it is in one.
#[test]
fn on_prem_nodes_may_be_in_a_vpc_of_their_own() {
    let section = "[onprem]\nvpc_id = \"vpc-0fedcba9876543210\"\n\n[capture]";
    let instance = "[nodes.onprem-router]\ninstance_id = \"i-0aa0000000000000a\"";
    let with = |text: &str| text.replacen("[nodes.onprem-router]", instance, 1);
    let apart = with(&example_manifest().replacen("[capture]", section, 1));
    let own = "vpc-0123456789abcdef0";
    for (text, expected) in
        [(apart, Some("vpc-0fedcba9876543210")), (with(example_manifest()), None)]
    {
        let manifest = Manifest::parse("a", &text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(manifest.vpc_ids(), (own, expected));
        let vpc = |id: &str| manifest.vpc_of_instance(id).to_owned();
        assert_eq!(vpc("i-0aa0000000000000a"), expected.unwrap_or(own));
        assert_eq!([vpc("i-0a1b2c3d4e5f60718"), vpc("i-00000000000000009")], [own, own]);
        let written = manifest.to_toml().unwrap();
        assert_eq!(Manifest::parse("b", &written).unwrap_or_else(|e| panic!("{e}")), manifest);
    }
    let problems = problems_after("[capture]", section);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].field, "onprem.vpc_id");
}

#[test]
fn each_defect_is_found_at_its_field() {
    let table = [
        // Shape.
        ("version = 1", "version = \"1\"", "version", "expected u32"),
        ("version = 1", "version = 1\nsurprise = 2", "surprise", "unknown field"),
        ("kind = \"aws\"", "kind = \"gcp\"", "lab.kind", "unknown variant `gcp`"),
        ("tag_key = ", "tag_kye = ", "lab.tag_kye", "unknown field `tag_kye`"),
        ("region = \"ap-northeast-1\"\n", "", "aws.region", "missing field `region`"),
        (
            "allow_reassignment = false",
            "allow_reassignment = 0",
            "capture.allow_reassignment",
            "expected a boolean",
        ),
        ("address = \"10.88.60.9/32\"", "address = \"10.88.60.9\"", "capture.address", "invalid"),
        ("[nodes.cloud-client]", "[nodes.cloud-cleint]", "nodes.cloud-cleint", "unknown variant"),
        ("max_instance_seconds = 14400\n", "", "limits.max_instance_seconds", "missing field"),
        (
            "max_instance_seconds = 14400",
            "max_instance_seconds = \"lots\"",
            "limits.max_instance_seconds",
            "\"none\"",
        ),
        (
            "max_instance_seconds = 14400",
            "max_instance_seconds = -1",
            "limits.max_instance_seconds",
            "a number of seconds",
        ),
        ("[consent]\n", "[consetn]\n", "consent", "missing"),
        (
            "stop_instances = true",
            "stop_instances = \"yes\"",
            "consent.stop_instances",
            "expected a boolean",
        ),
        (
            "instances = \"stop\"",
            "instances = \"hibernate\"",
            "teardown.instances",
            "unknown variant",
        ),
        (
            "start_instances = false",
            "start_instances = 1",
            "consent.start_instances",
            "expected a boolean",
        ),
        // Values.
        (
            STOPS_AND_DOES_NOT_START,
            "stop_instances = false\nstart_instances = true\n",
            "consent.start_instances",
            "has to be stopped again",
        ),
        ("version = 1", "version = 2", "version", "only version 1"),
        ("account_id = \"123456789012\"", "account_id = \"1234\"", "aws.account_id", "12 digits"),
        ("region = \"ap-northeast-1\"", "region = \"tokyo\"", "aws.region", "no region"),
        ("vpc-0123456789abcdef0", "vpc-0123", "aws.vpc_id", "8 or 17 hex"),
        (
            "eni-0a1b2c3d4e5f60718",
            "eni-0A1B2C3D4E5F60718",
            "capture.network_interface_id",
            "8 or 17 hex",
        ),
        ("10.88.60.9/32", "10.88.60.0/24", "capture.address", "a /32"),
        (
            "role_name = \"lab",
            "role_name = \"arn:aws:iam::123456789012:role/lab",
            "iam.role_name",
            "no ARN",
        ),
        ("state_file = \"/var", "state_file = \"var", "routerd.state_file", "absolute"),
        (
            "planner = \"lab-planner\"",
            "planner = \"--dry-run\"",
            "routerd.planner",
            "no dash in front",
        ),
        (
            "planner_sha256 = \"9f",
            "planner_sha256 = \"9F",
            "routerd.planner_sha256",
            "64 lower-case hexadecimal digits",
        ),
        (
            "instance_id = \"i-0c11e0000000000c7\"\n",
            "",
            "nodes.cloud-client.instance_id",
            "missing",
        ),
        (
            "instance_id = \"i-0c11e0000000000c7\"",
            "instance_id = \"c7\"",
            "nodes.cloud-client.instance_id",
            "8 or 17 hex",
        ),
        (
            "instance_id = \"i-0c11e0000000000c7\"",
            "instance_id = \"i-0a1b2c3d4e5f60718\"",
            "nodes.cloud-client.instance_id",
            "the same as routerd-cloud's",
        ),
        ("AAAAID7b2xr", "AAAAID7b2x", "nodes.routerd-cloud.host_key", "no public key"),
        ("ssh = \"ubuntu@192.0.2.4\"\n", "", "nodes.routerd-cloud.reach", "missing"),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "ssh = \"192.0.2.4\"",
            "nodes.routerd-cloud.ssh",
            "user@host",
        ),
        ("ssh = \"ubuntu@192.0.2.4\"", "reach = \"near\"", "nodes.routerd-cloud.reach", "variant"),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "reach = \"public\"\nport = 0",
            "nodes.routerd-cloud.port",
            "1 to 65535",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "ssh = \"ubuntu@192.0.2.4\"\nreach = \"private\"",
            "nodes.routerd-cloud.ssh",
            "EC2's to tell",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "ssh = \"ubuntu@192.0.2.4\"\nport = 22",
            "nodes.routerd-cloud.port",
            "leave one",
        ),
        (
            "ssh = \"lab@198.51.100.9\"",
            "reach = \"public\"",
            "nodes.onprem-client.reach",
            "without instance_id",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "reach = \"fixed\"\njump = [\"nowhere\"]",
            "nodes.routerd-cloud.jump",
            "neither a node",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "reach = \"fixed\"\njump = [\"routerd-cloud\"]",
            "nodes.routerd-cloud.jump",
            "through routerd-cloud itself",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "reach = \"fixed\"\njump = [\"a@b.example\"]\nproxy = [\"nc\"]",
            "nodes.routerd-cloud.proxy",
            "one of them",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "reach = \"fixed\"\nproxy = [\"nc\", \"{host}\"]",
            "nodes.routerd-cloud.proxy",
            "only {instance_id}",
        ),
        (
            "ssh = \"lab@198.51.100.9\"",
            "reach = \"fixed\"\nproxy = [\"{instance_id}\"]",
            "nodes.onprem-client.proxy",
            "no instance_id",
        ),
        (
            "ssh = \"ubuntu@192.0.2.4\"",
            "reach = \"fixed\"\nidentity_file = '\"'",
            "nodes.routerd-cloud.identity_file",
            "without quotes",
        ),
        ("[owner]", "[identity]\nassume_role = \"me\"\n[owner]", "identity.assume_role", "no role"),
        (
            "[owner]",
            "[identity.assume_role]\n210987654321 = \"arn:aws:iam::123456789012:role/r\"\n[owner]",
            "identity.assume_role.210987654321",
            "another account",
        ),
        ("[owner]", "[endpoints]\nec2 = \"localhost\"\n[owner]", "endpoints.ec2", "no URL"),
        ("[owner]", "[endpoints]\ns3 = \"http://a\"\n[owner]", "endpoints.s3", "unknown field"),
        (
            "address = \"10.88.60.9\"",
            "address = \"10.88.60.10\"",
            "nodes.onprem-client.address",
            "captured address",
        ),
        (
            "address = \"10.88.60.1\"",
            "address = \"10.88.60.4\"",
            "nodes.onprem-router.address",
            "the same as routerd-cloud's",
        ),
        ("hops = 2", "hops = 0", "capture.hops", "1 to 32"),
        ("mtu_bytes = 1420", "mtu_bytes = 100", "capture.path_mtu_bytes", "576 to 9001"),
        (
            "overlay_interface = \"wg-hybrid\"",
            "overlay_interface = \"an-overlay-of-wireguard\"",
            "nodes.routerd-cloud.overlay_interface",
            "at most 15 characters",
        ),
        ("clock_skew_ms = 2000", "clock_skew_ms = 0", "limits.clock_skew_ms", "clocks"),
        (
            "hostname = \"cloud-client\"",
            "hostname = \"cloud-client\"\noutage_probe = \"outage-probe\"",
            "nodes.cloud-client.outage_probe",
            "absolute",
        ),
        (
            "hostname = \"cloud-client\"",
            "hostname = \"cloud-client\"\npath_probe = \"outage-probe\"",
            "nodes.cloud-client.path_probe",
            "absolute",
        ),
        (
            "guest_settle_ms = 10000",
            "guest_settle_ms = 9999",
            "limits.guest_settle_ms",
            "at least 10000",
        ),
        ("[owner]", "[timing]\nlook_again_ms = 9999\n[owner]", "timing.look_again_ms", "10000"),
        ("[owner]", "[timing]\ndaemon_rounds_ms = 0\n[owner]", "timing.daemon_rounds_ms", "12000"),
        ("[owner]", "[timing]\nboot_ms = 1\n[owner]", "timing.boot_ms", "unknown field"),
        (
            "[owner]",
            "[timing]\nlook_again_ms = 1\n[endpoints]\nec2 = \"http://127.0.0.1:1@ec2.eu-west-1.amazonaws.com\"\n[owner]",
            "timing.look_again_ms",
            "endpoints.ec2",
        ),
        (
            "release_addresses = []",
            "release_addresses = [\"192.0.2.1\"]",
            "teardown.release_addresses",
            "eipalloc-",
        ),
        (
            "keep = []",
            "keep = [\"vol-01234567\", \"vol-01234567\"]",
            "teardown.keep",
            "already stands",
        ),
        ("owner@example.org", "# owner@example.org", "owner.allowed_signers", "nobody could grant"),
    ];
    for (from, to, field, message) in table {
        let problems = problems_after(from, to);
        let hit = problems.iter().any(|p| p.field == field && p.message.contains(message));
        assert!(hit, "{from:?} -> {to:?}: no {field:?} with {message:?} in {problems:#?}");
    }
}

#[test]
fn a_problem_has_its_line_and_column() {
    let line_of = |needle: &str| {
        example_manifest()[..example_manifest().find(needle).unwrap()].matches('\n').count() + 1
    };
    let table = [
        ("account_id = \"123456789012\"", "account_id = \"1234\"", line_of("account_id"), 14),
        ("tag_key = ", "tag_kye = ", line_of("tag_key = "), 1),
        ("stop_instances = true", "stop_instances = \"yes\"", line_of("stop_instances = true"), 18),
        ("region = \"ap-northeast-1\"\n", "", line_of("[aws]"), 1),
        ("ssh = \"ubuntu@192.0.2.4\"\n", "", line_of("[nodes.routerd-cloud]"), 1),
        ("stop_instances = true", "stop_instances = yes", line_of("stop_instances = true"), 18),
    ];
    for (from, to, line, column) in table {
        let problems = problems_after(from, to);
        let places: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
        assert!(
            places.contains(&(line, column)),
            "{to:?}: ({line}, {column}) not in {problems:#?}"
        );
    }
}

#[test]
fn mistakes_in_several_sections_are_told_at_once_in_the_texts_order() {
    let text = example_manifest()
        .replace("region = \"ap-northeast-1\"\n", "")
        .replace("kind = \"aws\"", "kind = \"azure\"")
        .replace("user = \"lab\"", "usr = \"lab\"");
    let error = Manifest::parse("lab.toml", &text).unwrap_err();
    let fields: Vec<_> = error.problems.iter().map(|p| p.field.as_str()).collect();
    assert_eq!(
        fields,
        ["lab.kind", "aws.region", "nodes.onprem-router.usr", "nodes.onprem-client.usr"]
    );
    assert!(
        error.to_string().starts_with("lab.toml:5:8: lab.kind: unknown variant `azure`"),
        "{error}"
    );
}

#[test]
fn a_lab_that_is_not_aws_needs_no_instances_and_no_signers() {
    let text = example_manifest()
        .replace("kind = \"aws\"", "kind = \"netns\"")
        .replace("instance_id = \"i-0c11e0000000000c7\"\n", "")
        .replace("owner@example.org", "# owner@example.org");
    assert!(Manifest::parse("lab.toml", &text).is_ok());
}

/// A lab that is surely not AWS is asked sooner, and says so.
#[test]
fn only_what_is_not_aws_waits_for_less() {
    let short = "[timing]\nlook_again_ms = 200\ndaemon_rounds_ms = 0\n";
    let elsewhere = "[endpoints]\nec2 = \"http://127.0.0.1:4566\"\n";
    let text = example_manifest()
        .replace("guest_settle_ms = 10000", "guest_settle_ms = 750")
        .replace("[owner]", &format!("{short}{elsewhere}[owner]"));
    let manifest = Manifest::parse("lab.toml", &text).unwrap();
    let said: Vec<_> = manifest.shortened_waits().into_iter().collect();
    let expected = [
        ("limits.guest_settle_ms", 750),
        ("timing.daemon_rounds_ms", 0),
        ("timing.look_again_ms", 200),
    ];
    assert_eq!(said, expected.map(|(field, ms)| (field.to_owned(), ms)));
    let text = manifest.to_toml().unwrap();
    assert_eq!(Manifest::parse("again.toml", &text).unwrap(), manifest);
    let longer = "[timing]\nlook_again_ms = 10000\ndaemon_rounds_ms = 30000\n[owner]";
    let longer = example_manifest().replace("[owner]", longer);
    let longer = Manifest::parse("lab.toml", &longer).unwrap();
    assert!(longer.shortened_waits().is_empty());
}

#[test]
fn every_node_is_needed() {
    let start = example_manifest().find("[nodes.onprem-router]").unwrap();
    let end = example_manifest().find("# The captured address is really").unwrap();
    let text = format!("{}{}", &example_manifest()[..start], &example_manifest()[end..]);
    let error = Manifest::parse("lab.toml", &text).unwrap_err();
    assert_eq!(error.problems.len(), 1);
    assert_eq!(error.problems[0].field, "nodes.onprem-router");
}

#[test]
fn what_is_no_utf8_is_told_with_its_line_and_its_byte() {
    let line = example_manifest().lines().position(|line| line.starts_with("name = ")).unwrap() + 1;
    let start = example_manifest().find("\nname = \"").unwrap() + "\nname = \"".len();
    let mut bytes = example_manifest().as_bytes().to_vec();
    // A character of two bytes before it is one column.
    bytes.splice(start..start, [0xc3, 0xa9, 0xff]);
    let error = Manifest::parse_bytes("lab.toml", &bytes).unwrap_err();
    let offset = start + 2;
    let expected = format!("lab.toml:{line}:10: byte 0xff at offset {offset} is not UTF-8");
    assert_eq!(error.to_string(), expected);
    assert!(Manifest::parse_bytes("lab.toml", example_manifest().as_bytes()).is_ok());
}
