//! A manifest of kind `aws` on a kernel lab: its nodes over ssh by a proxy, its EC2, STS and IAM over TCP
//! with every request signed, and a go of an owner's own key. Nothing of the lab is built in for it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use lab::manifest::{EndpointUrls, IdentitySection, Instances, Manifest, Reach, RoleChoice};
use lab::node::Node;
use lab_netns::Folder;
use lab_netns::probe::probe_host;
use libtest_mimic::{Completion, Failed, Trial};
use reports::evidence::Evidence;
use reports::record::{IdentityLink, LabKind, Renewal, Verdict};

use crate::netns::place::{Place, block_on, program, said, words};

const OWNER: &str = "owner@example.org";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_lab_that_a_manifest_describes_is_used_by_every_command", every_command),
        trial("an_operator_takes_a_role_that_trusts_him", takes_a_role),
    ]
}

fn trial(name: &str, run: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("aws::{name}"), move || {
        let report = probe_host();
        if report.is_able() {
            return run().map(|()| Completion::Completed).map_err(Failed::from);
        }
        if std::env::var("LAB_SMOKE_REQUIRE_NETNS").as_deref() == Ok("1") {
            return Err(Failed::from(report.to_string()));
        }
        Ok(Completion::ignored_with(report.to_string()))
    })
}

/// A kernel lab that knows nothing of the manifest that describes it.
pub struct AwsPlace {
    pub place: Place,
    id: String,
    environment: BTreeMap<&'static str, String>,
}

impl AwsPlace {
    /// With the owner's key, and the manifest in `lab.toml` after `edit`.
    pub fn new(edit: impl FnOnce(&mut Manifest)) -> Result<Self, String> {
        let place = Place::new()?;
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place.path("owner"));
        said(&mut keygen, 0)?;
        let id = place.call("lab up netns --time-to-live 20m", 0)?.trim().to_owned();
        let folder = place.lab()?;
        let url = format!("http://{}", relay(folder.ec2_socket()).map_err(words)?);
        let public = std::fs::read_to_string(place.path("owner.pub")).map_err(words)?;
        let signers = format!("{OWNER} namespaces=\"lab-smoke-go\" {public}");
        let mut manifest = describe(&folder, &url, signers)?;
        edit(&mut manifest);
        let text = manifest.to_toml().map_err(words)?;
        std::fs::write(place.path("lab.toml"), text).map_err(words)?;
        let world = block_on(lab_netns::read_world(&folder))?.map_err(words)?;
        let operator = world.cloud.operator;
        let environment = BTreeMap::from([
            ("AWS_ACCESS_KEY_ID", operator.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", operator.secret_access_key),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]);
        Ok(Self { place, id, environment })
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = self.place.words(line);
        command.envs(&self.environment);
        command
    }

    pub fn call(&self, line: &str, code: i32) -> Result<String, String> {
        said(&mut self.command(line), code)
    }

    /// Writes another manifest in the place of `lab.toml`.
    pub fn edit(
        &self,
        edit: impl FnOnce(&mut Manifest) -> Result<(), &'static str>,
    ) -> Result<(), String> {
        let path = self.place.path("lab.toml");
        let text = std::fs::read_to_string(&path).map_err(words)?;
        let mut manifest = Manifest::parse("lab.toml", &text).map_err(words)?;
        edit(&mut manifest)?;
        std::fs::write(path, manifest.to_toml().map_err(words)?).map_err(words)
    }

    pub fn grant(&self, run: &str) -> Result<String, String> {
        self.call(&format!("go {run} --key owner --by {OWNER} --expires 2h"), 0)
    }

    pub fn evidence(&self, run: &str) -> Result<Evidence, String> {
        self.place.evidence(run)
    }
}

impl Drop for AwsPlace {
    fn drop(&mut self) {
        // The trial's own verdict counts.
        let _ = self.place.call(&format!("lab down --id {}", self.id), 0);
    }
}

/// The manifest that an operator would write for this lab, were it on AWS.
fn describe(folder: &Folder, url: &str, allowed_signers: String) -> Result<Manifest, String> {
    let mut manifest = lab_netns::read_manifest(folder).map_err(words)?;
    manifest.lab.kind = LabKind::Aws;
    manifest.owner.allowed_signers = allowed_signers;
    manifest.limits.guest_settle_ms = 10_000;
    let url = Some(url.to_owned());
    manifest.endpoints = EndpointUrls { ec2: url.clone(), sts: url.clone(), iam: url };
    let stays: Vec<String> =
        manifest.nodes.values().filter_map(|entry| entry.instance_id.clone()).collect();
    let teardown = &mut manifest.teardown;
    teardown.instances = Instances::Keep;
    teardown.keep =
        [stays, teardown.release_addresses.clone(), teardown.delete_volumes.clone()].concat();
    (teardown.release_addresses, teardown.delete_volumes) = (vec![], vec![]);
    for (node, entry) in &mut manifest.nodes {
        entry.ssh = None;
        // No address of the lab leads anywhere from here; EC2 is asked for it all the same.
        entry.reach = Some(if entry.instance_id.is_some() { Reach::Private } else { Reach::Fixed });
        entry.identity_file = Some(text(&folder.operator_key()));
        entry.proxy = connect_words(folder, *node);
    }
    Ok(manifest)
}

fn connect_words(folder: &Folder, node: Node) -> Vec<String> {
    vec![text(program()), "__netns-connect".to_owned(), text(&folder.ssh_socket(node))]
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A port of loopback that leads to a socket, for as long as the test's process lives.
pub fn relay(socket: PathBuf) -> io::Result<std::net::SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = UnixStream::connect(&socket) else { continue };
            // Whoever asked sees the connection end.
            let _ = carry(near, far);
        }
    });
    Ok(address)
}

