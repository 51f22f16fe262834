//! The instance metadata service, version 2 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::identify::instance_credentials;
use super::render;
use super::response::Response;
use crate::cloud::{Cloud, Instance, NetworkInterface};

/// A request to the metadata service.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// `X-aws-ec2-metadata-token`.
    pub token: Option<&'a str>,
    /// `X-aws-ec2-metadata-token-ttl-seconds`.
    pub ttl_seconds: Option<&'a str>,
}

const LONGEST_TTL_SECONDS: i64 = 21_600;

pub fn answer_query(
    cloud: &Cloud,
    instance: &Instance,
    query: &Query<'_>,
    now: DateTime<Utc>,
) -> Response {
    match (query.method, query.path) {
        ("PUT", "/latest/api/token") => issue(instance, query, now),
        ("GET", path) if !is_valid(instance, query.token, now) => {
            tracing::debug!(path, "a metadata request without a valid token is refused");
            status(401, "Unauthorized")
        }
        ("GET", path) => {
            let path = path.strip_suffix('/').unwrap_or(path);
            match look_up(cloud, instance, path, now) {
                Some(text) => Response::plain(200, text),
                None => status(404, "Not Found"),
            }
        }
        _ => status(405, "Not Allowed"),
    }
}

fn status(code: u16, title: &str) -> Response {
    Response::plain(code, format!("{code} - {title}"))
}

/// The token carries when it ends, so that nothing needs to be remembered.
fn issue(instance: &Instance, query: &Query<'_>, now: DateTime<Utc>) -> Response {
    let ttl = query.ttl_seconds.and_then(|text| text.parse::<i64>().ok());
    match ttl.filter(|ttl| (1..=LONGEST_TTL_SECONDS).contains(ttl)) {
        Some(ttl) => {
            let ends = (now + TimeDelta::seconds(ttl)).timestamp();
            Response::plain(200, URL_SAFE_NO_PAD.encode(format!("{}/{ends}", instance.id)))
                .with_header("x-aws-ec2-metadata-token-ttl-seconds", ttl.to_string())
        }
        None => status(400, "Bad Request"),
    }
}

fn is_valid(instance: &Instance, token: Option<&str>, now: DateTime<Utc>) -> bool {
    let ends = || {
        let bytes = URL_SAFE_NO_PAD.decode(token?).ok()?;
        let (id, ends) = std::str::from_utf8(&bytes).ok()?.split_once('/')?;
        (id == instance.id).then_some(ends)?.parse::<i64>().ok()
    };
    ends().is_some_and(|ends| now.timestamp() < ends)
}

fn look_up(cloud: &Cloud, instance: &Instance, path: &str, now: DateTime<Utc>) -> Option<String> {
    if path == "/latest/dynamic/instance-identity/document" {
        return Some(identity_document(cloud, instance));
    }
    let interfaces = cloud.interfaces_of(&instance.id);
    let primary = interfaces.first().copied();
    let address = primary.and_then(NetworkInterface::primary);
    match path.strip_prefix("/latest/meta-data/")? {
        "ami-id" => Some(instance.image_id.clone()),
        "hostname" | "local-hostname" => Some(render::private_dns_name(cloud, address?)),
        "iam/security-credentials" => Some(cloud.role_of(&instance.id)?.name.clone()),
        "instance-id" => Some(instance.id.clone()),
        "instance-type" => Some(instance.instance_type.clone()),
        "local-ipv4" => Some(address?.to_string()),
        "mac" => Some(primary?.mac.clone()),
        "network/interfaces/macs" => Some(
            interfaces.iter().map(|eni| format!("{}/", eni.mac)).collect::<Vec<_>>().join("\n"),
        ),
        "placement/availability-zone" => Some(instance.availability_zone.clone()),
        "placement/region" => Some(cloud.region.clone()),
        "public-ipv4" => Some(cloud.public_address_on(primary?, address?)?.to_string()),
        other => {
            if let Some(role) = other.strip_prefix("iam/security-credentials/") {
                return credentials(cloud, instance, role, now);
            }
            let (mac, item) = other.strip_prefix("network/interfaces/macs/")?.split_once('/')?;
            interface(interfaces.into_iter().find(|eni| eni.mac == mac)?, item)
        }
    }
}

fn interface(eni: &NetworkInterface, item: &str) -> Option<String> {
    match item {
        "interface-id" => Some(eni.id.clone()),
        "local-ipv4s" => {
            Some(eni.addresses().map(|a| a.to_string()).collect::<Vec<_>>().join("\n"))
        }
        "mac" => Some(eni.mac.clone()),
        "subnet-id" => Some(eni.subnet_id.clone()),
        "vpc-id" => Some(eni.vpc_id.clone()),
        _ => None,
    }
}

fn credentials(
    cloud: &Cloud,
    instance: &Instance,
    role: &str,
    now: DateTime<Utc>,
) -> Option<String> {
    if cloud.role_of(&instance.id)?.name != role {
        return None;
    }
    let credentials = instance_credentials(cloud, &instance.id, now)?;
    let document = json!({
        "Code": "Success",
        "LastUpdated": render::time_seconds(credentials.issued_at),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": render::time_seconds(credentials.expires_at),
    });
    Some(format!("{document:#}"))
}

fn identity_document(cloud: &Cloud, instance: &Instance) -> String {
    let interfaces = cloud.interfaces_of(&instance.id);
    let address = interfaces.first().and_then(|eni| eni.primary());
    let document = json!({
        "accountId": cloud.account_id,
        "architecture": "x86_64",
        "availabilityZone": instance.availability_zone,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "pendingTime": render::time_seconds(instance.launched_at),
        "privateIp": address.map(|address| address.to_string()),
        "region": cloud.region,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}
