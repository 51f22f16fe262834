//! Kernel labs: made for a run, or found, in the time of their processes and packets.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use lab::clock::Clock;
use lab::manifest::Manifest;
use lab_netns::{Condition, Folder};
use reports::folder::RunFolder;
use reports::journal::Writer;
use reports::record::{LabKind, RunStarted};
use scenarios::run::GoSource;
use tokio::runtime::Runtime;

use super::which::{
    NetnsError, find_kernel_lab, folder_id, lab_of, make_kernel_lab, of_manifest, of_run,
    prove_gone, time_to_live,
};
use super::{
    AfterRun, Choice, Existing, LabRequest, Leaving, OpenError, Opened, Opener, Purpose, Site,
    real_time,
};
use crate::grant::LabItself;

pub struct KernelLabs;

impl Opener for KernelLabs {
    fn kind(&self) -> LabKind {
        LabKind::Netns
    }

    fn runtime(&self) -> io::Result<Runtime> {
        real_time()
    }

    fn check(&self, wanted: &LabRequest) -> Result<(), OpenError> {
        if !matches!(wanted.lab, Choice::Usual) {
            wanted.makes_nothing()?;
        }
        if wanted.seed.is_some() {
            return Err(OpenError::OnlyOnTheMock("seed"));
        }
        Ok(lab_netns::check_faults(&wanted.faults)?)
    }

    fn begin<'a>(
        &'a self,
        wanted: &'a LabRequest,
        say: &'a dyn Fn(&str),
    ) -> LocalBoxFuture<'a, Result<Box<dyn Site>, OpenError>> {
        Box::pin(async move {
            let site = match &wanted.lab {
                Choice::Usual => {
                    let folder = make_kernel_lab(&wanted.make, time_to_live(wanted.grantor), None)?;
                    KernelSite::of_new_run(folder, Whose::made(wanted.after), wanted, None)
                }
                Choice::Named(id) => found(find_kernel_lab(Some(id))?, wanted, None, say).await?,
                Choice::Described(own) => {
                    let manifest = Some((own.path.clone(), own.manifest.clone()));
                    found(of_manifest(own)?, wanted, manifest, say).await?
                }
            };
            Ok(Box::new(site) as Box<dyn Site>)
        })
    }

    fn return_to(&self, run: Existing) -> Result<Box<dyn Site>, OpenError> {
        let Existing { started, manifest, purpose, .. } = run;
        let folder = of_run(&started.run_id)?;
        let whose = if folder.is_left_to(&started.run_id) { Whose::TheRuns } else { Whose::Others };
        Ok(Box::new(KernelSite {
            file: None,
            manifest: Some(manifest),
            run_id: started.run_id,
            faults: started.faults,
            folder,
            whose,
            begun: Begun::Earlier(purpose),
        }))
    }

    fn own_manifest(&self, run: &RunStarted) -> Result<Manifest, OpenError> {
        Ok(lab_netns::read_manifest(&of_run(&run.run_id)?)?)
    }

    fn prove_gone(&self, run: &RunFolder, run_id: &str) -> Result<Option<String>, OpenError> {
        Ok(prove_gone(run, run_id)?.map(|gone| gone.to_string()))
    }
}

/// A lab on which there was a run before: what that has stopped is started, and what it has
/// terminated is said before anything is begun.
async fn found(
    folder: Folder,
    wanted: &LabRequest,
    own: Option<(PathBuf, Manifest)>,
    say: &dyn Fn(&str),
) -> Result<KernelSite, OpenError> {
    if let Some(run) = folder.last_run() {
        match lab_netns::read_condition(&folder).await? {
            Condition::Running => {}
            Condition::Terminated(_) => {
                return Err(NetnsError::Spent { id: folder_id(&folder), run }.into());
            }
            Condition::Stopped(nodes) => {
                let lab = lab_netns::open_kernel_lab(folder.clone(), Clock::System)?;
                lab_netns::start_instances(&lab, &nodes, Clock::System).await?;
                let names: Vec<_> = nodes.iter().map(|node| node.as_str()).collect();
                let names = names.join(" and ");
                say(&format!("{run} left {names} stopped: started again\n"));
            }
        }
    }
    Ok(KernelSite::of_new_run(folder, Whose::Others, wanted, own))
}

