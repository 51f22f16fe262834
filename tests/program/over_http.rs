//! What a request over HTTP comes to, whatever happens to it on its way: a proxy stands before the
//! served mock and does to one call what AWS or the network may. The verdict of each is written down.

#![expect(clippy::unwrap_used, reason = "tests")]

mod proxy;

use std::rc::Rc;
use std::thread;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures::future::{FutureExt as _, LocalBoxFuture};
use lab::Lab;
use lab::clock::Clock;
use lab::ec2::{AwsConnection, ReadError, ServiceUrls};
use lab::node::{Node, Output};
use lab::permit::Cost;
use lab::shell::{Heard, Transport, TransportError};
use lab_mock::serve::{ServeOptions, serve_with};
use lab_mock::world::Shared;
use lab_programs::host::Machine;
use lab_programs::process::Host as _;
use lab_smoke_tests::extent;
use reports::journal::Writer;
use reports::record::Kind;

use proxy::{Befalls, OnTheWay, Proxy};

const READ: &str = "DescribeInstances";
const STOP: &str = "StopInstances";

/// No node is asked anything here.
#[derive(Debug)]
struct NoNodes;

impl Transport for NoNodes {
    fn run<'a>(
        &'a self,
        _: Node,
        _: &'a [String],
        _: &'a [u8],
    ) -> LocalBoxFuture<'a, Result<Output, TransportError>> {
        std::future::ready(Err(TransportError::Unreachable("nobody".to_owned()))).boxed_local()
    }

    fn follow<'a>(
        &'a self,
        _: Node,
        _: &'a [String],
        _: &'a Heard,
    ) -> LocalBoxFuture<'a, Result<i32, TransportError>> {
        std::future::ready(Err(TransportError::Unreachable("nobody".to_owned()))).boxed_local()
    }
}

/// A lab whose EC2 is behind the proxy, or where nobody is.
fn lab_at(shared: &Shared, url: String) -> Lab {
    let world = shared.lock();
    let operator = &world.cloud.operator;
    let keys =
        Credentials::new(&operator.access_key_id, &operator.secret_access_key, None, None, "tests");
    let manifest = lab_mock::manifest_of(&world).unwrap();
    let connection = AwsConnection {
        region: world.cloud.region.clone(),
        credentials: SharedCredentialsProvider::new(keys),
        http_client: Machine::new().unwrap().http_client(),
        sleep: Clock::System.sdk_sleep(),
        time: Clock::System.sdk_time(),
        urls: ServiceUrls::all_at(&url),
        app_name: None,
        retry_partition: url,
    };
    Lab::new(manifest, Clock::System, &connection, Rc::new(NoNodes), Rc::new(|| Ok(())))
}

