//! A node of the world as a [`lab_programs::process::Host`].

use std::io::{self, Cursor};
use std::path::Path;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{BoxFuture, FutureExt as _};
use rusqlite::{Connection, MAIN_DB};

use super::connector::Connector;
use super::machines::{FileError, FileNode};
use super::shell::{Executable, Session, program_at};
use super::world::Shared;
use lab::clock::Clock;
use lab::node::{Node, Output};
use lab_programs::process::{Child, Host, OpenMode, Process, SpawnError};

/// The machine that a program on a node of the mock's world sees.
#[derive(Clone)]
pub struct NodeHost {
    session: Session,
}

impl NodeHost {
    /// A program that runs as root.
    pub fn new(shared: Shared, clock: Clock, node: Node) -> Self {
        let mut session = Session::login(shared, clock, node);
        session.take_identity(0);
        Self { session }
    }

    /// A program that a user of a shell started.
    pub fn of(session: &Session) -> Self {
        Self { session: session.clone() }
    }
}

impl Host for NodeHost {
    fn now(&self) -> DateTime<Utc> {
        self.session.now()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.session.read(&text(path)).map_err(io_error)
    }

    fn file_mode(&self, path: &Path) -> io::Result<u32> {
        let path = text(path);
        self.session.machine(|machine| match machine.files.get(&path) {
            Some(FileNode::File { mode, .. } | FileNode::Directory { mode, .. }) => Ok(*mode),
            None => Err(io_error(FileError::NotFound)),
        })
    }

    fn with_database(
        &self,
        path: &Path,
        mode: OpenMode,
        body: &mut dyn FnMut(&mut Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let path = text(path);
        let stored = match self.session.read(&path) {
            Ok(bytes) => Some(bytes),
            Err(FileError::NotFound) if mode == OpenMode::ReadWrite => None,
            Err(_) => return Err(cannot_open(&path)),
        };
        let mut connection = Connection::open_in_memory()?;
        if let Some(bytes) = stored.filter(|bytes| !bytes.is_empty()) {
            let read_only = mode == OpenMode::ReadOnly;
            connection.deserialize_read_exact(
                MAIN_DB,
                Cursor::new(&bytes),
                bytes.len(),
                read_only,
            )?;
        }
        let done = body(&mut connection);
        if mode == OpenMode::ReadWrite {
            let bytes = connection.serialize(MAIN_DB)?.to_vec();
            self.keep(&path, bytes)?;
        }
        done
    }

    fn spawn(&self, child: Child) -> BoxFuture<'_, Result<Output, SpawnError>> {
        async move {
            let path = text(&child.executable);
            let program = match program_at(&self.session, &path) {
                Executable::Runs(program) => program,
                Executable::Missing => {
                    let text = format!("stat {path}: no such file or directory");
                    return Err(SpawnError::NotAccessible(text));
                }
                Executable::Denied => {
                    let text = format!("fork/exec {path}: permission denied");
                    return Err(SpawnError::Io(io::Error::new(
                        io::ErrorKind::PermissionDenied,
                        text,
                    )));
                }
                Executable::Unknown => {
                    let text = format!("fork/exec {path}: exec format error");
                    return Err(SpawnError::Io(io::Error::other(text)));
                }
            };
            let argv = std::iter::once(path).chain(child.args).collect();
            let process = Process { argv, env: child.env, stdin: child.stdin, host: self };
            let running = program.main(process);
            let output = self
                .session
                .clock
                .timeout(child.timeout, running)
                .await
                .map_err(|_| SpawnError::TimedOut)?;
            if output.stdout.len() > child.max_stdout_bytes {
                return Err(SpawnError::StdoutTooLarge);
            }
            if output.stderr.len() > child.max_stderr_bytes {
                return Err(SpawnError::StderrTooLarge);
            }
            Ok(output)
        }
        .boxed()
    }

    fn http_client(&self) -> SharedHttpClient {
        let Session { shared, clock, node, .. } = self.session.clone();
        Connector::instance(shared, clock, node)
    }