struct KernelSite {
    folder: Folder,
    run_id: String,
    whose: Whose,
    begun: Begun,
    /// Where the operator's own manifest lies.
    file: Option<PathBuf>,
    manifest: Option<Manifest>,
    faults: Vec<String>,
}

/// Who takes the lab down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// It was made for the run, and ends with it.
    TheRuns,
    /// It was made for the run, and stays.
    Kept,
    Others,
}

impl Whose {
    fn made(after: AfterRun) -> Self {
        match after {
            AfterRun::TakeDown => Self::TheRuns,
            AfterRun::Keep => Self::Kept,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Now,
    Earlier(Purpose),
}

impl KernelSite {
    fn of_new_run(
        folder: Folder,
        whose: Whose,
        wanted: &LabRequest,
        own: Option<(PathBuf, Manifest)>,
    ) -> Self {
        let now = Clock::System.now().format("%Y%m%dT%H%M%SZ");
        let run_id = format!("smoke-{now}-{}", folder_id(&folder));
        let (file, manifest) = own.unzip();
        let faults = wanted.faults.clone();
        Self { folder, run_id, whose, begun: Begun::Now, file, manifest, faults }
    }

    /// Says in the lab's folder which run is on it; a lab of the run's own ends with its process.
    async fn bind(&self, run: &RunFolder) -> io::Result<()> {
        if self.begun == Begun::Now {
            self.folder.note_run(&self.run_id)?;
            if self.whose == Whose::TheRuns {
                self.folder.leave_to(&self.run_id)?;
            }
        }
        // What a recovery leaves on a lab is there to be looked at.
        if self.whose == Whose::TheRuns && self.begun != Begun::Earlier(Purpose::Recover) {
            lab_netns::leave_to_process(&self.folder, run.path()).await?;
        }
        Ok(())
    }

    async fn take_down(&self, say: &dyn Fn(&str)) {
        if let Err(error) = lab_netns::take_down(&self.folder, Clock::System).await {
            say(&format!("the lab could not be taken down: {error}\n"));
        }
    }

    fn down_command(&self) -> String {
        format!("lab-smoke lab down --id {}", lab_of(&self.run_id))
    }
}

impl Site for KernelSite {
    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn seed(&self) -> Option<u64> {
        None
    }

    fn manifest_file(&self) -> Option<PathBuf> {
        Some(self.file.clone().unwrap_or_else(|| self.folder.manifest()))
    }

    fn open<'a>(&'a self, folder: &'a RunFolder) -> LocalBoxFuture<'a, Result<Opened, OpenError>> {
        Box::pin(async move {
            if self.begun == Begun::Now {
                for fault in &self.faults {
                    lab_netns::inject_into_lab(&self.folder, fault).await?;
                }
            }
            let (lab, manifest) = (self.folder.clone(), self.manifest.clone());
            let opened = lab_netns::open_for(lab, Clock::System, manifest, &self.faults)?;
            self.bind(folder).await?;
            let go = LabItself { key_seed: opened.go_seed, clock: Clock::System, fault: None };
            Ok(Opened {
                lab: opened.lab,
                self_grant: Some(Rc::new(go) as Rc<dyn GoSource>),
                go_hidden_for: Duration::ZERO,
                owner_awaited: None,
                disk: Box::new(Writer::create),
            })
        })
    }

    fn leave<'a>(&'a self, how: Leaving, say: &'a dyn Fn(&str)) -> LocalBoxFuture<'a, ()> {
        let lives_on = || say(&format!("the lab lives on: {}\n", self.down_command()));
        Box::pin(async move {
            match (self.whose, how) {
                (Whose::Kept, _)
                | (_, Leaving::NotRecovered)
                | (Whose::Others, Leaving::Recovered) => lives_on(),
                (Whose::TheRuns, Leaving::Run(standing)) if standing.needs_its_lab() => {
                    let down = self.down_command();
                    say(&format!("the lab waits with the run; without it: {down}\n"));
                }
                (Whose::TheRuns, Leaving::Unused | Leaving::Run(_) | Leaving::Recovered) => {
                    self.take_down(say).await;
                }
                (Whose::Others, Leaving::Unused | Leaving::Run(_)) => {}
            }
        })
    }
}
