//! A kernel lab, and a manifest of kind `aws` that describes it to whoever knows nothing of it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use lab::manifest::{EndpointUrls, Instances, Manifest, Reach, Timing};
use lab_mock::world::World;
use lab_netns::Folder;
use reports::evidence::Evidence;
use reports::record::LabKind;
use serde_json::Value;

use crate::netns::place::{Place, block_on, program, said, words};

const OWNER: &str = "owner@example.org";

/// Whoever calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallingAs {
    /// Whoever runs the tests.
    Root,
    /// Somebody without any right, where root can become one.
    Ordinary,
}

/// A kernel lab that knows nothing of the manifest that describes it. Its instances have an address and a
/// volume that outlives them.
pub struct AwsPlace {
    pub place: Place,
    who: CallingAs,
    id: String,
    /// The lab as its own manifest says it ends: with what teardown takes away.
    pub ends: lab::manifest::Teardown,
    environment: BTreeMap<&'static str, String>,
}

impl AwsPlace {
    /// With the owner's key, and the manifest in `lab.toml` after `edit`.
    pub fn new(who: CallingAs, edit: impl FnOnce(&mut Manifest)) -> Result<Self, String> {
        let place = Place::new()?;
        if who == CallingAs::Ordinary {
            // Where nobody may go: the build's own folder may lie below root's home.
            fs::set_permissions(place.path(""), Permissions::from_mode(0o777)).map_err(words)?;
            fs::remove_dir(place.labs()).map_err(words)?;
            fs::copy(program(), place.path("lab-smoke")).map_err(words)?;
        }
        let ends = lab::manifest::Teardown {
            instances: Instances::Keep,
            release_addresses: Vec::new(),
            delete_volumes: Vec::new(),
            keep: Vec::new(),
        };
        let (id, environment) = (String::new(), BTreeMap::new());
        let mut aws = Self { place, who, id, ends, environment };
        let mut keygen = aws.as_who(Path::new("ssh-keygen"));
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(aws.place.path("owner"));
        said(&mut keygen, 0)?;
        let up = "lab up netns --time-to-live 20m --outliving-volume tagged";
        aws.call(up, 0)?.trim().clone_into(&mut aws.id);
        aws.describe(edit)?;
        Ok(aws)
    }

    /// Writes the manifest, and learns the operator's key.
    fn describe(&mut self, edit: impl FnOnce(&mut Manifest)) -> Result<(), String> {
        let folder = self.place.lab()?;
        let url = format!("http://{}", relay(folder.ec2_socket()).map_err(words)?);
        let public = fs::read_to_string(self.place.path("owner.pub")).map_err(words)?;
        let mut manifest = lab_netns::read_manifest(&folder).map_err(words)?;
        self.ends = manifest.teardown.clone();
        manifest.owner.allowed_signers = format!("{OWNER} namespaces=\"lab-smoke-go\" {public}");
        describe_as_aws(&mut manifest, &folder, &url, &self.program());
        edit(&mut manifest);
        let text = manifest.to_toml().map_err(words)?;
        fs::write(self.place.path("lab.toml"), text).map_err(words)?;
        let operator = self.world()?.cloud.operator;
        self.environment = BTreeMap::from([
            ("AWS_ACCESS_KEY_ID", operator.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", operator.secret_access_key),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]);
        Ok(())
    }

    fn program(&self) -> PathBuf {
        match self.who {
            CallingAs::Root => program().to_owned(),
            CallingAs::Ordinary => self.place.path("lab-smoke"),
        }
    }

    fn as_who(&self, program: &Path) -> Command {
        match self.who {
            CallingAs::Ordinary if nix::unistd::geteuid().is_root() => {
                let mut command = self.place.command(Path::new("setpriv"));
                let nobody =
                    ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
                command.args(nobody).arg(program).env("HOME", "/nonexistent");
                command
            }
            CallingAs::Root | CallingAs::Ordinary => self.place.command(program),
        }
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = self.as_who(&self.program());
        command.args(line.split_whitespace()).envs(&self.environment);
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
        let text = fs::read_to_string(&path).map_err(words)?;
        let mut manifest = Manifest::parse("lab.toml", &text).map_err(words)?;
        edit(&mut manifest)?;
        fs::write(path, manifest.to_toml().map_err(words)?).map_err(words)
    }

    pub fn world(&self) -> Result<World, String> {
        block_on(lab_netns::read_world(&self.place.lab()?))?.map_err(words)
    }

    /// Changes the lab's world behind everybody's back.
    pub fn change(
        &self,
        change: impl FnOnce(&mut World) -> Result<(), &'static str>,
    ) -> Result<(), String> {
        let mut world = self.world()?;
        change(&mut world)?;
        block_on(lab_netns::write_world(&self.place.lab()?, &world))?.map_err(words)
    }

    /// The policies that the program itself writes for the manifest, by name.
    pub fn rendered_policies(&self) -> Result<BTreeMap<String, Value>, String> {
        serde_json::from_str(&self.call("iam render lab.toml", 0)?).map_err(words)
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
        let _ = self.call(&format!("lab down --id {}", self.id), 0);
    }
}

/// Makes of the lab's own manifest the one that an operator would write, were it on AWS. What is late there
/// is not late here, and is waited for as in the kernel lab.
fn describe_as_aws(manifest: &mut Manifest, folder: &Folder, url: &str, program: &Path) {
    manifest.lab.kind = LabKind::Aws;
    manifest.timing = Timing { look_again_ms: Some(200), daemon_rounds_ms: Some(0) };
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
        let socket = text(&folder.ssh_socket(*node));
        entry.proxy = vec![text(program), "__netns-connect".to_owned(), socket];
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A port of loopback that leads to a socket, for as long as the test's process lives.
fn relay(socket: PathBuf) -> io::Result<std::net::SocketAddr> {
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
