//! Whole runs one after the other on one lab that stands, on the mock in virtual time.

use std::io::Cursor;
use std::rc::Rc;

use harness::engine::{self, Settings};
use harness::grant::LabItself;
use harness::labs::{self, MockOptions};
use lab::manifest::{Instances, Manifest};
use lab::node::Node;
use lab::permit::Brake;
use lab_mock::world::World;
use reports::evidence::fold_records;
use reports::record::Record;
use rusqlite::{Connection, MAIN_DB};

use crate::smoke::{Ran, all, folder};

/// Edits the manifest so that one run after the other finds the lab as it was.
pub fn stands(manifest: &mut Manifest) {
    let teardown = &mut manifest.teardown;
    teardown.instances = Instances::Keep;
    let release = std::mem::take(&mut teardown.release_addresses);
    let delete = std::mem::take(&mut teardown.delete_volumes);
    teardown.keep.extend(release.into_iter().chain(delete));
}

/// One run for each list of faults, which are put into the lab as its run begins.
pub fn run(seed: u64, edit: fn(&mut Manifest), faults: &[&[&str]]) -> Vec<Ran> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let mut manifest = labs::mock_manifest(seed).expect("the mock's manifest");
        edit(&mut manifest);
        let options = MockOptions { seed, faults: Vec::new(), world_file: None };
        let opened = labs::open_mock_as(&options, Some(manifest.clone())).expect("a mock lab");
        let mut world = opened.world.lock().clone();
        let mut ran = Vec::new();
        for (turn, faults) in faults.iter().enumerate() {
            for fault in *faults {
                lab_mock::faults::inject_fault(&mut world, fault).expect("a fault");
            }
            let one =
                Box::pin(run_one(&format!("smoke-turn-{turn}"), world, manifest.clone())).await;
            world = one.world.clone();
            ran.push(one);
        }
        ran
    })
}

async fn run_one(run_id: &str, world: World, manifest: Manifest) -> Ran {
    let folder = folder();
    let (before, seed) = (world.clone(), world.seed);
    let mock =
        lab_mock::attach_world(lab_mock::world::Shared::new(world), manifest).expect("the lab");
    let journal = labs::create_journal(folder.path(), &mock.shared).expect("an empty journal");
    let settings = Settings {
        run_id: run_id.to_owned(),
        seed: Some(seed),
        faults: Vec::new(),
        selection: all(),
    };
    let go = Rc::new(LabItself { key_seed: mock.go_seed, clock: mock.lab.clock, fault: None });
    let (brake, announce) = (Brake::default(), &mut |_| {});
    let judgement = engine::run_sequence(&mock.lab, go, &journal, brake, &settings, announce).await;
    let records = journal.with_records(<[Record]>::to_vec);
    let evidence = journal.with_records(|records| fold_records(records, &journal.head()));
    let mut world = mock.shared.lock().clone();
    world.now = mock.lab.clock.now();
    Ran { evidence, records, judgement, before, world }
}

/// Ids of the rows of routerd's journal with this status, by the database itself.
pub fn rows(world: &World, status: &str) -> Vec<u64> {
    let files = &world.machines.get(Node::RouterdCloud).files;
    let Some(stored) = files.contents("/var/lib/routerd/routerd.db") else { return Vec::new() };
    let read = || -> rusqlite::Result<Vec<u64>> {
        let mut database = Connection::open_in_memory()?;
        database.deserialize_read_exact(MAIN_DB, Cursor::new(stored), stored.len(), true)?;
        let query = "SELECT id FROM action_executions WHERE status = ?1 ORDER BY id";
        let mut statement = database.prepare(query)?;
        let ids = statement.query_map([status], |row| row.get::<_, i64>(0))?;
        ids.map(|id| id.map(|id| u64::try_from(id).unwrap_or_default())).collect()
    };
    read().expect("routerd's database")
}
