//! Each recorded refusal is provoked on the mock: the same HTTP status, code and text, but for the names
//! of what it is about. What the mock cannot be brought to stands on a list with the reason.

use std::path::Path;

use lab::clock::Clock;
use lab_mock::cloud::Cloud;
use lab_mock::ec2::{Headers, Response, answer_request};
use lab_mock::faults::CallerKind;
use lab_mock::world::Shared;
use serde_json::Value;

use super::{field, read_json, report};

/// How the mock is brought to a refusal: the service's action and code, what has to be so before, and
/// the request. `$id` is what the recorded text names first, between quotes.
struct Provoked {
    action: &'static str,
    code: &'static str,
    /// A part of the recorded text, where the code alone does not say which refusal it is.
    says: &'static str,
    before: fn(&mut Cloud),
    request: &'static str,
}

const fn provoked(action: &'static str, code: &'static str, request: &'static str) -> Provoked {
    Provoked { action, code, says: "", before: |_| {}, request }
}

const PROVOKED: &[Provoked] = &[
    provoked(
        "AuthorizeSecurityGroupIngress",
        "InvalidPermission.Duplicate",
        "GroupId=$group IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=22 IpPermissions.1.ToPort=22 IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0",
    ),
    provoked("CreateTags", "MissingParameter", "Tag.1.Key=a Tag.1.Value=b"),
    provoked("DeleteInternetGateway", "DependencyViolation", "InternetGatewayId=$igw"),
    provoked(
        "DeleteNetworkInterface",
        "InvalidNetworkInterfaceID.NotFound",
        "NetworkInterfaceId=$id",
    ),
    provoked("DeleteSecurityGroup", "InvalidGroup.NotFound", "GroupId=$id"),
    provoked("DeleteSubnet", "DependencyViolation", "SubnetId=$subnet"),
    provoked("DeleteSubnet", "InvalidSubnetID.NotFound", "SubnetId=$id"),
    provoked("DescribeAddresses", "InvalidAllocationID.NotFound", "AllocationId.1=$id"),
    provoked(
        "DescribeInternetGateways",
        "InvalidInternetGatewayID.NotFound",
        "InternetGatewayId.1=$id",
    ),
    provoked(
        "DescribeNetworkInterfaces",
        "InvalidNetworkInterfaceID.NotFound",
        "NetworkInterfaceId.1=$id",
    ),
    provoked("DescribeSecurityGroups", "InvalidGroup.NotFound", "GroupId.1=$id"),
    provoked("DescribeSubnets", "InvalidSubnetID.NotFound", "SubnetId.1=$id"),
    provoked("DescribeVolumes", "InvalidVolume.NotFound", "VolumeId.1=$id"),
    provoked("ReleaseAddress", "InvalidAllocationID.NotFound", "AllocationId=$id"),
    Provoked {
        before: protect_from_stop,
        ..provoked("StopInstances", "OperationNotPermitted", "InstanceId.1=$instance")
    },
    Provoked {
        says: "disableApiStop",
        before: protect_from_stop,
        ..provoked("TerminateInstances", "OperationNotPermitted", "InstanceId.1=$instance")
    },
    Provoked {
        says: "disableApiTermination",
        before: |cloud| {
            for instance in cloud.instances.values_mut() {
                instance.disable_api_termination = true;
            }
        },
        ..provoked("TerminateInstances", "OperationNotPermitted", "InstanceId.1=$instance")
    },
    provoked("GetRole", "NoSuchEntity", "RoleName=a-name"),
    provoked(
        "SimulatePrincipalPolicy",
        "NoSuchEntity",
        "PolicySourceArn=arn:aws:iam::123456789012:role/a-name ActionNames.member.1=ec2:DescribeVpcs",
    ),
    provoked("ListInstanceProfilesForRole", "NoSuchEntity", "RoleName=a-name"),
    Provoked {
        says: "was not found",
        ..provoked(
            "GetPolicy",
            "NoSuchEntity",
            "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccessDoesNotExist",
        )
    },
    Provoked {
        says: "does not exist or is not attachable",
        ..provoked(
            "GetPolicy",
            "NoSuchEntity",
            "PolicyArn=arn:aws:iam::123456789012:policy/IamCreateRoleAndCreatePolicy",
        )
    },
];

fn protect_from_stop(cloud: &mut Cloud) {
    for instance in cloud.instances.values_mut() {
        instance.disable_api_stop = true;
    }
}

