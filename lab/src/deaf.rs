//! For tests: a lab at which nobody answers, neither EC2 nor a node.

use std::rc::Rc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use futures::future::LocalBoxFuture;

use crate::Lab;
use crate::clock::Clock;
use crate::ec2::{AwsConnection, ServiceUrls};
use crate::manifest::{Manifest, example_manifest};
use crate::node::{Node, Output};
use crate::shell::{Heard, Transport, TransportError};

#[derive(Debug)]
struct Nobody;

impl HttpConnector for Nobody {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::other("nobody answers".into(), None)))
    }
}

impl Transport for Nobody {
    fn run<'a>(
        &'a self,
        _node: Node,
        _argv: &'a [String],
        _stdin: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        Box::pin(std::future::ready(Err(silence())))
    }

    fn follow<'a>(
        &'a self,
        _node: Node,
        _argv: &'a [String],
        _heard: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>> {
        Box::pin(std::future::ready(Err(silence())))
    }
}

fn silence() -> TransportError {
    TransportError::Unreachable("nobody answers".to_owned())
}

/// Must be called inside the paused runtime.
pub fn open_deaf_lab() -> Lab {
    let clock = Clock::System;
    let connection = AwsConnection {
        region: "ap-northeast-1".to_owned(),
        credentials: SharedCredentialsProvider::new(Credentials::new(
            "nobody", "knows", None, None, "nobody",
        )),
        http_client: http_client_fn(|_, _| SharedHttpConnector::new(Nobody)),
        sleep: clock.sdk_sleep(),
        time: clock.sdk_time(),
        urls: ServiceUrls::default(),
        app_name: None,
        retry_partition: "nobody".to_owned(),
    };
    let manifest = Manifest::parse("the example", example_manifest()).expect("a manifest");
    Lab::new(manifest, clock, &connection, Rc::new(Nobody), Rc::new(|| Ok(())))
}