/// Each row in a thread of its own, for most of them wait.
fn all_at_once<T: Send + Sync>(rows: &[T], run: impl Fn(&T) -> Result<(), String> + Sync) {
    let wrong: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = rows.iter().map(|row| scope.spawn(|| run(row))).collect();
        running.into_iter().filter_map(|row| row.join().unwrap().err()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn in_real_time<T>(body: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(body)
}

/// The world, served, and a proxy before it.
struct Behind {
    shared: Shared,
    proxy: Proxy,
    _serving: lab_mock::serve::Serving,
}

async fn behind(rules: Vec<OnTheWay>, page_size: usize) -> Behind {
    let mut world = lab_mock::world_of(7, Clock::System.now());
    world.cloud.options.page_size = page_size;
    let shared = Shared::new(world);
    let serving = serve_with(shared.clone(), Clock::System, ServeOptions::default()).await.unwrap();
    let proxy = Proxy::start(serving.address, rules, shared.clone());
    Behind { shared, proxy, _serving: serving }
}

/// How a read ends: how many instances were read in how many attempts, or why none was.
async fn read(lab: &Lab) -> String {
    let vpc = lab.manifest.aws.vpc_id.clone();
    match lab.reader.instances_in(&vpc).await {
        Ok(answer) => {
            let (count, pages) = (answer.value.len(), answer.raw.len());
            format!("{count} in {pages} pages and {} attempts", answer.attempts)
        }
        Err(ReadError::Refused { code, .. }) => format!("refused: {code}"),
        Err(ReadError::Unreadable { .. }) => "unreadable".to_owned(),
        Err(ReadError::Unreachable { .. }) => "unreachable".to_owned(),
    }
}

#[test]
fn each_read_comes_to_what_is_written_here() {
    use Befalls::*;
    const FIVE_TIMES: u32 = 5;
    let throttled = Refused { status: 503, code: "RequestLimitExceeded" };
    // What befalls the first so many of the reads, and what comes of it.
    let rows: &[(Befalls, u32, &str)] = &[
        (Nothing, 0, "2 in 1 pages and 1 attempts"),
        (throttled, 1, "2 in 1 pages and 2 attempts"),
        (throttled, FIVE_TIMES, "refused: RequestLimitExceeded"),
        (Refused { status: 500, code: "InternalError" }, 1, "2 in 1 pages and 2 attempts"),
        (Refused { status: 503, code: "Unavailable" }, 1, "2 in 1 pages and 2 attempts"),
        (Bare { status: 500 }, 1, "2 in 1 pages and 2 attempts"),
        (Bare { status: 503 }, FIVE_TIMES, "unreadable"),
        (ResetBefore, 1, "2 in 1 pages and 2 attempts"),
        (ResetAfter, 1, "2 in 1 pages and 2 attempts"),
        (ResetBefore, FIVE_TIMES, "unreachable"),
        (Truncated, 1, "unreadable"),
        (Slow, 1, "2 in 1 pages and 2 attempts"),
        (Refused { status: 400, code: "ExpiredToken" }, FIVE_TIMES, "refused: ExpiredToken"),
        (Refused { status: 400, code: "RequestExpired" }, FIVE_TIMES, "refused: RequestExpired"),
    ];
    all_at_once(rows, |(befalls, times, expected)| {
        let rule = OnTheWay { action: READ, befalls: *befalls, times: *times };
        let given = in_real_time(async {
            let behind = behind(vec![rule], 0).await;
            read(&lab_at(&behind.shared, behind.proxy.url())).await
        });
        if given == *expected { Ok(()) } else { Err(format!("{befalls:?} {times}: {given}")) }
    });
}

#[test]
fn pages_of_any_size_are_read_to_the_last() {
    for (size, expected) in [(1, "2 in 2 pages and 2 attempts"), (5, "2 in 1 pages and 1 attempts")]
    {
        let given = in_real_time(async {
            let behind = behind(Vec::new(), size).await;
            read(&lab_at(&behind.shared, behind.proxy.url())).await
        });
        assert_eq!(given, expected, "{size}");
    }
}

#[test]
fn a_name_that_is_not_resolved_is_nobody_and_nothing_is_tried() {
    in_real_time(async {
        let shared = Shared::new(lab_mock::world_of(7, Clock::System.now()));
        let lab = lab_at(&shared, "http://ec2.invalid:1".to_owned());
        assert_eq!(read(&lab).await, "unreachable");
    });
}

/// How a stop ends: the outcome, how often it was asked for, and whether EC2 was to stop it.
async fn stop(behind: &Behind) -> String {
    let lab = lab_at(&behind.shared, behind.proxy.url());
    let folder = tempfile::tempdir().unwrap();
    let journal = Writer::create(folder.path()).unwrap();
    let id = lab.manifest.nodes[&Node::CloudClient].instance_id.clone().unwrap();
    let found = lab.reader.instances(std::slice::from_ref(&id)).await;
    let instance = match found {
        Ok(answer) => answer.value.into_iter().next().unwrap(),
        Err(error) => return format!("not tried: {:?}", error.code()),
    };
    let permit = Cost::to_stop(&lab.manifest, &instance).unwrap();
    let came = match lab.stop_instance(&permit, &journal, "preflight").await {
        Ok(acted) => format!("{:?}", acted.outcome),
        Err(error) => format!("not tried: {error}"),
    };
    let intents = journal.with_records(|records| {
        records.iter().filter(|record| matches!(record.kind, Kind::Intent(_))).count()
    });
    let asked = behind.proxy.asked(STOP);
    assert_eq!(intents, asked, "an intent for each request");
    let state = behind.shared.lock().cloud.instances[&id].state.as_str();
    format!("{came}, asked {asked} times, {state}")
}

/// A minute where nothing was done: that long one looks for what a refusal may have hidden. A sample leaves
/// these out.
#[test]
fn each_change_comes_to_what_is_written_here() {
    use Befalls::*;
    let throttled = Refused { status: 503, code: "RequestLimitExceeded" };
    let rows: &[(&str, Befalls, &str)] = &[
        (STOP, Nothing, "Done, asked 1 times, stopped"),
        // Certainly not done: it is asked again.
        (STOP, throttled, "Done, asked 2 times, stopped"),
        // It was done all the same: it is seen before it is asked again.
        (
            STOP,
            DoneAndRefused { status: 503, code: "RequestLimitExceeded" },
            "Done, asked 1 times, stopped",
        ),
        (STOP, Refused { status: 500, code: "InternalError" }, "NotDone, asked 1 times, running"),
        (
            STOP,
            DoneAndRefused { status: 500, code: "InternalError" },
            "Done, asked 1 times, stopped",
        ),
        (STOP, Refused { status: 503, code: "Unavailable" }, "NotDone, asked 1 times, running"),
        (STOP, DoneAndRefused { status: 503, code: "Unavailable" }, "Done, asked 1 times, stopped"),
        (STOP, ResetBefore, "NotDone, asked 1 times, running"),
        (STOP, ResetAfter, "Done, asked 1 times, stopped"),
        (STOP, Truncated, "Done, asked 1 times, stopped"),
        (STOP, Slow, "Done, asked 1 times, stopped"),
        (STOP, Refused { status: 400, code: "ExpiredToken" }, "NotDone, asked 1 times, running"),
        (STOP, Refused { status: 400, code: "RequestExpired" }, "NotDone, asked 1 times, running"),
        (READ, Stale, "Done, asked 1 times, stopped"),
    ];
    let takes_long = |(.., expected): &&(_, _, &str)| expected.starts_with("NotDone");
    let tried: Vec<_> =
        rows.iter().filter(|row| extent::is_exhaustive() || !takes_long(row)).collect();
    extent::say_left_out("changes over HTTP", tried.len(), rows.len());
    all_at_once(&tried, |(action, befalls, expected)| {
        let rule = OnTheWay { action, befalls: *befalls, times: 1 };
        let given = in_real_time(async { stop(&behind(vec![rule], 0).await).await });
        if given == *expected { Ok(()) } else { Err(format!("{befalls:?}: {given}")) }
    });
}
