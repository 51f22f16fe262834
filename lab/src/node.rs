//! The four nodes of the lab, and what a command on one of them answers.

use serde::{Deserialize, Serialize};

/// One of the four nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// `.4`: routerd and its executor run here; the captured address goes to its ENI.
    RouterdCloud,
    /// `.7`.
    CloudClient,
    /// The other end of the overlay.
    OnpremRouter,
    /// `.9`: who really has the captured address.
    OnpremClient,
}

impl Node {
    /// All four nodes, in their order.
    pub const ALL: [Self; 4] =
        [Self::RouterdCloud, Self::CloudClient, Self::OnpremRouter, Self::OnpremClient];

    /// The node's name in the manifest and the journal, as `routerd-cloud`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RouterdCloud => "routerd-cloud",
            Self::CloudClient => "cloud-client",
            Self::OnpremRouter => "onprem-router",
            Self::OnpremClient => "onprem-client",
        }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The exit status and the output that a program left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit status as a shell shows it: 128 + n after signal n.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}
