//! Labs on AWS: described by a manifest, there before the run and after it, in real time. Such a lab
//! never grants itself a go.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use lab::clock::Clock;
use lab::manifest::Manifest;
use lab_aws::open_aws_lab;
use reports::folder::RunFolder;
use reports::journal::Writer;
use reports::record::{LabKind, RunStarted};
use tokio::runtime::Runtime;

use super::{
    Choice, Existing, LabRequest, Leaving, OpenError, Opened, Opener, Own, Site, real_time,
};

pub struct AwsLabs;

impl Opener for AwsLabs {
    fn kind(&self) -> LabKind {
        LabKind::Aws
    }

    fn runtime(&self) -> io::Result<Runtime> {
        real_time()
    }

    fn check(&self, wanted: &LabRequest) -> Result<(), OpenError> {
        wanted.makes_nothing()
    }

    fn begin<'a>(
        &'a self,
        wanted: &'a LabRequest,
        _say: &'a dyn Fn(&str),
    ) -> LocalBoxFuture<'a, Result<Box<dyn Site>, OpenError>> {
        Box::pin(async move {
            let Choice::Described(own) = &wanted.lab else { return Err(OpenError::NoManifest) };
            let Own { path, manifest } = own.as_ref();
            Ok(Box::new(AwsSite {
                run_id: make_run_id(),
                file: Some(path.clone()),
                manifest: manifest.clone(),
                assume_role: wanted.assume_role.clone(),
            }) as Box<dyn Site>)
        })
    }

    fn return_to(&self, run: Existing) -> Result<Box<dyn Site>, OpenError> {
        let Existing { started, manifest, assume_role, .. } = run;
        Ok(Box::new(AwsSite { run_id: started.run_id, file: None, manifest, assume_role }))
    }

    /// AWS keeps none.
    fn own_manifest(&self, _run: &RunStarted) -> Result<Manifest, OpenError> {
        Err(OpenError::NoManifest)
    }
}

fn make_run_id() -> String {
    let now = Clock::System.now().format("%Y%m%dT%H%M%SZ");
    format!("smoke-{now}-{:04x}", fastrand::u16(..))
}

struct AwsSite {
    run_id: String,
    file: Option<PathBuf>,
    manifest: Manifest,
    assume_role: Option<String>,
}

impl Site for AwsSite {
    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn seed(&self) -> Option<u64> {
        None
    }

    fn manifest_file(&self) -> Option<PathBuf> {
        self.file.clone()
    }

    fn open<'a>(&'a self, _folder: &'a RunFolder) -> LocalBoxFuture<'a, Result<Opened, OpenError>> {
        Box::pin(async move {
            let environment = |name: &str| std::env::var(name).ok();
            let role = self.assume_role.as_deref();
            let manifest = self.manifest.clone();
            Ok(Opened {
                lab: open_aws_lab(manifest, &self.run_id, role, &environment).await?,
                self_grant: None,
                go_hidden_for: Duration::ZERO,
                owner_awaited: None,
                disk: Box::new(Writer::create),
            })
        })
    }

    /// It was there before, and stays.
    fn leave<'a>(&'a self, _how: Leaving, _say: &'a dyn Fn(&str)) -> LocalBoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
