//! Labs on this machine: make one, take it down, list them. A lab is a process and a folder; where
//! the process has died the folder is swept.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::aws_cli::AwsCli;
use super::folder::{Folder, Holder, Spec, find_home};
use super::node::READY;
use super::outliving::OutlivingVolume;
use super::probe::{self, HostReport};
use super::program::SUPERVISOR_COMMAND;
use lab::clock::Clock;

/// The options that a lab is made of.
#[derive(Clone, Debug)]
pub struct KernelLabOptions {
    pub home: PathBuf,
    /// By default one is made up.
    pub id: Option<String>,
    pub seed: u64,
    /// After that long the lab ends itself.
    pub time_to_live: Duration,
    /// The user's own programs instead of the stand-ins.
    pub routerctl: Option<PathBuf>,
    pub executor: Option<PathBuf>,
    /// The text of an allowed-signers file: who may grant runs on this lab their go.
    pub allowed_signers: String,
    /// A volume that stays when its instance is terminated, beside those that go with theirs.
    pub outliving_volume: Option<OutlivingVolume>,
    /// A binary whose `main` asks [`super::dispatch`].
    pub program: PathBuf,
}

impl KernelLabOptions {
    /// A lab with the stand-ins, made of this very binary.
    ///
    /// # Errors
    /// Where the path of this binary is not known.
    pub fn usual(seed: u64) -> io::Result<Self> {
        Ok(Self {
            home: find_home(),
            id: None,
            seed,
            time_to_live: Duration::from_hours(1),
            routerctl: None,
            executor: None,
            allowed_signers: String::new(),
            outliving_volume: None,
            program: std::env::current_exe()?,
        })
    }

    /// With the user's `routerctl`, and the `aws-provider-executor` beside it where there is one.
    ///
    /// # Errors
    /// Where the folder has no `routerctl`.
    pub fn with_routerd(self, folder: &Path) -> io::Result<Self> {
        let routerctl = folder.join("routerctl");
        must_be_a_file(&routerctl)?;
        let executor = folder.join("aws-provider-executor");
        let executor = if executor.is_file() { Some(executor) } else { self.executor };
        Ok(Self { routerctl: Some(routerctl), executor, ..self })
    }

    /// With the user's executor plugin.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn with_executor(self, file: &Path) -> io::Result<Self> {
        must_be_a_file(file)?;
        Ok(Self { executor: Some(file.to_owned()), ..self })
    }
}

fn must_be_a_file(path: &Path) -> io::Result<()> {
    if path.is_file() {
        return Ok(());
    }
    let words = format!("{} is no file", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, words))
}

#[derive(Debug, thiserror::Error)]
pub enum UpError {
    #[error("{0}")]
    Unable(HostReport),
    #[error("{path}: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("the lab cannot be built:\n{log}")]
    Failed { log: String },
}

