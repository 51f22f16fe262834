//! The scenarios' commands run for real on the nodes, and a secondary address moves through the
//! stand-in routerd, the executor, the lab's EC2 and the kernel.

use std::time::Duration;

use lab::change_set::{self, ChangeSet};
use lab::clock::Clock;
use lab::node::{Node, Output};
use lab::routerd::{Call, Routerctl, RowStatus};
use lab::shell::{Observe, TransportError, ssh};
use lab_netns::Netns;
use libtest_mimic::Trial;

use super::support::{on_a_lab, run, send, text, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("every_observation_runs_on_every_node", every_observation_runs_on_every_node),
        trial("a_command_arrives_and_answers_as_it_is", a_command_arrives_and_answers_as_it_is),
        trial("routerd_moves_the_address", routerd_moves_the_address),
        trial("only_the_four_actions", only_the_four_actions),
        trial("a_stopped_instance_cannot_be_reached", a_stopped_instance_cannot_be_reached),
    ]
}

const CAPTURED: &str = "10.88.60.9";

fn every_observation_runs_on_every_node() {
    on_a_lab(async |opened| {
        let lab = &opened.lab;
        for (node, entry) in &lab.manifest.nodes {
            let everywhere = [
                Observe::hostname().printed(),
                Observe::clock().printed(),
                Observe::host_key().printed(),
                Observe::nft_ruleset().printed(),
                Observe::iptables_legacy().printed(),
                Observe::conntrack_from([10, 88, 60, 7].into()).printed(),
                Observe::node_folder().printed(),
                Observe::digest("/etc/hostname"),
                Observe::read_file("/etc/lab-smoke/known_hosts").printed(),
            ];
            for command in everywhere {
                let answer = lab.shell.observe(*node, &command).await;
                let output = answer.unwrap_or_else(|error| panic!("{error}")).value;
                assert_eq!(output.code, 0, "{node}$ {}: {output:?}", command.shown());
            }
            let say = async |command: Observe| {
                text(&lab.shell.observe(*node, &command).await.unwrap().value)
            };
            assert_eq!(say(Observe::hostname().printed()).await.trim(), entry.hostname);
            assert!(
                say(Observe::host_key().printed()).await.starts_with(&entry.host_key),
                "{node}"
            );
            let show = async |line: &str| text(&run(opened, *node, line).await);
            let addresses = show("ip -j -4 addr show").await;
            assert!(addresses.contains(&entry.address.to_string()), "{node}: {addresses}");
            assert!(addresses.contains(&entry.interface), "{node}: {addresses}");
            assert!(
                show("ip -j -4 route show default").await.contains("\"dst\":\"default\""),
                "{node}"
            );
        }
        on_the_router(opened).await;
    });
}

async fn on_the_router(opened: &Netns) {
    let (lab, routerd) = (&opened.lab, &opened.lab.manifest.routerd);
    for command in [
        Observe::read_file(&routerd.config).printed(),
        Observe::digest(&routerd.routerctl),
        Observe::rows(routerd).printed(),
        Observe::dynamic_parts(routerd).printed(),
        Observe::doctor(routerd, "sam").printed(),
        Observe::get(routerd, "CloudProviderProfile").printed(),
        Observe::mobility_owners(routerd).printed(),
    ] {
        let answer = lab.shell.observe(Node::RouterdCloud, &command).await;
        let output = answer.unwrap_or_else(|error| panic!("{error}")).value;
        // There is no database yet and no daemon, and routerctl says so in its own words.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let own_words = said.contains("database") || said.contains("dial unix");
        assert!(output.code == 0 || own_words, "{}: {said}", command.shown());
        assert_ne!(output.code, 127, "{}", command.shown());
    }
}

fn a_command_arrives_and_answers_as_it_is() {
    on_a_lab(async |opened| {
        for code in [0, 1, 127, 255] {
            let output = run(opened, Node::CloudClient, &format!("echo a; exit {code}")).await;
            assert_eq!(output, Output { code, stdout: b"a\n".into(), stderr: b"".into() });
        }
        let payload = vec![b'x'; 1 << 20];
        let argv = ["sha256sum".to_owned()];
        let output = opened.transport.run(Node::OnpremClient, &argv, &payload).await.unwrap();
        assert!(text(&output).starts_with(reports::digest::Digest::of(&payload).as_str()));
        // More at the same time than sshd takes on one connection.
        let many = (0..24).map(|n| {
            send(opened, Node::OnpremRouter, if n % 2 == 0 { "echo e" } else { "echo o" })
        });
        for (n, output) in futures::future::join_all(many).await.into_iter().enumerate() {
            assert_eq!(text(&output.unwrap()), ["e", "o"][n % 2]);
        }
        // Its connection is killed under it.
        let broken =
            send(opened, Node::CloudClient, "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 60")
                .await;
        assert!(matches!(broken, Err(TransportError::Lost(_))), "{broken:?}");
        let after = run(opened, Node::CloudClient, "echo again").await;
        assert_eq!(text(&after), "again");
    });
}

