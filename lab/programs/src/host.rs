//! The real machine as a [`crate::process::Host`], and the start of a node-side program on it.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::defaults::default_http_client_plugin_v2;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use rusqlite::{Connection, OpenFlags, ffi};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::process::{Child, Host, OpenMode, Process, SpawnError};
use lab::clock::Clock;
use lab::node::Output;

/// The time that routerd itself waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// This machine.
#[derive(Debug)]
pub struct Machine {
    clock: Clock,
    http_client: SharedHttpClient,
}

impl Machine {
    /// # Errors
    /// Where the SDK was built without a way to the network.
    pub fn new() -> io::Result<Self> {
        let client = default_http_client_plugin_v2(BehaviorVersion::latest()).and_then(|plugin| {
            let none = RuntimeComponentsBuilder::new("none");
            plugin.runtime_components(&none).http_client()
        });
        let http_client = client.ok_or_else(|| io::Error::other("the SDK has no HTTP client"))?;
        Ok(Self { clock: Clock::System, http_client })
    }
}

impl Host for Machine {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn file_mode(&self, path: &Path) -> io::Result<u32> {
        Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
    }

    fn with_database(
        &self,
        path: &Path,
        mode: OpenMode,
        body: &mut dyn FnMut(&mut Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut connection = match mode {
            OpenMode::ReadOnly => open_read_only(path)?,
            OpenMode::ReadWrite => open_read_write(path)?,
        };
        body(&mut connection)
    }

    fn spawn(&self, child: Child) -> BoxFuture<'_, Result<Output, SpawnError>> {
        Box::pin(run_child(self.clock, child))
    }

    fn http_client(&self) -> SharedHttpClient {
        self.http_client.clone()
    }

    fn sleep(&self) -> SharedAsyncSleep {
        self.clock.sdk_sleep()
    }

    fn time_source(&self) -> SharedTimeSource {
        self.clock.sdk_time()
    }
}

fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open_read_write(path: &Path) -> rusqlite::Result<Connection> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(|error| {
            let reason = format!("create folder {}: {error}", folder.display());
            rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some(reason))
        })?;
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    Ok(connection)
}

/// The child is alone: after its timeout it is killed and what it started is not, as routerd does.
async fn run_child(clock: Clock, child: Child) -> Result<Output, SpawnError> {
    let path = &child.executable;
    fs::metadata(path).map_err(|e| not_accessible("stat", path, &e))?;
    let mut process = Command::new(path)
        .args(&child.args)
        .env_clear()
        .envs(&child.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_accessible("fork/exec", path, &error))?;
    let stdin = process.stdin.take();
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let talk = async {
        let ((), stdout, stderr) = tokio::try_join!(
            write(stdin, &child.stdin),
            read(stdout, child.max_stdout_bytes, || SpawnError::StdoutTooLarge),
            read(stderr, child.max_stderr_bytes, || SpawnError::StderrTooLarge),
        )?;
        let status = process.wait().await.map_err(SpawnError::Io)?;
        Ok(Output { code: shell_code(status), stdout, stderr })
    };
    let ended = clock.timeout(child.timeout, talk).await;
    if !matches!(ended, Ok(Ok(_))) {
        // Already gone is as good as killed.
        let _ = process.kill().await;
    }
    ended.unwrap_or(Err(SpawnError::TimedOut))
}

/// A child that does not read its input is no failure: it may not need it.
async fn write(stdin: Option<impl AsyncWriteExt + Unpin>, bytes: &[u8]) -> Result<(), SpawnError> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    match stdin.write_all(bytes).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(SpawnError::Io(error)),
        _ => Ok(()),
    }
}

async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    max_bytes: usize,
    too_large: impl FnOnce() -> SpawnError,
) -> Result<Vec<u8>, SpawnError> {
    let Some(pipe) = pipe else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    pipe.take(limit).read_to_end(&mut bytes).await.map_err(SpawnError::Io)?;
    if bytes.len() > max_bytes { Err(too_large()) } else { Ok(bytes) }
}

/// In Go's words, as routerd shows them: `stat /p: no such file or directory`.
fn not_accessible(call: &str, path: &Path, error: &io::Error) -> SpawnError {
    let say = |text: &str| format!("{call} {}: {text}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => SpawnError::NotAccessible(say("no such file or directory")),
        io::ErrorKind::PermissionDenied => SpawnError::NotAccessible(say("permission denied")),
        // It is there and may be executed; the kernel does not know how.
        _ if error.raw_os_error() == Some(nix::libc::ENOEXEC) => {
            SpawnError::Io(io::Error::other(say("exec format error")))
        }
        _ => SpawnError::NotAccessible(say(&error.to_string())),
    }
}