/// A lab that is there.
#[derive(Clone, Debug)]
pub struct KernelLab {
    pub id: String,
    pub folder: Folder,
    pub made_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// Builds a lab and leaves it to its supervisor: this process may end.
///
/// # Errors
/// Where this machine cannot, with the remedies, or where building failed, with the log.
pub fn bring_up(options: &KernelLabOptions, clock: Clock) -> Result<Folder, UpError> {
    let report = probe::probe_host();
    if !report.is_able() {
        return Err(UpError::Unable(report));
    }
    let id = options.id.clone().unwrap_or_else(|| new_id(clock.now()));
    let path = options.home.join(&id);
    let failed = |source| UpError::Folder { path: path.clone(), source };
    let folder = Folder::create(&options.home, &id).map_err(failed)?;
    match start(&folder, &id, options, clock.now()) {
        Ok(()) => Ok(folder),
        Err(error) => {
            let log = format!("{}{error}", read_log(&folder));
            if let Some(holder) = holder(&folder) {
                end(holder);
            }
            // What is wrong with the folder is in the error already.
            let _ = fs::remove_dir_all(folder.path());
            Err(UpError::Failed { log })
        }
    }
}

/// Short, for it stands in the paths of sockets.
fn new_id(now: DateTime<Utc>) -> String {
    let since_midnight = now.timestamp_millis().rem_euclid(86_400_000);
    format!("{:x}{:x}", std::process::id(), since_midnight)
}

fn spec(id: &str, options: &KernelLabOptions, now: DateTime<Utc>) -> io::Result<Spec> {
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(fs::canonicalize).transpose();
    let time_to_live = TimeDelta::from_std(options.time_to_live).unwrap_or(TimeDelta::MAX);
    Ok(Spec {
        id: id.to_owned(),
        seed: options.seed,
        made_at: now,
        ends_at: now.checked_add_signed(time_to_live).unwrap_or(DateTime::<Utc>::MAX_UTC),
        routerctl: absolute(&options.routerctl)?,
        executor: absolute(&options.executor)?,
        allowed_signers: options.allowed_signers.clone(),
        outliving_volume: options.outliving_volume,
        aws_cli: AwsCli::find(&std::env::var_os("PATH").unwrap_or_default()),
    })
}

fn start(
    folder: &Folder,
    id: &str,
    options: &KernelLabOptions,
    now: DateTime<Utc>,
) -> io::Result<()> {
    folder.write_json(&folder.spec(), &spec(id, options, now)?)?;
    let mut child = supervisor(folder, &options.program)?.spawn()?;
    let said = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
    let mut said = BufReader::new(said).lines();
    let mut line = || said.next().transpose();
    let pid = line()?.and_then(|pid| pid.parse().ok());
    let holder = pid.and_then(Holder::of).ok_or_else(|| io::Error::other("no supervisor"))?;
    folder.write_json(&folder.holder(), &holder)?;
    // The one that went on alone has a child of its own; this one is done.
    child.wait()?;
    match line()?.as_deref() {
        Some(READY) => Ok(()),
        _ => Err(io::Error::other("the supervisor ended before the lab was ready")),
    }
}

/// Detached from this terminal and this process; the first line that it prints is its pid.
fn supervisor(folder: &Folder, program: &Path) -> io::Result<Command> {
    let mut options = OpenOptions::new();
    let log = options.create(true).append(true).mode(0o600).open(folder.log())?;
    let words = [OsString::from("--mount-proc"), "--".into(), program.into()];
    let mut command = Command::new("setsid");
    command
        .args(["--fork", "sh", "-c", "echo $$; exec unshare \"$@\"", "sh"])
        .args(probe::UNSHARE)
        .args(words)
        .arg(SUPERVISOR_COMMAND)
        .arg(fs::canonicalize(folder.path())?)
        .env_clear()
        .env("PATH", probe::PATH)
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    Ok(command)
}

fn read_log(folder: &Folder) -> String {
    let mut text = String::new();
    let read = File::open(folder.log()).and_then(|mut log| log.read_to_string(&mut text));
    read.map_or_else(|error| error.to_string(), |_| text)
}

fn holder(folder: &Folder) -> Option<Holder> {
    folder.read_json(&folder.holder()).ok()
}

/// Whether somebody holds the lab still. Nobody takes up one that was let go.
pub(super) fn is_held(folder: &Folder) -> bool {
    holder(folder).is_some_and(Holder::is_alive)
}

/// Kills the first process of the lab's pid namespace: the kernel kills all others before its end
/// is told. Without one, the process that waits for it.
fn end(holder: Holder) {
    if !holder.is_alive() {
        return;
    }
    let path = format!("/proc/{0}/task/{0}/children", holder.pid);
    let children = fs::read_to_string(path).unwrap_or_default();
    let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
    let pid = first.or_else(|| i32::try_from(holder.pid).ok());
    if let Some(pid) = pid {
        // Already gone is what is wanted.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends a lab and sweeps its folder. A lab that has ended already is swept.
///
/// # Errors
/// Where it does not end, or the folder cannot be removed.
pub async fn take_down(folder: &Folder, clock: Clock) -> io::Result<()> {
    if let Some(holder) = holder(folder) {
        end(holder);
        let gone = async {
            // It is nobody's child, so there is nothing to wait for but the number's end.
            while holder.is_alive() {
                clock.sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        clock.timeout(PATIENCE, gone).await.map_err(|_| {
            io::Error::other(format!("the lab's process {} does not end", holder.pid))
        })?;
    }
    match fs::remove_dir_all(folder.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A lab that nobody holds after that long will not be held.
const BUILT_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// The labs that live; the folders of those that do not are swept.
///
/// # Errors
/// Where the folders cannot be read.
pub fn list_labs(home: &Path) -> io::Result<Vec<KernelLab>> {
    let entries = match fs::read_dir(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = Folder::at(entry?.path());
        let spec: Option<Spec> = folder.read_json(&folder.spec()).ok();
        match (spec, holder(&folder)) {
            (Some(spec), Some(holder)) if holder.is_alive() => {
                let Spec { id, made_at, ends_at, .. } = spec;
                found.push(KernelLab { id, folder, made_at, ends_at });
            }
            // Who built it was killed before it could say who holds it.
            (Some(spec), None) if Clock::System.now() - spec.made_at > BUILT_WITHIN => {
                fs::remove_dir_all(folder.path())?;
            }
            // It may be about to be said.
            (_, None) => {}
            (_, Some(_)) => fs::remove_dir_all(folder.path())?,
        }
    }
    found.sort_by_key(|lab| lab.made_at);
    Ok(found)
}

/// The lab of this id, or the only one.
///
/// # Errors
/// Where there is none, or several and no id.
pub fn find_lab(home: &Path, id: Option<&str>) -> io::Result<Folder> {
    let mut labs = list_labs(home)?;
    let ids: Vec<_> = labs.iter().map(|lab| lab.id.clone()).collect();
    match id {
        Some(id) => labs.retain(|lab| lab.id == id),
        None if labs.len() > 1 => {
            let words = format!(
                "there are several labs: {}; --id says which (as a run's lab: netns:ID)",
                ids.join(", ")
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        None => {}
    }
    let lab = labs.pop().ok_or_else(|| {
        let there = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        io::Error::new(io::ErrorKind::NotFound, format!("no such lab; there are: {there}"))
    })?;
    Ok(lab.folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_users_programs_are_those_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let usual = || KernelLabOptions::usual(7).unwrap();
        assert!(usual().with_routerd(folder.path()).is_err());
        fs::write(folder.path().join("routerctl"), "").unwrap();
        let options = usual().with_routerd(folder.path()).unwrap();
        assert!(options.routerctl.is_some() && options.executor.is_none());
        fs::write(folder.path().join("aws-provider-executor"), "").unwrap();
        assert!(usual().with_routerd(folder.path()).unwrap().executor.is_some());
        let own = folder.path().join("own");
        assert!(usual().with_executor(&own).is_err());
        fs::write(&own, "").unwrap();
        let both = usual().with_routerd(folder.path()).unwrap().with_executor(&own).unwrap();
        assert_eq!(both.executor, Some(own), "the one that was named goes first");
    }

    #[test]
    fn what_does_not_live_is_not_listed_and_its_folder_goes() {
        let home = tempfile::tempdir().unwrap();
        assert!(list_labs(&home.path().join("none")).unwrap().is_empty());
        let folder = Folder::create(home.path(), "dead").unwrap();
        let own = Holder::of(std::process::id()).unwrap();
        let dead = Holder { started: own.started + 1, ..own };
        folder.write_json(&folder.holder(), &dead).unwrap();
        assert!(list_labs(home.path()).unwrap().is_empty());
        assert!(!folder.path().exists());
        // Nobody came to hold these two; the second may still be.
        for (id, age, left) in [("old", BUILT_WITHIN * 2, false), ("new", TimeDelta::zero(), true)]
        {
            let folder = Folder::create(home.path(), id).unwrap();
            let options = KernelLabOptions {
                home: home.path().into(),
                ..KernelLabOptions::usual(7).unwrap()
            };
            let spec = spec(id, &options, Clock::System.now() - age).unwrap();
            folder.write_json(&folder.spec(), &spec).unwrap();
            assert!(list_labs(home.path()).unwrap().is_empty());
            assert_eq!(folder.path().exists(), left, "{id}");
        }
        assert!(find_lab(home.path(), None).unwrap_err().to_string().contains("there are: none"));
    }
}
