//! The served endpoint from outside: signatures, policies, the state file, the control paths.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use lab::clock::Clock;
use lab::node::Node;
use lab_mock::cloud::Cloud;
use lab_mock::ec2::instance_credentials;
use lab_mock::faults::Faults;
use lab_mock::machines::Machines;
use lab_mock::serve::{ServeOptions, Serving, serve_with};
use lab_mock::world::{Shared, World};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

struct Served {
    shared: Shared,
    serving: Serving,
}

impl Served {
    async fn start(options: ServeOptions) -> Self {
        let now = Clock::System.now();
        let shared = Shared::new(World {
            seed: 7,
            now,
            cloud: Cloud::example(7, now, true),
            machines: Machines::default(),
            faults: Faults::default(),
            at_first_end: None,
        });
        let serving = serve_with(shared.clone(), Clock::System, options).await.unwrap();
        Self { shared, serving }
    }

    async fn enforcing() -> Self {
        Self::start(ServeOptions { enforce_iam: true, ..ServeOptions::default() }).await
    }

    fn operator(&self) -> Credentials {
        let operator = &self.shared.lock().cloud.operator;
        Credentials::new(&operator.access_key_id, &operator.secret_access_key, None, None, "tests")
    }

    /// The credentials of a program on routerd-cloud.
    fn executor(&self) -> Credentials {
        let cloud = &self.shared.lock().cloud;
        let instance = &cloud.instance_of(Node::RouterdCloud).unwrap().id;
        let found = instance_credentials(cloud, instance, Clock::System.now()).unwrap();
        let token = Some(found.session_token);
        Credentials::new(found.access_key_id, found.secret_access_key, token, None, "tests")
    }

