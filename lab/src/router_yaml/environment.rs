//! The variables that router.yaml may give a plugin. routerd passes on any, and one of them may replace
//! PATH: then another `aws` runs, another service is asked, or another library is loaded.

/// Names that say who asks, where, and by which of AWS's own endpoints: nothing else.
pub const PLUGIN_VARIABLES: &[&str] = &[
    "AWS_SDK_UA_APP_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// The endpoints of a lab that is not AWS, which a relay on the node itself stands for.
const ENDPOINTS: &[&str] = &["AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS"];

/// Whether a plugin may have the variable from router.yaml.
pub fn may_be_given(name: &str, value: &str) -> bool {
    PLUGIN_VARIABLES.contains(&name) || (ENDPOINTS.contains(&name) && is_on_the_node(value))
}

/// `http://127.0.0.1:8773`: no name that somebody resolves, no user, no other host.
fn is_on_the_node(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://127.0.0.1:") else { return false };
    rest.trim_end_matches('/').parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_list_may_be_given_and_nothing_else() {
        let table = [
            ("AWS_SDK_UA_APP_ID", "lab-smoke", true),
            ("AWS_REGION", "ap-northeast-1", true),
            ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:8773", true),
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:8773/", true),
            ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:8773@evil.example", false),
            ("AWS_ENDPOINT_URL_EC2", "https://ec2.example.org", false),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:8773", false),
            ("PATH", "/tmp/bin", false),
            ("LD_PRELOAD", "/tmp/x.so", false),
            ("AWS_CA_BUNDLE", "/tmp/ca.pem", false),
            ("AWS_PAGER", "sh", false),
            ("aws_region", "ap-northeast-1", false),
            ("HOME", "/root", false),
        ];
        for (name, value, allowed) in table {
            assert_eq!(may_be_given(name, value), allowed, "{name}={value}");
        }
    }
}
