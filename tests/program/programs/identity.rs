//! Whose calls they are: the instance's, or nobody's.

use serde_json::json;

use super::conformance::request;
use super::scripted::{Machine, Metadata, default_world};

const COMMAND: &str = "aws ec2 assign-private-ip-addresses --network-interface-id eni-1 \
                       --private-ip-addresses 10.88.60.9 --region ap-northeast-1: not sent: ";

#[tokio::test(start_paused = true)]
async fn without_an_identity_nothing_is_sent_and_the_reason_is_said() {
    let cases = [
        (Metadata::NoRole, "no identity: this instance has no role: attach an instance profile"),
        (
            Metadata::Refused,
            "no identity: the metadata service at http://169.254.169.254 does not answer: the \
             executor runs on the instance and uses the instance's role alone",
        ),
        (
            Metadata::Silent,
            "no identity: the metadata service at http://169.254.169.254 does not answer: the \
             executor runs on the instance and uses the instance's role alone",
        ),
        (
            Metadata::Expired,
            "no identity: the metadata service answers for role routerd-lab: \
             AssumeRoleUnauthorizedAccess EC2 cannot assume the role routerd-lab.",
        ),
    ];
    for (metadata, reason) in cases {
        let machine = Machine::new(default_world()).with_metadata(metadata);
        let assign = request("assign-secondary-ip", "execute", &json!({}));
        let (passed, status) = machine.seconds_passed(machine.status(&assign)).await;
        let expected = json!({"status": "failed",
            "message": "assign-secondary-ip execute: assign failed",
            "error": format!("{COMMAND}{reason}")});
        assert_eq!(status, expected, "{metadata:?}");
        assert_eq!(machine.operations(), [""; 0]);
        assert!(passed <= 6, "{metadata:?} took {passed} s");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_in_the_environment_are_not_looked_at() {
    let mut machine = Machine::new(default_world());
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        machine.env.insert(name.into(), "somebody-elses".into());
    }
    // The script refuses any call that is not signed with what its metadata service gave.
    let status = machine.status(&request("assign-secondary-ip", "execute", &json!({}))).await;
    assert_eq!(status["status"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_metadata_service_that_is_switched_off_is_not_asked() {
    let mut machine = Machine::new(default_world());
    machine.env.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
    let status = machine.status(&request("assign-secondary-ip", "execute", &json!({}))).await;
    let error = status["error"].as_str().unwrap();
    assert!(error.contains("no identity: AWS_EC2_METADATA_DISABLED is true"), "{error}");
    assert!(machine.script(|script| script.endpoints.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_those_of_every_sdk() {
    const METADATA: &str = "http://169.254.169.254";
    let cases = [
        (vec![], METADATA, "https://ec2.ap-northeast-1.amazonaws.com"),
        (
            vec![
                ("AWS_ENDPOINT_URL", "http://192.0.2.2:80"),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.3:81"),
            ],
            "http://192.0.2.3:81",
            "http://192.0.2.2:80",
        ),
        (
            vec![
                ("AWS_ENDPOINT_URL", "http://192.0.2.2:80"),
                ("AWS_ENDPOINT_URL_EC2", "http://192.0.2.4:82"),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", ""),
            ],
            METADATA,
            "http://192.0.2.4:82",
        ),
    ];
    for (env, metadata, ec2) in cases {
        let mut machine = Machine::new(default_world());
        machine.env = env.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let status = machine.status(&request("assign-secondary-ip", "execute", &json!({}))).await;
        assert_eq!(status["status"], "succeeded", "{status}");
        let endpoints = machine.script(|script| script.endpoints.clone());
        assert_eq!(endpoints, [metadata, metadata, metadata, ec2], "token, role, keys, EC2");
    }
}
