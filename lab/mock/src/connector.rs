//! The AWS SDK's HTTP client that ends in the world instead of a socket.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::ec2::{self, Response, metadata};
use super::faults::CallerKind;
use super::world::Shared;
use lab::clock::Clock;
use lab::node::Node;

/// Where the metadata service is on every instance.
const METADATA_HOST: &str = "169.254.169.254";

/// A network cable of the world: everything that is sent ends in it.
#[derive(Clone)]
pub struct Connector {
    shared: Shared,
    clock: Clock,
    place: ClientPlace,
}

/// Where the client runs.
#[derive(Clone, Copy, Debug)]
enum ClientPlace {
    /// At the operator's desk: AWS is far away, and there is no metadata service.
    Desk,
    Node(Node),
}

impl Connector {
    /// For the harness.
    pub fn operator(shared: Shared, clock: Clock) -> SharedHttpClient {
        Self { shared, clock, place: ClientPlace::Desk }.into_client()
    }

    /// For a program on a node. On a running instance the metadata service answers as well;
    /// elsewhere nothing listens at its address.
    pub fn instance(shared: Shared, clock: Clock, node: Node) -> SharedHttpClient {
        Self { shared, clock, place: ClientPlace::Node(node) }.into_client()
    }

    fn into_client(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }

    async fn exchange(self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // The body must be read to its end: the SDK takes one that is only peeked at for a stalled
        // upload, and aborts answers slower than about six seconds.
        let body = ByteStream::new(request.take_body())
            .collect()
            .await
            .map_err(|error| ConnectorError::user(error.into()))?
            .into_bytes();
        let response = if host(&request) == METADATA_HOST {
            self.metadata(&request)?
        } else {
            let headers = ec2::Headers {
                authorization: request.headers().get("authorization"),
                security_token: request.headers().get(ec2::SECURITY_TOKEN),
            };
            let from = match self.place {
                ClientPlace::Desk => CallerKind::Operator,
                ClientPlace::Node(_) => CallerKind::Instance,
            };
            ec2::answer_request(&self.shared, self.clock, from, headers, &body)
                .await
                .map_err(|ec2::Broken| io_error(std::io::ErrorKind::ConnectionReset))?
        };
        to_http(response)
    }

    fn metadata(&self, request: &HttpRequest) -> Result<Response, ConnectorError> {
        let refused = || io_error(std::io::ErrorKind::ConnectionRefused);
        let ClientPlace::Node(node) = self.place else { return Err(refused()) };
        let now = self.clock.now();
        let mut world = self.shared.lock();
        world.cloud.advance(now);
        let instance = world.cloud.instance_of(node).ok_or_else(refused)?;
        if !world.cloud.instance_running(&instance.id, now) {
            return Err(refused());
        }
        let uri = request.uri();
        let path = uri.parse::<http::Uri>().map(|uri| uri.path().to_owned());
        let query = metadata::Query {
            method: request.method(),
            path: path.as_deref().unwrap_or(uri),
            token: request.headers().get("x-aws-ec2-metadata-token"),
            ttl_seconds: request.headers().get("x-aws-ec2-metadata-token-ttl-seconds"),
        };
        Ok(metadata::answer_query(&world.cloud, instance, &query, now))
    }
}

fn host(request: &HttpRequest) -> String {
    let uri: Option<http::Uri> = request.uri().parse().ok();
    uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
}

fn io_error(kind: std::io::ErrorKind) -> ConnectorError {
    ConnectorError::io(std::io::Error::from(kind).into())
}

fn to_http(response: Response) -> Result<HttpResponse, ConnectorError> {
    let status = response.status.try_into().map_err(|_| {
        ConnectorError::user(format!("{} is no HTTP status", response.status).into())
    })?;
    let mut http = HttpResponse::new(status, SdkBody::from(response.body));
    for (name, value) in response.headers {
        http.headers_mut().insert(name, value);
    }
    Ok(http)
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("place", &self.place).finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}
