//! The shape of a fault: what it breaks, on which labs, and where it was seen. What a run owes to
//! it is the runbook's, under the same name (`scenarios/src/answers/`).

use super::kernel::{Deed, KernelMeans};
use crate::world::World;

#[derive(Debug)]
pub struct Fault {
    pub name: &'static str,
    /// The default one; none where it takes none.
    pub argument: Option<&'static str>,
    pub breaks: &'static str,
    pub labs: &'static [&'static str],
    /// The section of the runbook that it touches.
    pub runbook: &'static str,
    /// Where it was seen, or why it is thought of.
    pub source: &'static str,
    /// The model's means.
    pub inject: Inject,
    /// The kernel's.
    pub kernel: KernelMeans,
}

/// Puts the fault with its argument into a world; answers what is wrong with the argument.
pub type Inject = fn(&mut World, &str) -> Result<(), String>;

const BOTH: &[&str] = &["mock", "netns"];

/// A row of the table is a chain of these: what breaks, on which lab, where it comes from.
impl Fault {
    pub(super) const fn new(name: &'static str, breaks: &'static str, inject: Inject) -> Self {
        Self {
            name,
            argument: None,
            breaks,
            labs: &["mock"],
            runbook: "",
            source: "",
            inject,
            kernel: KernelMeans::Nothing,
        }
    }

    pub(super) const fn argument(self, default: &'static str) -> Self {
        Self { argument: Some(default), ..self }
    }

    /// In the kernel lab too, by the world and its events.
    pub(super) const fn on_netns(self) -> Self {
        Self { labs: BOTH, kernel: KernelMeans::World, ..self }
    }

    /// In the kernel lab too, by what is done to its nodes.
    pub(super) const fn in_kernel(self, deeds: fn(&str) -> Result<Vec<Deed>, String>) -> Self {
        Self { labs: BOTH, kernel: KernelMeans::Nodes(deeds), ..self }
    }

    pub(super) const fn from(self, runbook: &'static str, source: &'static str) -> Self {
        Self { runbook, source, ..self }
    }
}
