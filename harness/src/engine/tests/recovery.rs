//! A run that died after its nodes were gone.

use reports::record::{Record, ScenarioStarted, Verdict};

use super::super::*;
use crate::labs::{MockOptions, create_journal, open_mock};

/// The names of the scenarios that began after a record.
fn begun(records: &[Record]) -> Vec<&str> {
    let names = records.iter().filter_map(|record| match &record.kind {
        Kind::ScenarioStarted(ScenarioStarted { scenario }) => Some(scenario.as_str()),
        _ => None,
    });
    names.collect()
}

/// It was seen restored: nobody looks for what has gone with its nodes since.
#[test]
fn what_was_seen_restored_is_not_undone_again() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let options = MockOptions { seed: 1, faults: Vec::new(), world_file: None };
        let opened = open_mock(&options).expect("a mock lab");
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let whole = create_journal(folders[0].path(), &opened.world).expect("an empty journal");
        let parts = SEQUENCE.iter().map(|scenario| (scenario.name, Part::Judged)).collect();
        let selection = Selection { filter: None, parts };
        let run_id = opened.run_id.clone();
        let settings = Settings { run_id, seed: Some(1), faults: Vec::new(), selection };
        let (lab, go) = (&opened.lab, opened.go.clone());
        run_sequence(lab, go, &whole, Brake::default(), &settings, &mut |_| {}).await;

        // Its journal as it was when it had torn everything down.
        let records = whole.with_records(<[Record]>::to_vec);
        let torn_down = records.iter().position(|record| {
            matches!(&record.kind, Kind::ScenarioFinished(it) if it.scenario == "teardown")
        });
        let died = &records[..=torn_down.expect("it was torn down")];
        let journal = create_journal(folders[1].path(), &opened.world).expect("an empty journal");
        for record in died {
            journal.append(record.at, record.kind.clone()).expect("written");
        }
        for name in ["go.json", "go.json.sig"] {
            std::fs::copy(folders[0].path().join(name), folders[1].path().join(name))
                .expect("copied");
        }
        let judged = recover_from_journal(lab, &journal, &settings.run_id, &mut |_| {}).await;
        let records = journal.with_records(<[Record]>::to_vec);
        assert_eq!(begun(&records[died.len()..]), ["teardown", "residue"]);
        assert_eq!(judged.verdict, Verdict::Interrupted, "{:?}", judged.reasons);
    });
}