/// Recorded refusals that the mock cannot be brought to, and why not: the action, and a part of the text.
const NOT_PROVOKED: &[(&str, &str, &str)] = &[
    ("DescribeLaunchTemplateVersions", "", "the mock has no launch templates"),
    ("DescribeSnapshots", "", "the mock has no snapshots"),
    ("DescribeVpcEndpointServices", "", "the mock does not list endpoint services"),
    ("DeleteGroup", "", "the mock has no groups of users"),
    ("GetGroup", "", "the mock has no groups of users"),
    ("DeleteInstanceProfile", "", "the mock unmakes no instance profiles"),
    ("RemoveRoleFromInstanceProfile", "", "the mock unmakes no instance profiles"),
    ("DeleteLoginProfile", "", "the mock has no passwords"),
    ("GetLoginProfile", "", "the mock has no passwords"),
    ("GetAccountPasswordPolicy", "", "the mock has no passwords"),
    ("DeleteRole", "", "the mock unmakes no roles"),
    ("DetachRolePolicy", "", "the mock attaches and detaches no policies"),
    ("GetCredentialReport", "", "the mock makes no credential reports"),
    ("GetOpenIDConnectProvider", "", "the mock has no identity providers"),
    ("GetSAMLProvider", "", "the mock has no identity providers"),
    ("GetServerCertificate", "", "the mock has no certificates"),
];

pub fn the_mock_refuses_likewise(folder: &Path) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for recorded in &read_json(folder, "refusals.json")? {
        let (action, message) = (field(recorded, "action"), field(recorded, "message"));
        let unable =
            NOT_PROVOKED.iter().any(|(of, says, _)| *of == action && message.contains(says));
        let how = PROVOKED.iter().find(|how| {
            how.action == action
                && how.code == field(recorded, "code")
                && message.contains(how.says)
        });
        let judged = match (how, unable) {
            (Some(how), false) => runtime.block_on(is_alike(how, recorded)),
            (None, true) => Ok(()),
            (None, false) => Err("nobody provokes it, and no reason says why not".to_owned()),
            (Some(_), true) => Err("it is provoked, and on the list of what is not".to_owned()),
        };
        if let Err(why) = judged {
            wrong.push(format!("{action}, {message}: {why}"));
        }
    }
    report(&wrong)
}

async fn is_alike(how: &Provoked, recorded: &Value) -> Result<(), String> {
    let clock = Clock::System;
    let mut world = lab_mock::world_of(7, clock.now());
    (how.before)(&mut world.cloud);
    let service = field(recorded, "service");
    let body = form(how, &world.cloud, recorded);
    let key = world.cloud.operator.access_key_id.clone();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
        world.cloud.region
    );
    let headers = Headers { authorization: Some(&authorization), security_token: None };
    let shared = Shared::new(world);
    let answer =
        answer_request(&shared, clock, CallerKind::Operator, headers, body.as_bytes()).await;
    let Response { status, body, .. } = answer.map_err(|_| "no answer".to_owned())?;
    let text = String::from_utf8_lossy(&body);
    let said = |name: &str| inside(&text, name).unwrap_or_default();
    let ours = (u64::from(status), said("Code"), without_names(&said("Message")));
    let theirs = (
        recorded["status"].as_u64().unwrap_or_default(),
        field(recorded, "code"),
        without_names(&field(recorded, "message")),
    );
    if ours == theirs { Ok(()) } else { Err(format!("the mock says {ours:?}, AWS {theirs:?}")) }
}

fn form(how: &Provoked, cloud: &Cloud, recorded: &Value) -> String {
    let message = field(recorded, "message");
    let quoted = message.split('\'').nth(1).unwrap_or_default().to_owned();
    let eni = cloud.network_interfaces.values().find(|eni| eni.instance_id.is_some());
    let of_eni = |what: fn(&lab_mock::cloud::NetworkInterface) -> Option<String>| {
        eni.and_then(what).unwrap_or_default()
    };
    let names = [
        ("$id", quoted),
        ("$instance", of_eni(|eni| eni.instance_id.clone())),
        ("$subnet", of_eni(|eni| Some(eni.subnet_id.clone()))),
        ("$group", of_eni(|eni| eni.groups.first().cloned())),
        ("$igw", cloud.internet_gateways.keys().next().cloned().unwrap_or_default()),
    ];
    let version = if field(recorded, "service") == "iam" { "2010-05-08" } else { "2016-11-15" };
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("Action", how.action).append_pair("Version", version);
    for word in how.request.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let known = names.iter().find(|(name, _)| *name == value);
        body.append_pair(name, known.map_or(value, |(_, id)| id));
    }
    body.finish()
}

/// The text in the first element of that name, with XML's escapes undone.
fn inside(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let raw = rest.split_once(&format!("</{name}>"))?.0;
    let plain = [("&quot;", "\""), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(plain.iter().fold(raw.to_owned(), |text, (from, to)| text.replace(from, to)))
}

/// Ids are AWS's on the one side and the mock's on the other.
fn without_names(message: &str) -> String {
    let is_id = |word: &str| {
        word.split_once('-').is_some_and(|(kind, digits)| {
            let hex = |digits: &str| {
                digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            };
            kind.bytes().all(|byte| byte.is_ascii_lowercase()) && hex(digits)
        })
    };
    let shown = |part: &str| if is_id(part) { "ID".to_owned() } else { part.to_owned() };
    message.split('\'').map(shown).collect::<Vec<_>>().join("'")
}
