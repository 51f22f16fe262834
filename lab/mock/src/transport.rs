//! The operator's way to the mock's nodes.

use futures::future::{FutureExt as _, LocalBoxFuture};

use super::shell::{self, Lost};
use super::world::Shared;
use lab::clock::Clock;
use lab::node::{Node, Output};
use lab::shell::{Heard, Transport, TransportError};

pub(super) struct MockTransport {
    pub shared: Shared,
    pub clock: Clock,
}

impl Transport for MockTransport {
    fn run<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        async move {
            shell::run_command(&self.shared, self.clock, node, argv, stdin).await.map_err(told)
        }
        .boxed_local()
    }

    fn follow<'a>(
        &'a self,
        node: Node,
        argv: &'a [String],
        heard: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>> {
        shell::follow_command(&self.shared, self.clock, node, argv, heard)
            .map(|ended| ended.map_err(told))
            .boxed_local()
    }
}

fn told(lost: Lost) -> TransportError {
    match lost {
        Lost::NotConnected(why) => TransportError::Unreachable(why),
        Lost::OtherHostKey(why) => TransportError::OtherHostKey(why),
        Lost::Broken(_) => TransportError::Lost(lost.to_string()),
    }
}
