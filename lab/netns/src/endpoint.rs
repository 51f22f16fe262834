//! The services of the supervisor: EC2 to the desk and to the nodes, metadata to each instance, and
//! the world itself to whoever prepares or inspects the lab.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post, put};
use tokio::net::UnixListener;

use super::explain;
use super::folder::Folder;
use super::held::Held;
use super::left;
use super::node::{EC2_SOCKET, METADATA_SOCKET};
use lab::node::Node;
use lab_mock::cloud::InstanceState;
use lab_mock::ec2::{self, metadata};
use lab_mock::faults::CallerKind;
use lab_mock::serve::{answer_broken, plain_headers, to_http};
use lab_mock::world::World;
use lab_programs::services::POWER_OFF;

/// Serves until the process ends.
///
/// # Errors
/// Where a socket cannot be made.
pub fn serve(held: &Arc<Held>, folder: &Folder) -> std::io::Result<()> {
    listen(&folder.ec2_socket(), ec2_router(held, CallerKind::Operator))?;
    for node in [Node::RouterdCloud, Node::CloudClient] {
        let inside = folder.inside_of(node);
        listen(&inside.join(EC2_SOCKET), ec2_router(held, CallerKind::Instance))?;
        listen(&inside.join(METADATA_SOCKET), metadata_router(held, node))?;
    }
    listen(&folder.supervisor_socket(), supervisor_router(held))
}

fn listen(path: &Path, router: Router) -> std::io::Result<()> {
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

fn ec2_router(held: &Arc<Held>, from: CallerKind) -> Router {
    Router::new().fallback(answer_ec2).with_state((held.clone(), from))
}

async fn answer_ec2(
    State((held, from)): State<(Arc<Held>, CallerKind)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let headers = plain_headers(&headers);
    let http = ec2::Http::of(&method, &uri, &headers, &body);
    let answer = ec2::answer_signed(&held.shared, held.clock, from, &http).await;
    if let Err(error) = held.settle().await {
        tracing::error!(%error, "the fabric does not follow the world");
        return answer_broken();
    }
    answer.map_or_else(|ec2::Broken| answer_broken(), to_http)
}

fn metadata_router(held: &Arc<Held>, node: Node) -> Router {
    Router::new().fallback(answer_metadata).with_state((held.clone(), node))
}

async fn answer_metadata(
    State((held, node)): State<(Arc<Held>, Node)>,
    request: Request,
) -> Response {
    let now = held.clock.now();
    if request.method() == Method::PUT && request.uri().path() == POWER_OFF {
        return power_off(&held, node).await;
    }
    let mut world = held.shared.lock();
    world.cloud.advance(now);
    let Some(instance) = world.cloud.instance_of(node) else { return answer_broken() };
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let query = metadata::Query {
        method: request.method().as_str(),
        path: request.uri().path(),
        token: text("x-aws-ec2-metadata-token"),
        ttl_seconds: text("x-aws-ec2-metadata-token-ttl-seconds"),
    };
    to_http(metadata::answer_query(&world.cloud, instance, &query, now))
}

/// The node's own operating system powers it off: EC2 sees that, and nobody asked it.
async fn power_off(held: &Held, node: Node) -> Response {
    let now = held.clock.now();
    {
        let mut world = held.shared.lock();
        world.cloud.advance(now);
        let id = world.cloud.instance_of(node).map(|instance| instance.id.clone());
        let instance = id.and_then(|id| world.cloud.instances.get_mut(&id));
        let Some(instance) = instance else { return answer_broken() };
        if instance.state == InstanceState::Running {
            instance.shut_itself_down(now);
        }
    }
    plain(held.settle().await.map(|()| "off"))
}

fn supervisor_router(held: &Arc<Held>) -> Router {
    Router::new()
        .route("/world", get(read_world).put(write_world))
        .route("/faults", post(inject))
        .route("/run", put(leave_to_process))
        .route("/moments", post(moment))
        .route("/counters", get(counters))
        .route("/explain/{source}/{destination}", get(walk))
        .with_state(held.clone())
}

async fn read_world(State(held): State<Arc<Held>>) -> Response {
    let world = held.shared.lock().clone();
    json(Ok(world))
}

async fn write_world(State(held): State<Arc<Held>>, body: Bytes) -> Response {
    let world: World = match serde_json::from_slice(&body) {
        Ok(world) => world,
        Err(error) => return json::<()>(Err(error.into())),
    };
    *held.shared.lock() = world;
    json(held.settle().await)
}

async fn leave_to_process(State(held): State<Arc<Held>>, run: Bytes) -> Response {
    json(left::watch_run(held, &run))
}

async fn inject(State(held): State<Arc<Held>>, fault: String) -> Response {
    json(held.inject(&fault).await)
}

async fn moment(State(held): State<Arc<Held>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(moment) => json(held.moment(&moment).await),
        Err(error) => json::<()>(Err(error.into())),
    }
}

async fn counters() -> Response {
    json(explain::read_counters().await)
}

async fn walk(
    State(held): State<Arc<Held>>,
    axum::extract::Path((source, destination)): axum::extract::Path<(
        std::net::Ipv4Addr,
        std::net::Ipv4Addr,
    )>,
) -> Response {
    json(explain::trace_packet(&held, source, destination).await)
}

fn json<T: serde::Serialize>(answer: std::io::Result<T>) -> Response {
    plain(answer.and_then(|value| Ok(serde_json::to_vec(&value)?)))
}

fn plain(answer: std::io::Result<impl Into<Body>>) -> Response {
    match answer {
        Ok(body) => Response::new(body.into()),
        Err(error) => {
            let mut response = Response::new(Body::from(error.to_string()));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}
