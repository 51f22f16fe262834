//! The checks of who asks AWS, and where.

use super::ManifestCheck;
use crate::manifest::{Manifest, RoleChoice};

pub(super) fn check_identity(check: &mut ManifestCheck, manifest: &Manifest) {
    const FIELD: &str = "identity.assume_role";
    match manifest.identity.as_ref().map(|identity| &identity.assume_role) {
        None => {}
        Some(RoleChoice::One(arn)) => check_role(check, FIELD, arn),
        Some(RoleChoice::ByAccount(table)) => {
            for (account, arn) in table {
                check_role(check, &format!("{FIELD}.{account}"), arn);
                let own = arn.split(':').nth(4) == Some(account);
                let message = format!("{arn} is a role of another account");
                check.require(own, &format!("{FIELD}.{account}"), message);
            }
        }
    }
    let urls = &manifest.endpoints;
    for (name, url) in [("ec2", &urls.ec2), ("sts", &urls.sts), ("iam", &urls.iam)] {
        let Some(url) = url else { continue };
        let message = format!("{url:?} is no URL: expected http(s)://host[:port]");
        check.require(is_url(url), &format!("endpoints.{name}"), message);
    }
}

fn check_role(check: &mut ManifestCheck, field: &str, arn: &str) {
    let expected = format!("{arn:?} is no role: expected arn:PARTITION:iam::ACCOUNT:role/NAME");
    check.require(is_role_arn(arn), field, expected);
}

/// Whether it has the form of a role's ARN, in any partition.
pub fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [head, partition, service, region, account, resource] = parts[..] else { return false };
    let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let name = resource
        .strip_prefix("role/")
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
    head == "arn"
        && partition.starts_with("aws")
        && service == "iam"
        && region.is_empty()
        && digits
        && name
}

fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(|b| b.is_ascii_graphic())
    })
}
