//! The requests that an instance may make without knowing anything: none. Spoken by hand, over
//! ssh's own forwarding, so that no program of the host is in between.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::clock::Clock;
use lab::node::Node;
use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{on_a_lab, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("metadata_needs_a_token_that_is_the_instances_and_fresh", metadata_needs_a_token),
        trial("a_request_without_a_signature_is_refused", unsigned_is_refused),
    ]
}

/// The status and the body.
fn ask(opened: &Netns, node: Node, to: &str, head: &str, body: &str) -> (u16, String) {
    let mut ssh = Command::new("ssh")
        .arg("-F")
        .arg(opened.folder.ssh_config())
        .args(["-W", to, node.as_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: {to}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let mut near = ssh.stdin.take().unwrap();
    near.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    ssh.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    // Only now: a connection whose near half ends is a request taken back.
    drop(near);
    ssh.wait().unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).unwrap_or_else(|| panic!("no answer to {head}: {answer:?}"))
}

const METADATA: &str = "169.254.169.254:80";
const INSTANCE_ID: &str = "GET /latest/meta-data/instance-id HTTP/1.1";
const CREDENTIALS: &str =
    "GET /latest/meta-data/iam/security-credentials/lab-smoke-executor HTTP/1.1";

fn metadata_needs_a_token() {
    on_a_lab(async |opened| {
        let get = |node, head: &str| ask(opened, node, METADATA, head, "");
        let with = |head: &str, token: &str| format!("{head}\r\nX-aws-ec2-metadata-token: {token}");
        let token = |ttl_seconds: &str| {
            let head = "PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds";
            get(Node::RouterdCloud, &format!("{head}: {ttl_seconds}"))
        };
        for head in [INSTANCE_ID, CREDENTIALS] {
            assert_eq!(get(Node::RouterdCloud, head).0, 401, "version 1 is refused: {head}");
            assert_eq!(get(Node::RouterdCloud, &with(head, "bm9uc2Vuc2U")).0, 401, "{head}");
        }
        for ttl_seconds in ["", "0", "21601", "ever"] {
            assert_eq!(token(ttl_seconds).0, 400, "{ttl_seconds:?}");
        }
        let (status, fresh) = token("60");
        assert_eq!(status, 200);
        let id = opened.lab.manifest.nodes[&Node::RouterdCloud].instance_id.clone().unwrap();
        assert_eq!(get(Node::RouterdCloud, &with(INSTANCE_ID, &fresh)), (200, id));
        let (status, credentials) = get(Node::RouterdCloud, &with(CREDENTIALS, &fresh));
        assert!(status == 200 && credentials.contains("\"AWS-HMAC\""), "{credentials}");
        let elsewhere = get(Node::CloudClient, &with(INSTANCE_ID, &fresh));
        assert_eq!(elsewhere.0, 401, "another instance's token");

        let short = token("1").1;
        let expired = async {
            while get(Node::RouterdCloud, &with(INSTANCE_ID, &short)).0 == 200 {
                Clock::System.sleep(Duration::from_millis(50)).await;
            }
            get(Node::RouterdCloud, &with(INSTANCE_ID, &short)).0
        };
        let expired = Clock::System.timeout(Duration::from_secs(20), expired).await;
        assert_eq!(expired.ok(), Some(401));
    });
}

fn unsigned_is_refused() {
    on_a_lab(async |opened| {
        let post = |authorization: &str, body: &str| {
            let head = format!(
                "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded{authorization}"
            );
            ask(opened, Node::RouterdCloud, "127.0.0.1:8773", &head, body)
        };
        let eni = &opened.lab.manifest.capture.network_interface_id;
        let body = format!(
            "Action=AssignPrivateIpAddresses&Version=2016-11-15&NetworkInterfaceId={eni}&PrivateIpAddress.1=10.88.60.9"
        );
        let (status, answer) = post("", &body);
        assert!(status == 403 && answer.contains("MissingAuthenticationToken"), "{answer}");
        // The operator's key is known, and its secret is not.
        let world = lab_netns::read_world(&opened.folder).await.unwrap();
        let key = &world.cloud.operator.access_key_id;
        let now = Clock::System.now();
        let (date, stamp) = (now.format("%Y%m%d"), now.format("%Y%m%dT%H%M%SZ"));
        let scope = format!("{key}/{date}/ap-northeast-1/ec2/aws4_request");
        let (status, answer) = post(
            &format!(
                "\r\nX-Amz-Date: {stamp}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={scope}, \
                 SignedHeaders=host;x-amz-date, Signature=00"
            ),
            &body,
        );
        assert!(status == 401 && answer.contains("AuthFailure"), "{answer}");
        let world = lab_netns::read_world(&opened.folder).await.unwrap();
        assert!(world.cloud.owner_of([10, 88, 60, 9].into()).is_none(), "nothing was done");
    });
}
