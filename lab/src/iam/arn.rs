//! ARNs: which partition a region is of, and how what a policy names is written.

/// The partition of a region, by its name.
pub fn partition_of(region: &str) -> &'static str {
    const BY_PREFIX: &[(&str, &str)] = &[
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("eusc-", "aws-eusc"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
    ];
    let found = BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |(_, partition)| partition)
}

/// The ARN of an EC2 resource, as `network-interface/eni-…`.
pub fn make_ec2_arn(region: &str, account_id: &str, resource: &str) -> String {
    format!("arn:{}:ec2:{region}:{account_id}:{resource}", partition_of(region))
}

/// The ARN of what IAM has, as `role/NAME`.
pub fn make_iam_arn(region: &str, account_id: &str, resource: &str) -> String {
    format!("arn:{}:iam::{account_id}:{resource}", partition_of(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_of_one_partition() {
        let table = [
            ("ap-northeast-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
        ];
        for (region, partition) in table {
            assert_eq!(partition_of(region), partition, "{region}");
        }
    }
}
