//! HTTP over a unix socket: how the harness, which stays outside, reaches EC2 and the supervisor.

use std::io;
use std::path::{Path, PathBuf};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use axum::body::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// One request over a connection of its own.
///
/// # Errors
/// Where nobody listens, or the connection ends before the answer does.
pub async fn send_request(
    socket: &Path,
    request: Request<Full<Bytes>>,
) -> io::Result<Response<Bytes>> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    // The connection moves the bytes; an answer that is complete needs it no longer.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}

fn broken(error: hyper::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// The AWS SDK's client through one socket, wherever the request says it goes.
#[derive(Clone, Debug)]
pub struct UnixClient {
    socket: PathBuf,
}

impl UnixClient {
    pub fn shared(socket: PathBuf) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Self { socket });
        http_client_fn(move |_, _| connector.clone())
    }

    async fn exchange(self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let body = ByteStream::new(request.take_body())
            .collect()
            .await
            .map_err(|error| ConnectorError::user(error.into()))?
            .into_bytes();
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?
            .map(|_| Full::new(body));
        let request = with_host(request);
        let (head, body) =
            send_request(&self.socket, request).await.map_err(unanswered)?.into_parts();
        Response::from_parts(head, SdkBody::from(body)).try_into().map_err(
            |error: aws_smithy_runtime_api::http::HttpError| {
                ConnectorError::other(error.into(), None)
            },
        )
    }
}

/// Where nobody listens the lab has ended, and asking again is in vain; all else may be tried again.
fn unanswered(error: io::Error) -> ConnectorError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            ConnectorError::other(error.into(), None)
        }
        _ => ConnectorError::io(error.into()),
    }
}

/// The host's name goes into its header, the path alone into the first line.
fn with_host<B>(mut request: Request<B>) -> Request<B> {
    if let Some(host) = request.uri().authority().map(ToString::to_string)
        && let Ok(host) = host.parse()
    {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse();
    if let Ok(path) = path {
        *request.uri_mut() = path;
    }
    request
}

impl HttpConnector for UnixClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use axum::Router;
    use axum::extract::Request as Asked;

    use super::*;

    #[tokio::test]
    async fn a_request_goes_through_the_socket_and_names_its_host() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let router = Router::new().fallback(async |asked: Asked| {
            let host = asked.headers()[header::HOST].to_str().unwrap().to_owned();
            format!("{} {host} {}", asked.method(), asked.uri())
        });
        let server = tokio::spawn(async { axum::serve(listener, router).await });
        let request = Request::post("http://ec2.lab/path?q=1").body(Full::default()).unwrap();
        let answer = send_request(&socket, with_host(request)).await.unwrap();
        assert_eq!(answer.body(), "POST ec2.lab /path?q=1");
        server.abort();
    }

    #[tokio::test]
    async fn a_connection_that_ends_without_an_answer_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let server = tokio::spawn(async move { drop(listener.accept().await) });
        let request = Request::get("/").body(Full::default()).unwrap();
        assert!(send_request(&socket, request).await.is_err());
        server.await.unwrap();
        std::fs::remove_file(&socket).unwrap();
        assert!(
            send_request(&socket, Request::get("/").body(Full::default()).unwrap()).await.is_err()
        );
    }
}
