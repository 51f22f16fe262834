//! Labs and runs of one trial alone, whatever else this machine does.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use lab_netns::Folder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reports::evidence::Evidence;
use reports::folder::EVIDENCE_FILE;

/// The intent to execute an action, which is recorded right before it is done: the dry run before has
/// none.
pub const EXECUTING: &str = "-execute\",\"scenario\":\"execute\"";

pub struct Place(tempfile::TempDir);

impl Place {
    /// Its path is short, for sockets lie below it.
    pub fn new() -> Result<Self, String> {
        let place = tempfile::Builder::new().prefix("ls").tempdir_in("/tmp").map_err(words)?;
        std::fs::create_dir(place.path().join("labs")).map_err(words)?;
        Ok(Self(place))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn labs(&self) -> PathBuf {
        self.path("labs")
    }

    /// In this folder, with labs of its own.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).env("LAB_SMOKE_NETNS_HOME", self.labs());
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        command
    }

    /// Standard output of a call that ended with the exit code.
    pub fn call(&self, line: &str, code: i32) -> Result<String, String> {
        said(self.command(program()).args(line.split_whitespace()), code)
    }

    /// A call whose end is somebody else's to judge.
    pub fn words(&self, line: &str) -> Command {
        let mut command = self.command(program());
        command.args(line.split_whitespace());
        command
    }

    pub fn run_id(&self, run: &str) -> Result<String, String> {
        let evidence = self.evidence(run)?;
        evidence.run.map(|run| run.id).ok_or_else(|| format!("{run} never began"))
    }

    /// Begins a run whose records are read as they come.
    pub fn begin(&self, line: &str) -> Result<Running, String> {
        let mut child = self
            .command(program())
            .args(line.split_whitespace())
            .args(["--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(words)?;
        let said = child.stdout.take().ok_or("no stdout")?;
        Ok(Running { child, said: BufReader::new(said) })
    }

    /// The evidence of a run that was here.
    pub fn evidence(&self, run: &str) -> Result<Evidence, String> {
        let bytes = std::fs::read(self.path(run).join(EVIDENCE_FILE)).map_err(words)?;
        serde_json::from_slice(&bytes).map_err(words)
    }

    /// Until `execute` is in its midst: its action is under way, and has changed the ENI.
    pub fn until_captured(&self, running: &mut Running) -> Result<(), String> {
        running.until(EXECUTING)?;
        while self.captured_address_holder()?.is_none() {
            running.goes_on()?;
        }
        Ok(())
    }

    /// Who has the captured address, by the lab's own world.
    pub fn captured_address_holder(&self) -> Result<Option<String>, String> {
        let folder = self.lab()?;
        let world = block_on(lab_netns::read_world(&folder))?.map_err(words)?;
        let captured = std::net::Ipv4Addr::new(10, 88, 60, 9);
        Ok(world.cloud.owner_of(captured).map(|eni| eni.id.clone()))
    }

    /// The one lab that lives here.
    pub fn lab(&self) -> Result<Folder, String> {
        lab_netns::find_lab(&self.labs(), None).map_err(words)
    }

    /// No lab, and no folder of one.
    pub fn has_no_lab(&self) -> Result<(), String> {
        let listed = lab_netns::list_labs(&self.labs()).map_err(words)?;
        let left = std::fs::read_dir(self.labs()).map_err(words)?.count();
        if listed.is_empty() && left == 0 { Ok(()) } else { Err(format!("{listed:?}, {left}")) }
    }
}

pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lab-smoke"))
}

pub fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Standard output of a command that ended with the exit code.
pub fn said(command: &mut Command, code: i32) -> Result<String, String> {
    let output = command.output().map_err(words)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(code) {
        Ok(out)
    } else {
        Err(format!("{command:?} ended with {}:\n{out}{err}", output.status))
    }
}

/// The words of a command on standard error, however it ends.
pub fn complaint(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(words)?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A run that is on its way.
pub struct Running {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Running {
    /// Until a record has these words; the first of all says that the lab is there.
    pub fn until(&mut self, wanted: &str) -> Result<(), String> {
        let mut line = String::new();
        while self.said.read_line(&mut line).map_err(words)? > 0 {
            if line.contains(wanted) {
                return Ok(());
            }
            line.clear();
        }
        Err(format!("the run never said {wanted:?}"))
    }

    /// Reads so many records, or all that there are.
    pub fn read_records(&mut self, count: usize) -> Result<(), String> {
        let mut line = String::new();
        for _ in 0..count {
            line.clear();
            if self.said.read_line(&mut line).map_err(words)? == 0 {
                break;
            }
        }
        Ok(())
    }

    pub fn goes_on(&mut self) -> Result<(), String> {
        match self.child.try_wait().map_err(words)? {
            None => Ok(()),
            Some(status) => Err(format!("it ended with {status} already")),
        }
    }

    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        kill(Pid::from_raw(i32::try_from(self.child.id()).map_err(words)?), signal).map_err(words)
    }

    pub fn end(mut self) -> Result<ExitStatus, String> {
        // Whoever writes into a full pipe does not end.
        std::io::copy(&mut self.said, &mut std::io::sink()).map_err(words)?;
        self.child.wait().map_err(words)
    }

    pub fn ends_with(self, code: i32) -> Result<(), String> {
        let status = self.end()?;
        if status.code() == Some(code) { Ok(()) } else { Err(format!("it ended with {status}")) }
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(words)?.block_on(future))
}