fn carry(near: TcpStream, far: UnixStream) -> io::Result<()> {
    let (mut from_near, mut to_far) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_near, &mut to_far);
        let _ = to_far.shutdown(Shutdown::Write);
    });
    let (mut from_far, mut to_near) = (far, near);
    thread::spawn(move || {
        let _ = io::copy(&mut from_far, &mut to_near);
        let _ = to_near.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn every_command() -> Result<(), String> {
    let aws = AwsPlace::new(|_| {})?;
    aws.call("lab check lab.toml", 0)?;
    aws.call("doctor --lab lab.toml", 0)?;
    // Parked, granted and gone on with.
    aws.call("preflight --lab lab.toml --out first", 3)?;
    aws.call("resume first", 3)?;
    aws.grant("first")?;
    // How a node is reached is the operator's own: the go is for the lab.
    aws.edit(|manifest| {
        let client = manifest.nodes.get_mut(&Node::CloudClient).ok_or("no client")?;
        (client.reach, client.port) = (Some(Reach::Public), Some(2022));
        Ok(())
    })?;
    aws.call("resume first", 0)?;
    was_asked_as_described(&aws.evidence("first")?, Verdict::Pass)?;
    aws.call("report first", 0)?;
    // In one command.
    waits_for_the_go(&aws)?;
    was_asked_as_described(&aws.evidence("second")?, Verdict::Pass)?;
    // A lab on AWS grants itself nothing: that is a preflight, and its owner says no.
    aws.call("run --lab lab.toml --out third", 3)?;
    aws.call("recover third", 0)?;
    was_asked_as_described(&aws.evidence("third")?, Verdict::Interrupted)
}

fn waits_for_the_go(aws: &AwsPlace) -> Result<(), String> {
    let mut command = aws.command("run --lab lab.toml --out second --wait-go 5m --leave-running");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(words)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(words)? {
            break status;
        }
        if aws.grant("second").is_ok() {
            break child.wait().map_err(words)?;
        }
    };
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}

/// The operator, the endpoints and the addresses stand in the evidence, and that this was not AWS.
fn was_asked_as_described(evidence: &Evidence, verdict: Verdict) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {:?} {:?}", evidence.operator, evidence.verdict));
    let Some(operator) = &evidence.operator else { return wrong("nobody asked") };
    if (operator.link, operator.renewal) != (IdentityLink::Ambient, Renewal::NotNeeded) {
        return wrong("another identity");
    }
    if operator.elsewhere.len() != 3 || !operator.caller.starts_with("arn:aws:") {
        return wrong("another endpoint, or nobody");
    }
    let signed = evidence.facts.as_ref().map(|facts| facts.elsewhere.len());
    if signed != Some(3) {
        return wrong("the owner was not told of the endpoints");
    }
    if !evidence.addresses.iter().any(|it| it.node == "routerd-cloud" && it.address.is_some()) {
        return wrong("no address was read");
    }
    let said = evidence.verdict.reasons.iter().any(|it| it.starts_with("this was not AWS: "));
    if !said || evidence.verdict.verdict != verdict {
        return wrong("another verdict");
    }
    Ok(())
}

