//! The endpoint over loopback HTTP, for anything that speaks EC2. It prints nothing: whoever serves
//! says what is served.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use axum::routing::{get, post};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::cloud::Cloud;
use super::control;
use super::ec2;
use super::faults::CallerKind;
use super::guard::{self, Door};
use super::state_file::StateFile;
use super::world::Shared;
use lab::clock::Clock;
use lab::node::Node;

/// A served world. Dropping it ends the serving; [`Serving::stop`] lets open answers end first.
#[derive(Debug)]
pub struct Serving {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// How a world is served.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// 0 takes a free one.
    pub port: u16,
    /// Every request is authorised by the policies of whoever signed it.
    pub enforce_iam: bool,
    /// The world starts from this file where there is one, and is written back after each change.
    pub state_file: Option<PathBuf>,
}

/// Serves EC2, STS and IAM at one port of 127.0.0.1; port 0 takes a free one. Needs an unpaused
/// runtime: what is outside does not wait in virtual time.
///
/// # Errors
/// Where the port cannot be bound.
pub async fn serve_api(shared: Shared, clock: Clock, port: u16) -> std::io::Result<Serving> {
    serve_with(shared, clock, ServeOptions { port, ..ServeOptions::default() }).await
}

/// The same with options; `/_lab-smoke/world` shows the world, `/_lab-smoke/faults` takes faults.
///
/// # Errors
/// Where the port cannot be bound, or the state file holds no world or cannot be written.
pub async fn serve_with(
    shared: Shared,
    clock: Clock,
    options: ServeOptions,
) -> std::io::Result<Serving> {
    let state = match options.state_file {
        Some(path) => Some(StateFile::open(path, &shared, clock)?),
        None => None,
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = listener.local_addr()?;
    let port = address.port();
    let (stop, stopped) = oneshot::channel();
    let endpoint = Endpoint { shared, clock, enforce_iam: options.enforce_iam, state };
    let router = Router::new()
        .route("/_lab-smoke/world", get(control::get_world))
        .route("/_lab-smoke/faults", post(control::inject_faults))
        .fallback(answer)
        .with_state(endpoint)
        // The guard has its own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            guard::refuse_strangers(port, clock, request, next)
        }));
    let door = Door::new(listener, clock);
    let task = tokio::spawn(async move {
        let ends = async move {
            // A dropped sender is an end as well.
            let _ = stopped.await;
        };
        axum::serve(door, router).with_graceful_shutdown(ends).await
    });
    Ok(Serving { address, stop, task })
}

impl Serving {
    /// The variables that a shell must export so that SDKs and the AWS CLI come here, and the lab's
    /// ids.
    pub fn exports(&self, cloud: &Cloud) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        let mut exports = vec![
            ("AWS_ENDPOINT_URL".to_owned(), endpoint),
            ("AWS_REGION".to_owned(), cloud.region.clone()),
            ("AWS_DEFAULT_REGION".to_owned(), cloud.region.clone()),
            ("AWS_ACCESS_KEY_ID".to_owned(), cloud.operator.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), cloud.operator.secret_access_key.clone()),
        ];
        exports.extend(lab_ids(cloud));
        exports
    }

    /// Takes no more requests, and waits until `patience` ends or the open ones are answered.
    ///
    /// # Errors
    /// Where serving had failed.
    pub async fn stop(self, patience: impl Future<Output = ()>) -> std::io::Result<()> {
        // Nobody to tell: it has ended.
        let _ = self.stop.send(());
        let mut task = self.task;
        tokio::select! {
            ended = &mut task => ended.unwrap_or_else(|error| Err(std::io::Error::other(error))),
            () = patience => {
                task.abort();
                Ok(())
            }
        }
    }
}

/// Names for what the runbook calls `<eni-id>`, `<subnet-id>` and so on.
fn lab_ids(cloud: &Cloud) -> Vec<(String, String)> {
    let mut ids = Vec::new();
    let mut add = |name: &str, id: &str| ids.push((name.to_owned(), id.to_owned()));
    for (node, name) in [(Node::RouterdCloud, "ROUTERD_CLOUD"), (Node::CloudClient, "CLOUD_CLIENT")]
    {
        let Some(instance) = cloud.instance_of(node) else { continue };
        add(&format!("{name}_INSTANCE_ID"), &instance.id);
        let interfaces = cloud.interfaces_of(&instance.id);
        let Some(eni) = interfaces.first() else { continue };
        if node == Node::RouterdCloud {
            add("ENI_ID", &eni.id);
            add("SUBNET_ID", &eni.subnet_id);
            add("VPC_ID", &eni.vpc_id);
        }
    }
    for id in cloud.addresses.keys() {
        add("ALLOCATION_ID", id);
    }
    for volume in cloud.volumes.values().filter(|volume| volume.attachments.is_empty()) {
        add("VOLUME_ID", &volume.id);
    }
    for name in cloud.iam.roles.keys() {
        add("ROLE_NAME", name);
    }
    ids
}

#[derive(Clone)]
pub(super) struct Endpoint {
    pub shared: Shared,
    pub clock: Clock,
    enforce_iam: bool,
    state: Option<StateFile>,
}

impl Endpoint {
    /// After a change.
    pub fn save(&self) -> std::io::Result<()> {
        self.state.as_ref().map_or(Ok(()), |state| state.write(&self.shared, self.clock))
    }
}

/// The answer where the state file cannot be written: an error, never silence.
pub(super) fn answer_unsaved(error: &std::io::Error) -> HttpResponse {
    let message = format!("The change was made, and the state file was not: {error}\n");
    (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
}

async fn answer(
    State(endpoint): State<Endpoint>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse {
    let headers = plain_headers(&headers);
    let http = ec2::Http::of(&method, &uri, &headers, &body);
    let (shared, clock) = (&endpoint.shared, endpoint.clock);
    let answer = if endpoint.enforce_iam {
        ec2::answer_signed(shared, clock, CallerKind::Operator, &http).await
    } else {
        let headers = ec2::Headers {
            authorization: http.header("authorization"),
            security_token: http.header(ec2::SECURITY_TOKEN),
        };
        ec2::answer_request(shared, clock, CallerKind::Operator, headers, http.form()).await
    };
    if let Err(error) = endpoint.save() {
        return answer_unsaved(&error);
    }
    match answer {
        Ok(response) => to_http(response),
        Err(ec2::Broken) => answer_broken(),
    }
}

/// Names in lower case, as the signature sees them.
pub fn plain_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect()
}

pub fn to_http(response: ec2::Response) -> HttpResponse {
    let mut http = HttpResponse::builder().status(response.status);
    for (name, value) in response.headers {
        http = http.header(name, value);
    }
    http.body(Body::from(response.body)).unwrap_or_else(|_| answer_broken())
}

/// A body that fails before its first byte: the client sees the connection end.
pub fn answer_broken() -> HttpResponse {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(reset) }));
    let mut http = HttpResponse::new(body);
    *http.status_mut() = StatusCode::OK;
    http
}
