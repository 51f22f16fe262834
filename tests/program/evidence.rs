//! The things that a run leaves hold at every instant, for every reader, and without a secret.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use reports::evidence::fold_records;
use reports::journal::JOURNAL_FILE;
use reports::record::{Kind, Outage, Record, Verdict};
use serde_json::Value;
use tempfile::TempDir;

/// A run of the mock lab in a folder of its own.
fn run(words: &[&str]) -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    let out = place.path().join("run");
    let status = Command::new(env!("CARGO_BIN_EXE_lab-smoke"))
        .args(["run", "--seed", "7", "--out"])
        .arg(&out)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it starts");
    assert!(status.code().is_some(), "it was killed");
    place
}

fn records(place: &TempDir) -> Vec<Record> {
    let bytes = fs::read(place.path().join("run").join(JOURNAL_FILE)).expect("a journal");
    reports::journal::verify_chain(&bytes).expect("a whole chain")
}

#[test]
fn the_evidence_of_every_prefix_of_a_run_follows_the_schema() {
    let schema = reports::schema::schema_value();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for faults in [&[][..], &["--inject", "assign-reply-lost"], &["--inject", "foreign-holder"]] {
        let records = records(&run(faults));
        assert!(records.len() > 30, "a run of {} records shows nothing", records.len());
        for end in 1..=records.len() {
            let head = reports::digest::Digest::of(end.to_string());
            let evidence = fold_records(&records[..end], &head);
            let value = serde_json::to_value(&evidence).expect("JSON");
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "after {end} records of {faults:?}: {errors:?}");
        }
    }
}

#[test]
fn the_schema_refuses_what_is_not_evidence() {
    let validator = jsonschema::validator_for(&reports::schema::schema_value()).expect("a schema");
    let records = records(&run(&[]));
    let evidence = fold_records(&records, &reports::digest::Digest::zero());
    let good = serde_json::to_value(&evidence).expect("JSON");
    assert!(validator.is_valid(&good));
    let edits: [fn(&mut Value); 3] = [
        |it| it["schema_version"] = Value::from("one"),
        |it| it["surprise"] = Value::from(1),
        |it| {
            it.as_object_mut().expect("an object").remove("verdict");
        },
    ];
    for (index, edit) in edits.iter().enumerate() {
        let mut bad = good.clone();
        edit(&mut bad);
        assert!(!validator.is_valid(&bad), "edit {index} passes");
    }
}

/// Every file of the run's folder, whatever it is.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("readable")));
        }
    }
    found
}

#[test]
fn a_planted_secret_reaches_no_file_of_the_run() {
    let planted = b"AKIAPLANTEDEXAMPLE00";
    let place = run(&["--inject", "credentials-in-yaml"]);
    let records = records(&place);
    let read = records.iter().any(|record| match &record.kind {
        Kind::AttachmentStored(kept) => kept.source.contains("router.yaml"),
        _ => false,
    });
    assert!(read, "the file with the secret was never read, so this proves nothing");
    for (name, bytes) in files(place.path()) {
        let there = bytes.windows(planted.len()).any(|window| window == planted);
        assert!(!there, "{name} holds the planted key");
    }
}

/// The cost of each scenario in round trips, one after the other: the virtual time that a latency
/// of 200 ms on every call adds, in units of it.
#[test]
fn round_trips_of_each_scenario() {
    let table = [
        ("preflight", 3),
        ("undo-plan", 1),
        ("gate", 7),
        ("plan", 3),
        ("import", 2),
        ("approve", 2),
        ("dry-run", 3),
        ("execute", 8),
        // Two looks: one may be older than the other.
        ("eni-address", 2),
        ("source-dest-check", 2),
        ("os-address", 1),
        ("claim-ready", 1),
        ("doctor", 1),
        ("ping", 1),
        ("ssh", 1),
        ("no-nat", 2),
        ("default-gateway", 1),
        ("node-state", 1),
        ("cloud-state", 2),
        ("undo", 9),
        ("restored", 2),
        ("teardown", 8),
        ("residue", 1),
    ];
    let (without, with) = (records(&run(&[])), records(&run(&["--inject", "latency=200ms"])));
    let took = |scenario| rounded(lasted_ms(&with, scenario) - lasted_ms(&without, scenario));
    assert_eq!(table.map(|(scenario, _)| (scenario, took(scenario))), table);
    let whole = |records: &[Record]| {
        let (first, last) = (&records[0], &records[records.len() - 1]);
        (last.at - first.at).num_milliseconds()
    };
    let more = whole(&with) - whole(&without);
    assert!(more <= 53 * 200, "the run takes {more} ms longer");
}

fn rounded(ms: i64) -> i64 {
    (ms + 100).div_euclid(200)
}

fn lasted_ms(records: &[Record], scenario: &str) -> i64 {
    let at = |wanted: &dyn Fn(&Kind) -> bool| {
        records.iter().find(|record| wanted(&record.kind)).map(|record| record.at)
    };
    let started = at(&|kind| matches!(kind, Kind::ScenarioStarted(it) if it.scenario == scenario));
    let ended = at(&|kind| matches!(kind, Kind::ScenarioFinished(it) if it.scenario == scenario));
    (ended.expect("it ended") - started.expect("it started")).num_milliseconds()
}

/// The model has no probe, and no figure is made up.
#[test]
fn an_outage_that_nobody_measured_is_said_with_the_reason() {
    let records = records(&run(&[]));
    let outages = fold_records(&records, &reports::digest::Digest::zero()).outages;
    let scenarios: Vec<_> = outages.iter().map(|it| it.scenario.as_str()).collect();
    assert_eq!(scenarios, ["execute", "undo"]);
    for recorded in outages {
        let Outage::NotMeasured { reason } = recorded.outage else { panic!("{recorded:?}") };
        assert!(reason.contains("nodes.cloud-client.outage_probe"), "{reason}");
    }
}

#[test]
fn a_bad_underlay_is_borne_and_stands_in_the_evidence() {
    let pings = |faults: &[&str]| -> Vec<Value> {
        let records = records(&run(faults));
        let evidence = fold_records(&records, &reports::digest::Digest::zero());
        assert_eq!(evidence.verdict.verdict, Verdict::Pass, "{faults:?}: {:?}", evidence.verdict);
        let ping = evidence.scenarios.into_iter().find(|it| it.name == "ping").expect("declared");
        ping.assertions.into_iter().map(|it| it.observed).collect()
    };
    for ping in pings(&["--inject", "underlay-delay=40ms"]) {
        let average = ping["round_trip_ms"]["avg"].as_f64().expect("a number");
        assert!((84.0..90.0).contains(&average), "{ping}");
        assert_eq!(ping["lost"], 0, "{ping}");
    }
    // Which packets are lost is a matter of their order: not in every run is it one of these.
    let shares = ["underlay-loss=5%", "underlay-loss=7%", "underlay-loss=12%"];
    let lossy: Vec<Value> = shares.iter().flat_map(|share| pings(&["--inject", share])).collect();
    assert!(lossy.iter().any(|ping| ping["lost"].as_u64() > Some(0)), "{lossy:?}");
}