const ROLE: &str = "arn:aws:iam::123456789012:role/lab-smoke-operator";

/// By flag and by manifest; one that does not trust him is refused in STS's words, before there is a run.
fn takes_a_role() -> Result<(), String> {
    let aws = AwsPlace::new(|_| {})?;
    let folder = aws.place.lab()?;
    let mut world = block_on(lab_netns::read_world(&folder))?.map_err(words)?;
    let executor = world.cloud.iam.roles.values().next().ok_or("no role")?.clone();
    let mut role = executor.clone();
    (role.name, role.arn) = ("lab-smoke-operator".to_owned(), ROLE.to_owned());
    let allow = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    role.inline_policies = BTreeMap::from([("all".to_owned(), allow.to_owned())]);
    role.trust_policy = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}]}}"#,
        world.cloud.operator.arn
    );
    world.cloud.iam.roles.insert(role.name.clone(), role);
    block_on(lab_netns::write_world(&folder, &world))?.map_err(words)?;

    let line = format!("preflight --lab lab.toml --out refused --assume-role {}", executor.arn);
    let output = aws.command(&line).output().map_err(words)?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(8)
        || !told.contains("is not authorized to perform: sts:AssumeRole")
        || !told.contains("AssumeRolePolicyDocument")
    {
        return Err(format!("{}: {told}", output.status));
    }
    aws.call(&format!("preflight --lab lab.toml --out flag --assume-role {ROLE}"), 3)?;
    took_the_role(&aws.evidence("flag")?, IdentityLink::Flag)?;
    aws.edit(|manifest| {
        manifest.identity = Some(IdentitySection { assume_role: RoleChoice::One(ROLE.to_owned()) });
        Ok(())
    })?;
    aws.call("recover flag", 0)?;
    took_the_role(&aws.evidence("flag")?, IdentityLink::Manifest)
}

fn took_the_role(evidence: &Evidence, link: IdentityLink) -> Result<(), String> {
    let run = evidence.run.as_ref().map(|run| run.id.clone()).unwrap_or_default();
    let operator = evidence.operator.as_ref().ok_or("nobody asked")?;
    let session = format!("arn:aws:sts::123456789012:assumed-role/lab-smoke-operator/{run}");
    let before = operator.caller_before.as_deref().unwrap_or_default();
    let right = operator.link == link
        && operator.assumed_role.as_deref() == Some(ROLE)
        && operator.caller == session
        && operator.session_name.as_deref() == Some(run.as_str())
        && before.ends_with(":user/lab-operator")
        && operator.renewal == Renewal::Possible
        && operator.expires_at.is_some();
    if right { Ok(()) } else { Err(format!("{link:?}: {operator:?}")) }
}