    fn config(&self, keys: Credentials) -> aws_config::SdkConfig {
        aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("ap-northeast-1"))
            .endpoint_url(format!("http://{}", self.serving.address))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
                keys,
            ))
            .retry_config(aws_smithy_types::retry::RetryConfig::disabled())
            .sleep_impl(Clock::System.sdk_sleep())
            .time_source(Clock::System.sdk_time())
            .build()
    }

    fn ec2(&self, keys: Credentials) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.config(keys))
    }

    fn sts(&self, keys: Credentials) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config(keys))
    }

    fn eni(&self) -> String {
        let world = self.shared.lock();
        let instance = world.cloud.instance_of(Node::RouterdCloud).unwrap().id.clone();
        world.cloud.interfaces_of(&instance)[0].id.clone()
    }

    /// Status and body of a plain request.
    async fn http(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(self.serving.address).await.unwrap();
        let request = format!(
            "{head}\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.serving.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

fn refusal<T: std::fmt::Debug, E>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> (u16, String, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = result.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
    (status, code.to_owned(), message.to_owned())
}

#[tokio::test]
async fn a_right_signature_is_somebody_and_a_wrong_one_is_nobody() {
    let served = Served::enforcing().await;
    served.ec2(served.operator()).describe_vpcs().send().await.unwrap();
    served.sts(served.operator()).get_caller_identity().send().await.unwrap();
    let key = served.operator().access_key_id().to_owned();
    let wrong = || Credentials::new(key.clone(), "wrong", None, None, "tests");
    let (status, code, _) = refusal(served.ec2(wrong()).describe_vpcs().send().await);
    assert_eq!((status, code.as_str()), (401, "AuthFailure"));
    let (status, code, message) = refusal(served.sts(wrong()).get_caller_identity().send().await);
    assert_eq!((status, code.as_str()), (403, "SignatureDoesNotMatch"));
    assert!(message.starts_with("The request signature we calculated does not match"), "{message}");
    let with_token = Credentials::new(
        key.clone(),
        served.operator().secret_access_key(),
        Some("token".to_owned()),
        None,
        "tests",
    );
    let (_, code, _) = refusal(served.sts(with_token).get_caller_identity().send().await);
    assert_eq!(code, "InvalidClientTokenId");
}

#[tokio::test]
async fn policies_decide_for_whoever_signed() {
    let served = Served::enforcing().await;
    let executor = served.ec2(served.executor());
    let eni = served.eni();
    executor.describe_network_interfaces().network_interface_ids(&eni).send().await.unwrap();
    let (status, code, _) = refusal(executor.describe_vpcs().send().await);
    assert_eq!((status, code.as_str()), (403, "UnauthorizedOperation"));
    served.shared.lock().cloud.iam.users.get_mut("lab-operator").unwrap().inline_policies.clear();
    let (status, code, message) =
        refusal(served.ec2(served.operator()).describe_vpcs().send().await);
    assert_eq!((status, code.as_str()), (403, "UnauthorizedOperation"));
    let who = "User: arn:aws:iam::123456789012:user/lab-operator is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action";
    assert!(message.ends_with(who), "{message}");
    served.sts(served.operator()).get_caller_identity().send().await.unwrap();
}

async fn assign(served: &Served) {
    served
        .ec2(served.operator())
        .assign_private_ip_addresses()
        .network_interface_id(served.eni())
        .private_ip_addresses("10.88.60.9")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_world_goes_on_from_its_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let options =
        |path: &Path| ServeOptions { state_file: Some(path.to_owned()), ..ServeOptions::default() };
    let first = Served::start(options(&path)).await;
    assert!(path.exists(), "the file is there before the first change");
    assign(&first).await;
    let owner = |cloud: &Cloud| cloud.owner_of([10, 88, 60, 9].into()).map(|eni| eni.id.clone());
    let expected = owner(&first.shared.lock().cloud);
    assert!(expected.is_some());
    first.serving.stop(std::future::ready(())).await.unwrap();
    let second = Served::start(options(&path)).await;
    assert_eq!(owner(&second.shared.lock().cloud), expected);
    std::fs::write(&path, "{").unwrap();
    let shared = second.shared.clone();
    let refused = serve_with(shared, Clock::System, options(&path)).await.unwrap_err();
    assert!(refused.to_string().contains("holds no world"), "{refused}");
}

#[tokio::test]
async fn the_world_is_shown_and_takes_faults() {
    let served = Served::start(ServeOptions::default()).await;
    let (status, body) = served.http("GET /_lab-smoke/world HTTP/1.1", "").await;
    let world: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &world["cloud"]["account_id"]), (200, &json!("123456789012")));
    let post = "POST /_lab-smoke/faults HTTP/1.1\r\nContent-Type: application/json";
    let fault = json!([{
        "action": "DescribeVpcs",
        "effect": { "error": { "status": 503, "code": "RequestLimitExceeded", "message": "Request limit exceeded." } }
    }]);
    let (status, body) = served.http(post, &fault.to_string()).await;
    assert_eq!(status, 200, "{body}");
    let client = served.ec2(served.operator());
    let (status, code, _) = refusal(client.describe_vpcs().send().await);
    assert_eq!((status, code.as_str()), (503, "RequestLimitExceeded"));
    client.describe_vpcs().send().await.unwrap();
    assert_eq!(served.shared.lock().faults.api[0].fired, 1);

    let refused = [
        ("POST /_lab-smoke/faults HTTP/1.1", "[]", 415),
        (post, "{}", 400),
        (post, r#"[{"action": "DescribeVpcs", "effect": "unheard"}]"#, 400),
        (post, r#"[{"action": "DescribeVpc", "effect": "hang"}]"#, 400),
        (post, r#"[{"action": "DescribeVpcs", "effect": "hang", "time": 2}]"#, 400),
        ("POST /_lab-smoke/world HTTP/1.1", "", 405),
    ];
    for (head, body, expected) in refused {
        let (status, text) = served.http(head, body).await;
        assert_eq!(status, expected, "{head} {body}: {text}");
    }
}

/// The first line that a raw request is answered with; none where it is let go without one.
async fn first_line(served: &Served, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(served.serving.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Each region would need a world of its own: what is made elsewhere is refused, and is nowhere.
#[tokio::test]
async fn nothing_is_made_in_a_region_that_is_not_served() {
    let served = Served::start(ServeOptions::default()).await;
    let config = served.config(served.operator()).into_builder();
    let elsewhere = config.region(Region::new("eu-central-1")).build();
    let elsewhere = aws_sdk_ec2::Client::new(&elsewhere);
    let before = served.shared.lock().cloud.clone();
    let (status, code, _) = refusal(elsewhere.allocate_address().send().await);
    assert_eq!((status, &*code), (401, "AuthFailure"));
    assert!(served.shared.lock().cloud == before, "something was made");
    let none = elsewhere.describe_instances().send().await.expect("there is nothing");
    assert!(none.reservations().is_empty(), "{none:?}");
}

/// A name that a page in a browser was given for this machine, a page itself, and a request of two
/// lengths: none of them sees the operator's keys.
#[tokio::test]
async fn only_who_asks_for_this_machine_in_one_way_is_answered() {
    let served = Served::start(ServeOptions::default()).await;
    let own = served.serving.address.to_string();
    let port = served.serving.address.port();
    let get = |rest: &str| format!("GET /_lab-smoke/world HTTP/1.1\r\n{rest}\r\n\r\n");
    let table = [
        (get(&format!("Host: {own}")), "200"),
        (get(&format!("Host: localhost:{port}")), "200"),
        (get("Host: evil.example"), "421"),
        (get(&format!("Host: evil.example:{port}")), "421"),
        (get("Host: localhost:1"), "421"),
        (get(&format!("Host: {own}\r\nHost: evil.example")), "400"),
        (get(&format!("Host: {own}\r\nOrigin: http://evil.example")), "403"),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: {own}\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
            ),
            "400",
        ),
    ];
    for (request, status) in table {
        let line = first_line(&served, &request).await;
        assert_eq!(line.split(' ').nth(1), Some(status), "{request}{line}");
    }
}

/// Who never says what it wants takes no place from anybody else, and a body has a limit.
#[tokio::test]
async fn who_drips_is_sent_away_and_a_body_has_a_limit() {
    let served = Served::start(ServeOptions::default()).await;
    let host = served.serving.address.to_string();
    let begun = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nAct");
    let whole = format!("GET /_lab-smoke/world HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut dripping = Vec::new();
    for request in [&begun[..], "POST / HT"].into_iter().cycle().take(200) {
        let mut stream = tokio::net::TcpStream::connect(served.serving.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        dripping.push(stream);
    }
    let line = first_line(&served, &whole).await;
    assert!(line.contains(" 200 "), "{line}");
    let line = first_line(&served, &begun).await;
    assert!(line.contains(" 408 "), "{line}");
    let long = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n\r\n");
    let line = first_line(&served, &long).await;
    assert!(line.contains(" 413 "), "{line}");
}
