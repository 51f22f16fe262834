//! The clients log in on each other, both ways: on the right machine, with a payload that is larger
//! than the path MTU and arrives unchanged. Which addresses the connection has is `no-nat`'s matter.

use lab::Lab;
use lab::ec2::Answer;
use lab::node::Node;
use lab::shell::{Observe, ShellError, ssh};
use serde_json::json;

use crate::context::{Context, Ruling};
use crate::observe;

pub const LOGIN_ONPREM: &str = "ssh.cloud-to-onprem.login";
pub const PAYLOAD_ONPREM: &str = "ssh.cloud-to-onprem.payload";
pub const LOGIN_CLOUD: &str = "ssh.onprem-to-cloud.login";
pub const PAYLOAD_CLOUD: &str = "ssh.onprem-to-cloud.payload";

pub const ASSERTS: &[&str] = &[LOGIN_ONPREM, PAYLOAD_ONPREM, LOGIN_CLOUD, PAYLOAD_CLOUD];
pub const NOT_APPLICABLE: &[&str] = &[];

pub async fn run(lab: &Lab, ctx: &mut Context<'_>) {
    let (onprem, cloud) = (Node::OnpremClient, Node::CloudClient);
    let commands = [onprem, cloud].map(|far| Observe::ssh_payload(&make_target(lab, far)));
    let (there, back) = futures::join!(
        lab.shell.observe(cloud, &commands[0]),
        lab.shell.observe(onprem, &commands[1]),
    );
    judge(lab, ctx, LOGIN_ONPREM, PAYLOAD_ONPREM, onprem, there);
    judge(lab, ctx, LOGIN_CLOUD, PAYLOAD_CLOUD, cloud, back);
}

/// Where a nested ssh to `node` goes.
pub fn make_target(lab: &Lab, node: Node) -> ssh::SshTarget {
    let entry = &lab.manifest.nodes[&node];
    ssh::SshTarget {
        address: entry.address,
        user: entry.user.clone(),
        known_hosts: ssh::KNOWN_HOSTS.to_owned(),
    }
}

fn judge(
    lab: &Lab,
    ctx: &mut Context<'_>,
    login: &'static str,
    payload: &'static str,
    far: Node,
    answer: Result<Answer<ssh::Login>, ShellError>,
) {
    let hostname = lab.manifest.nodes[&far].hostname.clone();
    let (told, how) = match observe::keep_answer(ctx, answer) {
        Ok(seen) => seen,
        Err((why, how)) => return ctx.check(login).expects(json!(hostname)).seen(how).unknown(why),
    };
    let ssh::Login { greeting, code, complaint } = told;
    let said = format!("ssh ended with exit code {code}: {complaint}");
    let ruling =
        Ruling::when(greeting.hostname.as_deref() == Some(hostname.as_str()), said.clone());
    ctx.check(login)
        .expects(json!({ "hostname": hostname }))
        .seen(how.clone())
        .comes_to(json!({ "hostname": greeting.hostname }), ruling);
    let expected = ssh::payload_digest();
    let arrived = greeting.sha256.as_deref() == Some(expected.as_str());
    if greeting.hostname.is_some() {
        let ruling =
            Ruling::when(arrived && code == 0, format!("the payload did not arrive whole; {said}"));
        ctx.check(payload)
            .expects(json!({ "sha256": expected }))
            .seen(how)
            .comes_to(json!({ "sha256": greeting.sha256, "exit_code": code }), ruling);
    }
}

#[cfg(test)]
mod tests {
    use reports::record::AssertionStatus as A;

    use super::*;
    use crate::example::{example_answer, example_silence, judge_as_scenario, read_by};

    #[test]
    fn login_and_payload_are_two_questions() {
        let whole = ssh::payload_digest().to_string();
        let said =
            |hostname: &str, digest: &str| format!("hostname {hostname}\nsha256 {digest}  -\n");
        let right = |digest: &str| said("onprem-client", digest);
        let table = [
            ("all is well", example_answer(0, &right(&whole), ""), (A::Passed, A::Passed)),
            ("another payload", example_answer(0, &right("ab12"), ""), (A::Passed, A::Failed)),
            (
                "ssh failed after it",
                example_answer(255, &right(&whole), "closed"),
                (A::Passed, A::Failed),
            ),
            (
                "another machine",
                example_answer(0, &said("mallory", &whole), ""),
                (A::Failed, A::Passed),
            ),
            ("no login", example_answer(255, "", "refused"), (A::Failed, A::Skipped)),
            ("no answer", example_silence(), (A::Unknown, A::Unknown)),
        ];
        for (what, answer, expected) in table {
            let judged = judge_as_scenario("ssh", async |lab, ctx| {
                let command = Observe::ssh_payload(&make_target(lab, Node::OnpremClient));
                let answer = read_by(&command, answer);
                judge(lab, ctx, LOGIN_ONPREM, PAYLOAD_ONPREM, Node::OnpremClient, answer);
            });
            assert_eq!(
                (judged.status(LOGIN_ONPREM), judged.status(PAYLOAD_ONPREM)),
                expected,
                "{what}"
            );
        }
    }
}
