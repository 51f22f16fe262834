//! AWS's words, as they came, with what to look at next.

/// An error's own words, and behind them what its code says to look at.
pub fn explain(words: &str) -> String {
    match next_look(words) {
        Some(next) => format!("{words}; look at {next}"),
        None => words.to_owned(),
    }
}

/// By the error code, which stands in the words of every error of the SDK.
fn next_look(words: &str) -> Option<&'static str> {
    const LOOKS: [(&str, &str); 9] = [
        (
            "RequestExpired",
            "this machine's clock (`timedatectl`): AWS takes requests within five minutes of its own",
        ),
        ("Signature expired", "this machine's clock (`timedatectl`)"),
        (
            "ExpiredToken",
            "where the session came from: it has ended (`aws sso login`, or export a new one)",
        ),
        (
            "InvalidClientTokenId",
            "the access key: AWS does not know it, or not in this partition (`aws configure list`)",
        ),
        (
            "SignatureDoesNotMatch",
            "the secret key, and this machine's clock (`aws configure list`, `timedatectl`)",
        ),
        ("RegionDisabled", "whether STS is activated for this region in the account's settings"),
        (
            "AccessDenied",
            "the role's trust policy and what the caller may: `aws sts get-caller-identity`, \
             `aws iam get-role --role-name NAME --query Role.AssumeRolePolicyDocument`",
        ),
        (
            "CredentialsNotLoaded",
            "`aws configure list`: neither environment, profile nor metadata service has credentials",
        ),
        ("dispatch failure", "the way to the endpoint: name resolution, proxy, firewall"),
    ];
    LOOKS.into_iter().find(|(code, _)| words.contains(code)).map(|(_, next)| next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stay_and_the_next_look_stands_behind_them() {
        let told = explain("service error: AccessDenied: User is not authorized");
        assert!(told.starts_with("service error: AccessDenied: User is not authorized; look at "));
        assert!(told.contains("AssumeRolePolicyDocument"), "{told}");
        assert!(explain("RequestExpired: Request has expired.").contains("timedatectl"));
        assert_eq!(explain("Teapot"), "Teapot");
    }
}
