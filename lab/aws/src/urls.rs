//! Where EC2, STS and IAM are asked: at the partition's own endpoints, or where the manifest or the
//! environment says. What is not the partition's own is not AWS, and the owner is told.

use lab::ec2::ServiceUrls;
use lab::manifest::Manifest;
use reports::record::AskedElsewhere;

use crate::chain::Environment;

/// The manifest's, else the environment's as the SDKs know it.
pub fn choose_urls(manifest: &Manifest, environment: Environment<'_>) -> ServiceUrls {
    let section = &manifest.endpoints;
    let pick = |of_manifest: &Option<String>, name: &str| {
        let variable = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        of_manifest.clone().or_else(|| variable(name)).or_else(|| variable("AWS_ENDPOINT_URL"))
    };
    ServiceUrls {
        ec2: pick(&section.ec2, "AWS_ENDPOINT_URL_EC2"),
        sts: pick(&section.sts, "AWS_ENDPOINT_URL_STS"),
        iam: pick(&section.iam, "AWS_ENDPOINT_URL_IAM"),
    }
}

/// The services that are not asked at an endpoint of this partition's own.
pub fn find_elsewhere(urls: &ServiceUrls, region: &str, partition: &str) -> Vec<AskedElsewhere> {
    let services = [("ec2", &urls.ec2), ("sts", &urls.sts), ("iam", &urls.iam)];
    let mut found = Vec::new();
    for (service, url) in services {
        let Some(url) = url else { continue };
        if !is_partitions_own(url, service, region, partition) {
            found.push(AskedElsewhere { service: service.to_owned(), url: url.clone() });
        }
    }
    found
}

/// The domain that a partition's endpoints end with.
fn suffix_of(partition: &str) -> Option<&'static str> {
    Some(match partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        _ => return None,
    })
}

fn is_partitions_own(url: &str, service: &str, region: &str, partition: &str) -> bool {
    let (Some(rest), Some(suffix)) = (url.strip_prefix("https://"), suffix_of(partition)) else {
        return false;
    };
    let host = rest.trim_end_matches('/').to_ascii_lowercase();
    let named = [
        format!("{service}.{suffix}"),
        format!("{service}.{region}.{suffix}"),
        format!("{service}-fips.{region}.{suffix}"),
    ];
    // An interface endpoint of a VPC leads to the same service.
    named.contains(&host) || host.ends_with(&format!(".{service}.{region}.vpce.{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_partitions_own_names_are_aws() {
        let cases = [
            ("https://ec2.eu-west-1.amazonaws.com", "aws", true),
            ("https://ec2.eu-west-1.amazonaws.com/", "aws", true),
            ("https://ec2-fips.eu-west-1.amazonaws.com", "aws", true),
            ("https://vpce-0a-1b.ec2.eu-west-1.vpce.amazonaws.com", "aws", true),
            ("http://ec2.eu-west-1.amazonaws.com", "aws", false),
            ("https://ec2.us-east-1.amazonaws.com", "aws", false),
            ("https://ec2.eu-west-1.amazonaws.com", "aws-cn", false),
            ("https://ec2.eu-west-1.amazonaws.com.cn", "aws-cn", true),
            ("https://ec2.eu-west-1.amazonaws.eu", "aws-eusc", true),
            ("https://ec2.eu-west-1.amazonaws.com.example.org", "aws", false),
            ("https://ec2.eu-west-1.amazonaws.com@example.org", "aws", false),
            ("https://ec2.eu-west-1.amazonaws.com:8443", "aws", false),
            ("http://127.0.0.1:4566", "aws", false),
            ("https://ec2.eu-west-1.amazonaws.com", "aws-of-tomorrow", false),
        ];
        for (url, partition, own) in cases {
            assert_eq!(is_partitions_own(url, "ec2", "eu-west-1", partition), own, "{url}");
        }
        let urls = ServiceUrls { ec2: Some("http://127.0.0.1:1".to_owned()), ..Default::default() };
        let found = find_elsewhere(&urls, "eu-west-1", "aws");
        assert_eq!(found.len(), 1, "what nobody sets is the partition's own: {found:?}");
    }
}
