//! One lab, put together: the EC2 API, the nodes, the clock, and the manifest that says which.

use std::rc::Rc;

use crate::clock::Clock;
use crate::ec2::{Connection, Mutator, Reader};
use crate::manifest::Manifest;
use crate::shell::{Shell, Transport};

/// What the scenarios run on. They never ask which lab it is.
#[derive(Clone)]
pub struct Lab {
    pub manifest: Rc<Manifest>,
    pub clock: Clock,
    pub reader: Reader,
    pub shell: Shell,
    pub(crate) mutator: Mutator,
    after_effect: Rc<dyn Fn()>,
}

impl Lab {
    /// `after_effect` is called after each mutation, whatever came of it.
    pub fn new(
        manifest: Manifest,
        clock: Clock,
        connection: &Connection,
        transport: Rc<dyn Transport>,
        after_effect: Rc<dyn Fn()>,
    ) -> Self {
        Self {
            manifest: Rc::new(manifest),
            clock,
            reader: Reader::new(connection),
            shell: Shell::new(transport, clock),
            mutator: Mutator::new(connection),
            after_effect,
        }
    }

    pub(crate) fn changed(&self) {
        (self.after_effect)();
    }
}
