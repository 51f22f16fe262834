//! A lab that is not built in is opened through the same interface: one of a test's own, which says that
//! it is on AWS, and whose world this test holds.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use harness::labs::{
    Choice, Existing, LabRequest, Labs, Leaving, MockOptions, OpenError, Opened, Opener, Own, Site,
    mock_manifest, open_mock_as,
};
use lab::manifest::Manifest;
use lab_mock::world::Shared;
use reports::evidence::Evidence;
use reports::folder::{EVIDENCE_FILE, RunFolder};
use reports::journal::Writer;
use reports::record::{LabKind, RunStarted, Verdict};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SEED: u64 = 5;

/// The knowledge of the lab between the commands.
#[derive(Default)]
struct OwnLab {
    world: RefCell<Option<Shared>>,
    left: Cell<Option<Leaving>>,
}

struct OwnLabs(Rc<OwnLab>);

impl Opener for OwnLabs {
    fn kind(&self) -> LabKind {
        LabKind::Aws
    }

    fn runtime(&self) -> io::Result<Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
    }

    fn check(&self, _wanted: &LabRequest) -> Result<(), OpenError> {
        Ok(())
    }

    fn begin<'a>(
        &'a self,
        wanted: &'a LabRequest,
        _say: &'a dyn Fn(&str),
    ) -> LocalBoxFuture<'a, Result<Box<dyn Site>, OpenError>> {
        let Choice::Described(own) = &wanted.lab else { panic!("a real lab is described") };
        let Own { path, manifest } = own.as_ref();
        let site = OwnSite {
            lab: self.0.clone(),
            run_id: "smoke-of-its-own".to_owned(),
            file: path.clone(),
            manifest: manifest.clone(),
        };
        Box::pin(std::future::ready(Ok(Box::new(site) as Box<dyn Site>)))
    }

    fn return_to(&self, run: Existing) -> Result<Box<dyn Site>, OpenError> {
        let (lab, file) = (self.0.clone(), PathBuf::new());
        let (run_id, manifest) = (run.started.run_id, run.manifest);
        Ok(Box::new(OwnSite { lab, run_id, file, manifest }))
    }

    fn own_manifest(&self, _run: &RunStarted) -> Result<Manifest, OpenError> {
        mock_manifest(SEED)
    }
}

struct OwnSite {
    lab: Rc<OwnLab>,
    run_id: String,
    file: PathBuf,
    manifest: Manifest,
}

impl Site for OwnSite {
    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn seed(&self) -> Option<u64> {
        None
    }

    fn manifest_file(&self) -> Option<PathBuf> {
        Some(self.file.clone())
    }

    fn open<'a>(&'a self, _folder: &'a RunFolder) -> LocalBoxFuture<'a, Result<Opened, OpenError>> {
        Box::pin(async move {
            let known = self.lab.world.borrow().clone();
            let lab = if let Some(world) = known {
                lab_mock::attach_world(world, self.manifest.clone())?.lab
            } else {
                let options = MockOptions { seed: SEED, faults: vec![], world_file: None };
                let mock = open_mock_as(&options, Some(self.manifest.clone()))?;
                *self.lab.world.borrow_mut() = Some(mock.world);
                mock.lab
            };
            Ok(Opened {
                lab,
                self_grant: None,
                go_hidden_for: Duration::ZERO,
                owner_awaited: None,
                disk: Box::new(Writer::create),
            })
        })
    }

    fn leave<'a>(&'a self, how: Leaving, _say: &'a dyn Fn(&str)) -> LocalBoxFuture<'a, ()> {
        self.lab.left.set(Some(how));
        Box::pin(std::future::ready(()))
    }
}

struct Place {
    folder: TempDir,
    labs: Labs,
    lab: Rc<OwnLab>,
}

impl Place {
    fn new() -> Self {
        let (folder, lab) = (tempfile::tempdir().expect("a folder"), Rc::<OwnLab>::default());
        let labs = Labs::built_in().with(Box::new(OwnLabs(lab.clone())));
        std::fs::write(folder.path().join("lab.toml"), manifest()).expect("written");
        Self { folder, labs, lab }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn call(&self, words: &[&str]) -> u8 {
        let words = std::iter::once("lab-smoke").chain(words.iter().copied());
        let words = words.map(Into::into).collect();
        harness::answer_on(words, &self.labs, Box::new(io::sink()), Box::new(io::sink()))
    }

    fn evidence(&self) -> Evidence {
        let file = Path::new(&self.path("run")).join(EVIDENCE_FILE);
        serde_json::from_slice(&std::fs::read(file).expect("evidence")).expect("evidence")
    }
}

/// The mock's, as of a lab on AWS: who may sign, and how each node is reached.
fn manifest() -> String {
    let mut manifest = mock_manifest(SEED).expect("a manifest");
    manifest.lab.kind = LabKind::Aws;
    manifest.owner.allowed_signers.push_str(
        "owner@example.org namespaces=\"lab-smoke-go\" ssh-ed25519 \
         AAAAC3NzaC1lZDI1NTE5AAAAIEg5f7Uih+RbUr4hVdyZsqgMG/olHmX7q0jcqQnA/o7Q\n",
    );
    for node in manifest.nodes.values_mut() {
        node.ssh = Some(format!("lab@{}", node.address));
    }
    manifest.to_toml().expect("TOML")
}

#[test]
fn a_lab_that_is_not_built_in_is_begun_looked_at_and_recovered_by_the_same_commands() {
    let place = Place::new();
    let (lab, run) = (place.path("lab.toml"), place.path("run"));
    assert_eq!(place.call(&["preflight", "--lab", &lab, "--out", &run]), 3);
    assert_eq!(place.evidence().verdict.verdict, Verdict::Parked);
    assert!(matches!(place.lab.left.take(), Some(Leaving::Run(standing)) if standing.pending()));
    assert_eq!(place.call(&["status", &run]), 0);
    assert_eq!(place.call(&["resume", &run]), 3, "nobody has granted it yet");
    assert_eq!(place.call(&["recover", &run]), 0);
    assert_eq!(place.lab.left.take(), Some(Leaving::Recovered));
    assert_eq!(place.evidence().verdict.verdict, Verdict::Interrupted);
}

#[test]
fn what_no_opener_can_open_is_refused_before_anything_is_made() {
    let place = Place::new();
    let (lab, run) = (place.path("lab.toml"), place.path("run"));
    let words = ["lab-smoke", "preflight", "--lab", &lab, "--out", &run].map(Into::into);
    let sink = || Box::new(io::sink());
    assert_eq!(harness::answer_on(words.into(), &Labs::none(), sink(), sink()), 8);
    assert!(!Path::new(&run).exists());
}