fn shell_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Does the work of a node-side program's `main`: one start of it on this machine.
pub fn run_program(program: impl AsyncFnOnce(Process<'_>) -> Output) -> ExitCode {
    match start(program).and_then(|output| {
        io::stderr().write_all(&output.stderr)?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(&output.stdout)?;
        stdout.flush()?;
        Ok(output.code)
    }) {
        Ok(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            // There is nobody left to tell where stderr is closed as well.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(program: impl AsyncFnOnce(Process<'_>) -> Output) -> io::Result<Output> {
    let mut stdin = Vec::new();
    io::stdin().lock().read_to_end(&mut stdin)?;
    let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
    let machine = Machine::new()?;
    let process = Process {
        argv: std::env::args_os().map(text).collect(),
        env: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
        stdin,
        host: &machine,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(program(process));
    // A name look-up that hangs must not hold the program up once it has answered.
    runtime.shutdown_background();
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        Child {
            executable: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: [("GREETING".to_owned(), "hello".to_owned())].into(),
            stdin: b"input".to_vec(),
            timeout: Duration::from_secs(20),
            max_stdout_bytes: 100,
            max_stderr_bytes: 10,
        }
    }

    async fn run(child: Child) -> Result<Output, SpawnError> {
        Machine::new().expect("the SDK has a client").spawn(child).await
    }

    #[tokio::test]
    async fn a_child_has_its_own_environment_and_input_and_is_heard_out() {
        let output = run(shell("cat; echo \" $GREETING\"; echo $HOME$USER >&2; exit 3")).await;
        let expected = Output { code: 3, stdout: b"input hello\n".into(), stderr: b"\n".into() };
        assert_eq!(output.expect("it ran"), expected);
        let output = run(shell("kill -TERM $$")).await.expect("it ran");
        assert_eq!(output.code, 143);
    }

    #[tokio::test]
    async fn a_child_that_says_too_much_or_stays_too_long_is_killed() {
        let loud = run(shell("while :; do echo yes; done")).await;
        assert!(matches!(loud, Err(SpawnError::StdoutTooLarge)), "{loud:?}");
        let loud = run(shell("echo 0123456789 >&2; sleep 60")).await;
        assert!(matches!(loud, Err(SpawnError::StderrTooLarge)), "{loud:?}");
        let timeout = Duration::from_millis(100);
        let slow = run(Child { timeout, ..shell("exec sleep 60") }).await;
        assert!(matches!(slow, Err(SpawnError::TimedOut)), "{slow:?}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_in_gos_words() {
        let missing = Child { executable: "/nowhere/p".into(), ..shell("") };
        let Err(SpawnError::NotAccessible(text)) = run(missing).await else { panic!("it ran") };
        assert_eq!(text, "stat /nowhere/p: no such file or directory");
        let place = tempfile::tempdir().expect("a folder");
        let garbage = place.path().join("garbage");
        std::fs::write(&garbage, "garbage\n").expect("a file");
        std::fs::set_permissions(&garbage, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("its bits");
        let no_program = run(Child { executable: garbage.clone(), ..shell("") }).await;
        let Err(SpawnError::Io(error)) = no_program else { panic!("{no_program:?}") };
        let said = format!("fork/exec {}: exec format error", garbage.display());
        assert_eq!(error.to_string(), said);
        let folder = Child { executable: "/etc".into(), ..shell("") };
        let Err(SpawnError::NotAccessible(text)) = run(folder).await else { panic!("it ran") };
        assert_eq!(text, "fork/exec /etc: permission denied");
    }

    #[test]
    fn a_database_is_made_for_a_writer_and_never_for_a_reader() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b/routerd.db");
        let machine = Machine::new().expect("the SDK has a client");
        let count = |connection: &mut Connection| {
            connection.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0))
        };

        let read = machine.with_database(&path, OpenMode::ReadOnly, &mut |_| Ok(()));
        assert!(read.is_err() && !path.exists());

        machine
            .with_database(&path, OpenMode::ReadWrite, &mut |connection| {
                connection.execute_batch("create table t (x); insert into t values (1)")
            })
            .expect("it writes");
        assert_eq!(machine.file_mode(path.parent().expect("a/b")).ok(), Some(0o755));

        machine
            .with_database(&path, OpenMode::ReadOnly, &mut |connection| {
                assert_eq!(count(connection), Ok(1));
                assert!(connection.execute_batch("insert into t values (2)").is_err());
                Ok(())
            })
            .expect("it reads");
    }
}
