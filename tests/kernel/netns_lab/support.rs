//! Labs for the trials.

use std::path::Path;
use std::time::Duration;

use lab::clock::Clock;
use lab::node::{Node, Output};
use lab::shell::TransportError;
use lab_netns::{Folder, KernelLabOptions, Netns};
use libtest_mimic::{Completion, Failed, Trial};

/// A trial, or why it cannot be held here.
pub fn trial(name: &str, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("netns_lab::{name}"), move || {
        let report = lab_netns::probe::probe_host();
        if report.is_able() {
            body();
            return Ok(Completion::Completed);
        }
        if std::env::var("LAB_SMOKE_REQUIRE_NETNS").as_deref() == Ok("1") {
            return Err(Failed::from(report.to_string()));
        }
        Ok(Completion::ignored_with(report.to_string()))
    })
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Short, for it stands in the paths of sockets.
pub fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("ls").tempdir_in("/tmp").unwrap()
}

pub fn options(home: &Path) -> KernelLabOptions {
    KernelLabOptions {
        home: home.to_owned(),
        // Longer than any trial takes on the busiest machine.
        time_to_live: Duration::from_mins(30),
        ..KernelLabOptions::usual(7).unwrap()
    }
}

pub fn up(home: &Path) -> Folder {
    lab_netns::bring_up(&options(home), Clock::System).unwrap_or_else(|error| panic!("{error}"))
}

pub async fn down(folder: &Folder) {
    lab_netns::take_down(folder, Clock::System).await.unwrap();
}

/// Holds a trial on a lab of its own.
pub fn on_a_lab(body: impl AsyncFnOnce(&Netns)) {
    let home = home();
    block_on(async {
        let folder = up(home.path());
        let opened = lab_netns::open_kernel_lab(folder.clone(), Clock::System).unwrap();
        body(&opened).await;
        drop(opened);
        down(&folder).await;
    });
}

pub async fn run(lab: &Netns, node: Node, line: &str) -> Output {
    send(lab, node, line).await.unwrap_or_else(|error| panic!("{node}$ {line}: {error}"))
}

pub async fn send(lab: &Netns, node: Node, line: &str) -> Result<Output, TransportError> {
    let argv = ["sh", "-c", line].map(str::to_owned);
    lab.transport.run(node, &argv, b"").await
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The captured address is on the router's ENI, and its check is off.
pub async fn captured(lab: &Netns) {
    let mut world = lab_netns::read_world(&lab.folder).await.unwrap();
    let mut all = world.cloud.network_interfaces.values_mut();
    let eni = all.find(|eni| eni.owns([10, 88, 60, 4].into())).unwrap();
    eni.source_dest_check = false;
    eni.add_secondary([10, 88, 60, 9].into());
    lab_netns::write_world(&lab.folder, &world).await.unwrap();
}
