//! A working directory, and runs on the mock in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reports::journal::{JOURNAL_FILE, read_file};
use reports::record::{Kind, Permit, Record};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_lab-smoke");

pub struct Place(TempDir);

#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The answer of a command that may hang: then the code is 124.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } =
            command.stdin(Stdio::null()).output().expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Who hangs is ended: `timeout` answers 124 then.
    pub fn call<S: AsRef<OsStr>>(&self, words: &[S]) -> Answer {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "60", PROGRAM]).args(words).current_dir(self.0.path());
        Answer::of(&mut command)
    }

    pub fn code(&self, line: &str) -> Option<i32> {
        self.call(&line.split_whitespace().collect::<Vec<_>>()).code
    }

    /// Typed into a shell, where `lab-smoke` is the program.
    pub fn typed(&self, line: &str) -> Answer {
        let script = format!("lab-smoke() {{ {PROGRAM} \"$@\"; }}\n{line}");
        let mut shell = Command::new("bash");
        Answer::of(shell.args(["-c", &script]).current_dir(self.0.path()))
    }

    /// A run in `run` that is stopped as soon as it has begun: it goes on when it is let.
    pub fn begun(&self) -> Begun {
        let words = ["run", "--seed", "3", "--format", "json", "--out", "run"];
        let mut command = Command::new(PROGRAM);
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        said.next().expect("a first record").expect("text");
        let begun = Begun { child, said };
        begun.signal(Signal::SIGSTOP);
        begun
    }

    /// Begins a run like [`begun`](Self::begun), but stops it once its records have shown this.
    pub fn begun_until(&self, needle: &str) -> Begun {
        let mut begun = self.begun();
        begun.signal(Signal::SIGCONT);
        begun.until(needle);
        begun.signal(Signal::SIGSTOP);
        begun
    }

    /// A run that was killed, in `run`, once its go was burnt.
    pub fn killed(&self) {
        for _ in 0..TRIES {
            let _ = fs::remove_dir_all(self.path("run"));
            let mut begun = self.begun();
            begun.signal(Signal::SIGCONT);
            begun.until("\"kind\":\"go-burnt\"");
            begun.signal(Signal::SIGKILL);
            begun.child.wait().expect("its end");
            if !self.journal("run").contains("run-finished") {
                return;
            }
        }
        panic!("it was always quicker than the signal");
    }

    pub fn journal(&self, run: &str) -> String {
        fs::read_to_string(self.path(run).join(JOURNAL_FILE)).expect("a journal")
    }

    pub fn records(&self, run: &str) -> Vec<Record> {
        read_file(&self.path(run)).expect("it holds together").records
    }

    pub fn status(&self, run: &str) -> serde_json::Value {
        let answer = self.call(&["status", run, "--format", "json"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        serde_json::from_str(&answer.out).expect("JSON")
    }
}

/// How often a process is tried to be stopped in time: it may be quicker than we are.
pub const TRIES: usize = 10;

pub struct Begun {
    pub child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Begun {
    pub fn signal(&self, signal: Signal) {
        // Until it is waited for, the process id is the child's, ended or not.
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("sent");
    }

    fn until(&mut self, needle: &str) {
        let found = self.said.by_ref().any(|line| line.expect("text").contains(needle));
        assert!(found, "no record shows {needle}");
    }

    /// Lets it go on to its end; its code, and what its records were from here on.
    pub fn ends(mut self) -> (Option<i32>, Vec<Record>) {
        self.signal(Signal::SIGCONT);
        let lines = self.said.map(|line| line.expect("text"));
        let records = lines.map(|line| serde_json::from_str(&line).expect("a record")).collect();
        (self.child.wait().expect("its end").code(), records)
    }
}

/// How many effects were begun that no undo plan asks for.
pub fn forward(records: &[Record]) -> usize {
    let forward = |record: &&Record| matches!(&record.kind, Kind::Intent(intent) if intent.permit != Permit::Undo);
    records.iter().filter(forward).count()
}