    fn sleep(&self) -> SharedAsyncSleep {
        self.session.clock.sdk_sleep()
    }

    fn time_source(&self) -> SharedTimeSource {
        let Session { clock, .. } = self.session;
        let offset_ms = self.session.machine(|machine| machine.clock_offset_ms);
        SharedTimeSource::new(NodeTime { clock, offset_ms })
    }
}

impl NodeHost {
    /// Puts the database back as a file of the node.
    fn keep(&self, path: &str, bytes: Vec<u8>) -> rusqlite::Result<()> {
        let session = &self.session;
        session.change(|machine| {
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
            if session.is_root() {
                machine.files.make_directories(folder, 0, 0o755);
            }
            let file = machine.files.open(path, session.uid, 0o644, false);
            file.map(|file| *file = bytes).map_err(|_| cannot_open(path))
        })
    }
}

/// The node's clock for the AWS SDK.
#[derive(Debug)]
struct NodeTime {
    clock: Clock,
    offset_ms: i64,
}

impl TimeSource for NodeTime {
    fn now(&self) -> std::time::SystemTime {
        (self.clock.now() + TimeDelta::milliseconds(self.offset_ms)).into()
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn io_error(error: FileError) -> io::Error {
    let kind = match error {
        FileError::NotFound => io::ErrorKind::NotFound,
        FileError::Denied => io::ErrorKind::PermissionDenied,
        FileError::Exists => io::ErrorKind::AlreadyExists,
        FileError::IsDirectory => io::ErrorKind::IsADirectory,
        FileError::NotDirectory => io::ErrorKind::NotADirectory,
    };
    io::Error::new(kind, error)
}

/// SQLite's own refusal.
fn cannot_open(path: &str) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    rusqlite::Error::SqliteFailure(code, Some(format!("unable to open database file: {path}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::packets::testing::{make_test_world, test_start_time};

    fn host() -> NodeHost {
        NodeHost::new(
            Shared::new(make_test_world()),
            Clock::starting_at(test_start_time()),
            Node::RouterdCloud,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_is_a_file_of_the_node() {
        let host = host();
        let path = Path::new("/var/lib/routerd/routerd.db");
        let missing = host.with_database(path, OpenMode::ReadOnly, &mut |_| Ok(())).unwrap_err();
        assert_eq!(
            missing.sqlite_error().map(|error| error.extended_code),
            Some(rusqlite::ffi::SQLITE_CANTOPEN)
        );
        let make = &mut |db: &mut Connection| {
            db.execute_batch("create table t (x); insert into t values (4)")
        };
        host.with_database(path, OpenMode::ReadWrite, make).unwrap();
        let mut found = 0;
        let read = &mut |db: &mut Connection| {
            found = db.query_row("select x from t", [], |row| row.get(0))?;
            Ok(())
        };
        host.with_database(path, OpenMode::ReadOnly, read).unwrap();
        assert_eq!(found, 4);
        let write = &mut |db: &mut Connection| db.execute("delete from t", []).map(|_| ());
        assert!(host.with_database(path, OpenMode::ReadOnly, write).is_err(), "it is read-only");
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_program_is_refused_as_go_says_it() {
        let host = host();
        let child = |executable: &str| Child {
            executable: PathBuf::from(executable),
            args: Vec::new(),
            env: std::collections::BTreeMap::new(),
            stdin: Vec::new(),
            timeout: Duration::from_secs(1),
            max_stdout_bytes: 1024,
            max_stderr_bytes: 1024,
        };
        let missing = host.spawn(child("/p")).await;
        assert!(
            matches!(&missing, Err(SpawnError::NotAccessible(text)) if text == "stat /p: no such file or directory")
        );
        let executor =
            "/usr/local/libexec/routerd/plugins/aws-provider-executor/bin/aws-provider-executor";
        let answer = host.spawn(child(executor)).await.expect("it runs");
        assert!(!answer.stdout.is_empty(), "the executor answers even an empty request");
    }
}
