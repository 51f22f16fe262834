//! The machine, as a node-side program (the executor, the planner, the stand-in `routerctl`) that
//! runs on it sees it. A real machine and a node of the mock's world both are one, so that one
//! program serves both.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use lab::node::Output;

/// One start of a program.
pub struct Process<'a> {
    /// With the program's name first.
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub stdin: Vec<u8>,
    pub host: &'a dyn Host,
}

/// A program to be started by another.
pub struct Child {
    /// Absolute.
    pub executable: PathBuf,
    pub args: Vec<String>,
    /// All of it: nothing is inherited.
    pub env: BTreeMap<String, String>,
    pub stdin: Vec<u8>,
    pub timeout: Duration,
    pub max_stdout_bytes: usize,
    pub max_stderr_bytes: usize,
}

#[derive(Debug)]
pub enum SpawnError {
    /// The text is the operating system's, as `stat /p: no such file or directory`.
    NotAccessible(String),
    /// The child was killed; a mutation it began may land later.
    TimedOut,
    StdoutTooLarge,
    StderrTooLarge,
    Io(io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Fails where there is no database.
    ReadOnly,
    /// Creates the folder and the database.
    ReadWrite,
}

/// The machine.
pub trait Host: Send + Sync {
    fn now(&self) -> DateTime<Utc>;

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Permission bits; `NotFound` where there is no such file.
    fn file_mode(&self, path: &Path) -> io::Result<u32>;

    /// Opens a SQLite database, hands it to `body`, and keeps what it wrote. On the mock the
    /// database is a file of the node's model, on a real machine a file.
    fn with_database(
        &self,
        path: &Path,
        mode: OpenMode,
        body: &mut dyn FnMut(&mut rusqlite::Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()>;

    fn spawn(&self, child: Child) -> BoxFuture<'_, Result<Output, SpawnError>>;

    /// How this machine reaches the network: AWS and the metadata service.
    fn http_client(&self) -> SharedHttpClient;

    fn sleep(&self) -> SharedAsyncSleep;

    fn time_source(&self) -> SharedTimeSource;
}
