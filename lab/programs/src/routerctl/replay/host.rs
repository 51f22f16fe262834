//! A machine in memory: files, one database, a clock that moves when it is read, and programs
//! that are played.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use rusqlite::Connection;
use serde_json::value::RawValue;

use super::aws::{self, Eni};
use crate::process::{Child, Host, OpenMode, SpawnError};
use lab::node::Output;

pub const PLANNER: &str = "/usr/local/libexec/routerd/plugins/lab-planner";
pub const DATABASE: &str = "/var/lib/routerd/routerd.db";
const EXECUTOR: &str =
    "/usr/local/libexec/routerd/plugins/aws-provider-executor/bin/aws-provider-executor";

pub struct TestHost {
    configurations: PathBuf,
    state: Mutex<HostState>,
}

struct HostState {
    now: DateTime<Utc>,
    database: Option<Connection>,
    eni: Eni,
    planner_stdout: String,
    executor_script: String,
    deleted: BTreeSet<PathBuf>,
}

impl TestHost {
    pub fn new(configurations: &Path) -> Self {
        let state = HostState {
            now: "2026-11-22T15:41:00Z".parse().unwrap(),
            database: None,
            eni: Eni::default(),
            planner_stdout: String::new(),
            executor_script: String::new(),
            deleted: BTreeSet::new(),
        };
        Self { configurations: configurations.to_owned(), state: Mutex::new(state) }
    }

    pub fn prepare(&self, eni: &Eni, planner: Option<&RawValue>, script: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        state.eni = eni.clone();
        state.planner_stdout = planner.map(|raw| spaced(raw.get()) + "\n").unwrap_or_default();
        state.executor_script = script.unwrap_or_default().to_owned();
    }

    pub fn delete(&self, path: &str) {
        let mut state = self.state.lock().unwrap();
        if path == DATABASE {
            state.database = None;
        }
        state.deleted.insert(path.into());
    }

    pub fn run_sql(&self, sql: &str) {
        self.state.lock().unwrap().database.as_ref().unwrap().execute_batch(sql).unwrap();
    }

    pub fn eni(&self) -> Eni {
        self.state.lock().unwrap().eni.clone()
    }

    fn play(&self, child: &Child) -> Result<Output, SpawnError> {
        let mut state = self.state.lock().unwrap();
        assert_eq!(child.env.keys().collect::<Vec<_>>(), ["PATH"]);
        assert!(child.args.is_empty());
        match child.executable.to_str().unwrap() {
            PLANNER => {
                assert_eq!(child.timeout, Duration::from_secs(10));
                Ok(printed(&state.planner_stdout))
            }
            EXECUTOR => Ok(printed(&aws::execute_request(&mut state.eni, &child.stdin))),
            _ => {
                let output = play_script(&state.executor_script, child.timeout);
                if matches!(output, Err(SpawnError::TimedOut)) {
                    state.now += child.timeout;
                }
                output
            }
        }
    }
}

/// A shell script of the few commands that the records use.
fn play_script(script: &str, timeout: Duration) -> Result<Output, SpawnError> {
    let mut output = Output::default();
    for line in script.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(' ') {
            Some(("cat", ">/dev/null")) => {}
            Some(("echo", text)) => {
                output.stdout = format!("{}\n", text.trim_matches('\'')).into_bytes();
            }
            Some(("exit", code)) => output.code = code.parse().unwrap(),
            Some(("exec", command)) => {
                let seconds = command.strip_prefix("sleep ").unwrap().parse().unwrap();
                assert!(timeout < Duration::from_secs(seconds), "the script outlives its deadline");
                return Err(SpawnError::TimedOut);
            }
            _ => panic!("unknown command in the script: {line}"),
        }
    }
    Ok(output)
}

fn printed(text: &str) -> Output {
    Output { stdout: text.as_bytes().to_vec(), ..Output::default() }
}

/// JSON with one space after each comma and colon, its members in their order: what the recorded
/// planner printed, byte for byte, so that the digest of its output is compared too.
fn spaced(json: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for character in json.chars() {
        match character {
            '"' if !escaped => in_string = !in_string,
            c if !in_string && c.is_whitespace() => continue,
            _ => {}
        }
        escaped = in_string && character == '\\' && !escaped;
        out.push(character);
        if !in_string && matches!(character, ',' | ':') {
            out.push(' ');
        }
    }
    out
}

impl Host for TestHost {
    fn now(&self) -> DateTime<Utc> {
        let mut state = self.state.lock().unwrap();
        state.now += TimeDelta::nanoseconds(1_234_567);
        state.now
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        assert!(path.starts_with("/usr/local/etc/routerd"));
        std::fs::read(self.configurations.join(path.file_name().unwrap()))
    }

    fn file_mode(&self, path: &Path) -> io::Result<u32> {
        let state = self.state.lock().unwrap();
        let installed = path.starts_with("/usr/local/libexec/routerd/plugins");
        if installed && !state.deleted.contains(path) {
            return Ok(0o755);
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn with_database(
        &self,
        path: &Path,
        mode: OpenMode,
        body: &mut dyn FnMut(&mut Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        assert_eq!(path, Path::new(DATABASE));
        // The body may ask for the time: it must not find the state locked.
        let taken = self.state.lock().unwrap().database.take();
        let mut connection = match (taken, mode) {
            (Some(connection), _) => connection,
            (None, OpenMode::ReadWrite) => Connection::open_in_memory()?,
            (None, OpenMode::ReadOnly) => {
                let text = format!("unable to open database file: {}", path.display());
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
                    Some(text),
                ));
            }
        };
        let result = body(&mut connection);
        self.state.lock().unwrap().database = Some(connection);
        result
    }

    fn spawn(&self, child: Child) -> BoxFuture<'_, Result<Output, SpawnError>> {
        Box::pin(async move { self.play(&child) })
    }

    fn http_client(&self) -> SharedHttpClient {
        unreachable!("routerctl reaches no network")
    }

    fn sleep(&self) -> SharedAsyncSleep {
        unreachable!("routerctl does not sleep")
    }

    fn time_source(&self) -> SharedTimeSource {
        unreachable!("routerctl signs nothing")
    }
}
