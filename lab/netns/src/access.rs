//! How the harness reaches a lab: its manifest, ssh's configuration, and the pinned host keys.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use reports::record::LabKind;

use super::folder::{Folder, write_private};
use super::node_files::{OUTAGE_PROBE, USER};
use super::program::CONNECT_COMMAND;
use lab::manifest::Manifest;
use lab::node::Node;
use lab::ssh_transport::{Access, Host, make_ssh_config};
use lab_mock::world::World;

/// The name that a host key is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Between the nodes.
    Address,
    /// From outside, where no address of the lab leads anywhere.
    Name,
}

/// # Errors
/// Where the world has no manifest, or a file cannot be written.
pub fn write(
    folder: &Folder,
    world: &World,
    planner_sha256: &str,
    allowed_signers: &str,
) -> io::Result<()> {
    let mut manifest = manifest(world)?;
    allowed_signers.clone_into(&mut manifest.owner.allowed_signers);
    planner_sha256.clone_into(&mut manifest.routerd.planner_sha256);
    let text = manifest.to_toml().map_err(io::Error::other)?;
    write_private(&folder.manifest(), text.as_bytes())?;
    write_private(&folder.known_hosts(), known_hosts(world, By::Name)?.as_bytes())?;
    let program = std::env::current_exe()?;
    let hosts: Vec<_> = Node::ALL
        .into_iter()
        .map(|node| (node, proxy_command(&program, &folder.ssh_socket(node))))
        .collect();
    let hosts: Vec<_> = hosts
        .iter()
        .map(|(node, proxy_command)| Host { name: node.as_str(), user: USER, proxy_command })
        .collect();
    let text = make_ssh_config(&hosts, &folder.operator_key(), &folder.known_hosts());
    write_private(&folder.ssh_config(), text.as_bytes())
}

pub fn make_access(folder: &Folder) -> Access {
    let hosts: BTreeMap<_, _> =
        Node::ALL.into_iter().map(|node| (node, node.as_str().to_owned())).collect();
    Access { config: folder.ssh_config(), control_folder: folder.control_folder(), hosts }
}

pub fn known_hosts(world: &World, by: By) -> io::Result<String> {
    let nodes = manifest(world)?.nodes;
    let line = |(node, entry): (&Node, &lab::manifest::NodeEntry)| match by {
        By::Address => format!("{} {}\n", entry.address, entry.host_key),
        By::Name => format!("{node} {}\n", entry.host_key),
    };
    Ok(nodes.iter().map(line).collect())
}

/// The mock's, of this kind and with a way in.
fn manifest(world: &World) -> io::Result<Manifest> {
    let mut manifest = lab_mock::manifest_of(world).map_err(io::Error::other)?;
    manifest.lab.kind = LabKind::Netns;
    "netns".clone_into(&mut manifest.lab.name);
    for (node, entry) in &mut manifest.nodes {
        entry.ssh = Some(format!("{USER}@{node}"));
        USER.clone_into(&mut entry.user);
        if matches!(node, Node::CloudClient | Node::OnpremClient) {
            entry.outage_probe = Some(OUTAGE_PROBE.to_owned());
        }
    }
    Ok(manifest)
}

/// ssh hands it to a shell, after it has read `%` for itself.
fn proxy_command(program: &Path, socket: &Path) -> String {
    let quoted = |path: &Path| {
        let text = path.display().to_string();
        format!("'{}'", text.replace('\'', "'\\''").replace('%', "%%"))
    };
    format!("{} {CONNECT_COMMAND} {}", quoted(program), quoted(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_one_that_a_run_takes() {
        let world = lab_mock::world_of(7, chrono::DateTime::UNIX_EPOCH);
        let text = manifest(&world).and_then(|m| m.to_toml().map_err(io::Error::other));
        let text = text.expect("a manifest");
        let manifest = Manifest::parse("lab.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(manifest.lab.kind, LabKind::Netns);
        assert_eq!(manifest.nodes[&Node::OnpremClient].ssh.as_deref(), Some("lab@onprem-client"));
    }

    #[test]
    fn a_path_means_nothing_to_the_shell_or_to_ssh() {
        let text = proxy_command(Path::new("/a b/lab'smoke"), Path::new("/tmp/100%/x.sock"));
        assert_eq!(text, "'/a b/lab'\\''smoke' __netns-connect '/tmp/100%%/x.sock'");
    }
}