async fn call<T>(opened: &Netns, call: Call<T>) -> T {
    let output = opened.transport.run(Node::RouterdCloud, &call.argv, b"").await.unwrap();
    call.read(&output).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Whether one echo request is answered, within seconds.
async fn answered(opened: &Netns, from: Node, to: &str, wait: &str) -> bool {
    run(opened, from, &format!("ping -n -c 1 -W {wait} {to}")).await.code == 0
}

/// Seconds: an echo request that is not answered at once is not answered.
const AT_ONCE: &str = "0.5";
/// The machine may be busy.
const AT_LAST: &str = "10";

fn routerd_moves_the_address() {
    on_a_lab(async |opened| {
        let manifest = &opened.lab.manifest;
        let change_set = ChangeSet {
            run_id: "smoke-20260101T000000Z-00000000".into(),
            provider: "aws".into(),
            provider_ref: manifest.capture.provider_ref.clone(),
            network_interface_id: manifest.capture.network_interface_id.clone(),
            region: manifest.aws.region.clone(),
            address: manifest.capture.address,
            allow_reassignment: false,
            ttl: "2h".into(),
        };
        let script = format!("mkdir -p /var/lib/lab-smoke && cat > {}", change_set::PATH);
        let argv = ["sh".to_owned(), "-c".to_owned(), script];
        let text = serde_json::to_vec(&change_set).unwrap();
        let put = opened.transport.run(Node::RouterdCloud, &argv, &text).await.unwrap();
        assert_eq!(put.code, 0, "{put:?}");

        // The client has asked for the address in vain, and does not ask again for a minute.
        let rarely = "echo 60000 > /proc/sys/net/ipv4/neigh/ens5/retrans_time_ms";
        assert_eq!(run(opened, Node::CloudClient, rarely).await.code, 0);
        assert!(!answered(opened, Node::CloudClient, CAPTURED, AT_ONCE).await);
        let routerctl = Routerctl::new(&manifest.routerd);
        call(opened, routerctl.plugin_run(&manifest.routerd.planner)).await;
        assert_eq!(call(opened, routerctl.import()).await.inserted, 2);
        for row in call(opened, routerctl.list()).await {
            call(opened, routerctl.approve(row.id, "owner")).await;
            call(opened, routerctl.execute(row.id)).await;
            let row = call(opened, routerctl.show(row.id)).await;
            assert_eq!(row.status, RowStatus::Succeeded, "{row:?}");
        }
        let eni = &manifest.capture.network_interface_id;
        let described = opened.lab.reader.network_interface(eni).await.unwrap().value.unwrap();
        assert!(!described.source_dest_check, "{described:?}");
        assert!(format!("{described:?}").contains(CAPTURED), "{described:?}");
        // It has been told, so that it need not ask again.
        assert!(answered(opened, Node::CloudClient, CAPTURED, AT_LAST).await);
        assert!(answered(opened, Node::OnpremClient, "10.88.60.7", AT_LAST).await);
        nested_ssh(opened).await;
    });
}

async fn nested_ssh(opened: &Netns) {
    let pairs = [(Node::CloudClient, Node::OnpremClient), (Node::OnpremClient, Node::CloudClient)];
    for (from, to) in pairs {
        let far = &opened.lab.manifest.nodes[&to];
        let target = ssh::SshTarget {
            address: far.address,
            user: far.user.clone(),
            known_hosts: ssh::KNOWN_HOSTS.to_owned(),
        };
        let observe = async |command: Observe<ssh::Login>| {
            let answer = opened.lab.shell.observe(from, &command).await.unwrap().value;
            assert_eq!(answer.code, 0, "{answer:?}");
            answer.greeting
        };
        let greeting = observe(Observe::ssh_payload(&target)).await;
        assert_eq!(greeting.hostname.as_deref(), Some(to.as_str()));
        assert_eq!(greeting.sha256.as_deref(), Some(ssh::payload_digest().as_str()));
        let greeting = observe(Observe::ssh_tuple(&target)).await;
        assert_eq!(greeting.local_flows, [greeting.connection.unwrap()], "no NAT in between");
    }
}

/// Finds its identity as the default chain of an SDK does, and tries what that identity may do.
fn only_the_four_actions() {
    on_a_lab(async |opened| {
        let ask = |path: &str| {
            format!(
                "python3 - <<'E'\nimport urllib.request as u\nb='http://169.254.169.254'\n\
                 t=u.urlopen(u.Request(b+'/latest/api/token',method='PUT',headers={{'X-aws-ec2-metadata-token-ttl-seconds':'60'}}),timeout=5).read().decode()\n\
                 print(u.urlopen(u.Request(b+'{path}',headers={{'X-aws-ec2-metadata-token':t}}),timeout=5).read().decode())\nE"
            )
        };
        if run(opened, Node::RouterdCloud, "command -v python3").await.code == 0 {
            let role = run(
                opened,
                Node::RouterdCloud,
                &ask("/latest/meta-data/iam/security-credentials/"),
            )
            .await;
            assert_eq!(text(&role), opened.lab.manifest.iam.role_name, "{role:?}");
            let id = run(opened, Node::CloudClient, &ask("/latest/meta-data/instance-id")).await;
            let entry = &opened.lab.manifest.nodes[&Node::CloudClient];
            assert_eq!(Some(text(&id)), entry.instance_id);
        }
        // An interface that is not the lab's own is refused to the executor.
        let world = lab_netns::read_world(&opened.folder).await.unwrap();
        let own = &opened.lab.manifest.capture.network_interface_id;
        let other = world.cloud.network_interfaces.keys().find(|id| *id != own).unwrap();
        for (eni, status) in [(own, "succeeded"), (other, "failed")] {
            let request = serde_json::json!({
                "apiVersion": "provideraction.routerd.net/v1alpha1",
                "kind": "ExecuteActionRequest",
                "spec": {
                    "action": "assign-secondary-ip",
                    "provider": "aws",
                    "target": { "nicRef": eni, "region": "ap-northeast-1", "address": "10.88.60.9/32" },
                    "parameters": {},
                    "mode": "execute",
                    "idempotencyKey": "k",
                    "context": {},
                },
            });
            let argv = [
                "sudo", "-n", "env", "-i", "AWS_ENDPOINT_URL_EC2=http://127.0.0.1:8773",
                "/usr/local/libexec/routerd/plugins/aws-provider-executor/bin/aws-provider-executor",
            ]
            .map(str::to_owned);
            let request = serde_json::to_vec(&request).unwrap();
            let output = opened.transport.run(Node::RouterdCloud, &argv, &request).await.unwrap();
            let said = format!("{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
            assert!(said.contains(status), "{eni}: {said}");
            assert_eq!(said.contains("UnauthorizedOperation"), status == "failed", "{said}");
        }
    });
}

fn a_stopped_instance_cannot_be_reached() {
    on_a_lab(async |opened| {
        assert!(answered(opened, Node::CloudClient, "10.88.60.4", AT_LAST).await);
        let routes = run(opened, Node::RouterdCloud, "ip route show table all | sort").await;
        let left_running = "echo kept > /var/lib/routerd/file; \
            setsid sleep 600 >/dev/null 2>&1 & until grep -qx sleep /proc/$!/comm; do :; done; echo $!";
        let pid = text(&run(opened, Node::RouterdCloud, left_running).await);
        let mut world = lab_netns::read_world(&opened.folder).await.unwrap();
        let id = world.cloud.instance_of(Node::RouterdCloud).unwrap().id.clone();
        let set = |world: &mut lab_mock::world::World, state| {
            world.cloud.instances.get_mut(&id).unwrap().state = state;
        };
        set(&mut world, lab_mock::cloud::InstanceState::Stopped);
        lab_netns::write_world(&opened.folder, &world).await.unwrap();
        assert!(!answered(opened, Node::CloudClient, "10.88.60.4", AT_ONCE).await);
        let silent = send(opened, Node::RouterdCloud, "true").await;
        assert!(
            matches!(silent, Err(TransportError::Unreachable(_) | TransportError::Lost(_))),
            "{silent:?}"
        );
        // Its end of the underlay is down, and its peer sees it.
        let until = |state: &str| {
            format!("timeout 60 sh -c 'until ip link show wan0 | grep -q {state}; do :; done'")
        };
        assert_eq!(run(opened, Node::OnpremRouter, &until("NO-CARRIER")).await.code, 0);
        set(&mut world, lab_mock::cloud::InstanceState::Running);
        lab_netns::write_world(&opened.folder, &world).await.unwrap();
        let back = async {
            while send(opened, Node::RouterdCloud, "true").await.is_err() {
                Clock::System.sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(Clock::System.timeout(Duration::from_mins(1), back).await.is_ok(), "it is back");
        assert!(answered(opened, Node::CloudClient, "10.88.60.4", AT_LAST).await);
        assert_eq!(run(opened, Node::OnpremRouter, &until("LOWER_UP")).await.code, 0);
        let again = run(opened, Node::RouterdCloud, "ip route show table all | sort").await;
        assert_eq!(text(&again), text(&routes));
        // It is dead, whether or not its parent has asked for it.
        let seen = format!(
            "cat /var/lib/routerd/file; \
             state=$(sed -n 's/^State:.//p' /proc/{pid}/status 2>/dev/null || :); \
             case $state in ''|Z*) echo ended;; *) echo $state;; esac"
        );
        assert_eq!(text(&run(opened, Node::RouterdCloud, &seen).await), "kept\nended");
    });
}
