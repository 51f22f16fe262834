//! The files of a node that are read as what they hold.

use reports::digest::Digest;

use super::Observe;
use super::readings::Unread;
use crate::act::{Burn, LOCK_PATH, LockState};
use crate::manifest::Routerd;
use crate::node::Output;
use crate::router_yaml::{Problem, RouterConfig, read_config};

impl Observe<Result<Vec<u8>, Unread>> {
    /// A file of the node. What lies in the run's own folder is the run's; of any other file that
    /// is not for everybody the evidence has a digest.
    pub fn read_file(path: &str) -> Self {
        Observe::file_as_printed(path).read_as(read_bytes)
    }
}

fn read_bytes(output: Output) -> Result<Vec<u8>, Unread> {
    match output.code {
        0 => Ok(output.stdout),
        code => Err(Unread::ended(code, &output.stderr)),
    }
}

/// A node's router.yaml.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterYaml {
    pub sha256: Digest,
    /// The facts of it, or all that is wrong with it.
    pub config: Result<RouterConfig, Vec<Problem>>,
}

impl Observe<Result<RouterYaml, Unread>> {
    /// The router.yaml that the manifest names.
    pub fn router_yaml(routerd: &Routerd) -> Self {
        Observe::file_as_printed(&routerd.config).read_as(|output| {
            let bytes = read_bytes(output)?;
            let config = read_config(&String::from_utf8_lossy(&bytes));
            Ok(RouterYaml { sha256: Digest::of(&bytes), config })
        })
    }
}

impl Observe<Result<Option<Burn>, Unread>> {
    /// The file of a burnt go; none where it holds something else.
    pub fn burn(path: &str) -> Self {
        Observe::file_as_printed(path)
            .read_as(|output| Ok(serde_json::from_slice(&read_bytes(output)?).ok()))
    }
}

impl Observe<LockState> {
    /// The lab's lock, as it is for this run.
    pub fn lock(run_id: &str) -> Self {
        let run_id = run_id.to_owned();
        Observe::file_as_printed(LOCK_PATH).read_as(move |output| LockState::read(&output, &run_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, example_manifest};

    #[test]
    fn a_router_yaml_has_its_digest_whatever_is_wrong_with_it() {
        let output = |code| Output { code, stdout: b"policy".to_vec(), stderr: b"no\n".to_vec() };
        let manifest = Manifest::parse("example.toml", example_manifest()).expect("example");
        let command = Observe::router_yaml(&manifest.routerd);
        let read = command.read(output(0)).expect("a file");
        assert_eq!(read.sha256, Digest::of("policy"));
        assert!(read.config.is_err(), "{read:?}");
        let ended = Unread::Ended { code: 1, said: "no".to_owned() };
        assert_eq!(command.read(output(1)), Err(ended));
    }
}
