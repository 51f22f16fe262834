//! A run as it is carried out and shown, around an engine that says what it is told to.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use futures::stream;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use reports::evidence::Evidence;
use reports::journal::read_file;
use reports::record::{RunFinished, ScenarioStatus, Verdict};
use scenarios::{Finished, SEQUENCE};
use tempfile::TempDir;

use super::*;
use crate::cli;
use crate::selection::select_scenarios;
use crate::terminal::tests::Kept;

/// A folder for the run, a file for what libtest-mimic prints, and a terminal.
struct Scene {
    temp: TempDir,
    out: Kept,
    err: Kept,
}

impl Scene {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        Self { temp, out: Kept::default(), err: Kept::default() }
    }

    fn log(&self) -> PathBuf {
        self.temp.path().join("log")
    }

    fn run_dir(&self) -> PathBuf {
        self.temp.path().join("run")
    }

    /// The text that stdout would have shown, with what differs between two runs taken out.
    fn shown(&self) -> String {
        let printed = fs::read_to_string(self.log()).expect("the printer's file");
        let text = format!("{printed}--\n{}", self.out.text());
        text.lines()
            .map(|line| line.split(" finished in ").next().unwrap_or_default())
            .map(|line| format!("{line}\n").replace(&self.run_dir().display().to_string(), "RUN"))
            .collect()
    }

    /// Carries out a run; libtest-mimic prints to `log`.
    async fn run(
        &self,
        words: &str,
        log: &Path,
        signals: impl Stream<Item = &'static str> + Unpin,
        engine: impl AsyncFnOnce(&Writer, Brake, &mut dyn FnMut(Announcement)) -> Judgement,
    ) -> Judgement {
        let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        words.extend(["--logfile".to_owned(), log.display().to_string()]);
        let arguments = cli::parse_libtest_arguments(&words).expect("libtest words");
        let selection = select_scenarios(&arguments).expect("something matches");
        let folder = RunFolder::create(&self.run_dir()).expect("a new folder");
        let terminal = Terminal::new(Box::new(self.out.clone()), Box::new(self.err.clone()));
        let stage = Stage {
            folder: &folder,
            clock: Clock::starting_at("2026-10-01T12:00:00Z".parse().expect("a time")),
            terminal: &terminal,
            show: &Show { format: Format::Human, arguments },
            selection: &selection,
            seed: Some(7),
            journal: Writer::create(folder.path()).expect("an empty journal"),
        };
        perform_run(&stage, &mut { signals }, engine).await
    }

    fn evidence(&self) -> Evidence {
        let text = fs::read(self.run_dir().join(EVIDENCE_FILE)).expect("evidence is written");
        serde_json::from_slice(&text).expect("evidence")
    }
}

fn finished(status: ScenarioStatus) -> Finished {
    Finished { status, reason: None, complaints: Vec::new(), tripped: Vec::new() }
}

/// How each scenario ends; all others pass.
fn announcement(name: &'static str) -> Announcement {
    let with_reason =
        |status, reason: &str| Finished { reason: Some(reason.to_owned()), ..finished(status) };
    let finished = match name {
        "claim-ready" => with_reason(ScenarioStatus::NotApplicable, "routerd has no such kind"),
        "ping" => Finished {
            complaints: vec![
                "ping.reply failed: expected 3, observed 0".into(),
                "ping.ttl unknown: nothing came back".into(),
            ],
            ..finished(ScenarioStatus::Failed)
        },
        "ssh" => with_reason(ScenarioStatus::Unknown, "the reply was lost"),
        "no-nat" => Finished { tripped: vec![3], ..finished(ScenarioStatus::Failed) },
        "doctor" => with_reason(ScenarioStatus::Skipped, "nothing to ask"),
        "teardown" => {
            let reason = "`restored` did not pass".to_owned();
            return Announcement::NotRun { name, reason };
        }
        _ => finished(ScenarioStatus::Passed),
    };
    Announcement::Finished { name, finished }
}

fn fails() -> Judgement {
    let reasons = vec!["ping: ping.reply failed: expected 3, observed 0".to_owned()];
    Judgement { verdict: Verdict::Fail, exit_code: 1, reasons }
}

fn finish(journal: &Writer, judgement: Judgement) -> Judgement {
    let Judgement { verdict, exit_code, reasons } = judgement.clone();
    let at = "2026-10-01T12:00:01Z".parse().expect("a time");
    let kind = Kind::RunFinished(RunFinished { verdict, exit_code, reasons });
    journal.append_synced(at, kind).expect("written");
    judgement
}

async fn every_ending(
    journal: &Writer,
    _brake: Brake,
    announce: &mut dyn FnMut(Announcement),
) -> Judgement {
    for scenario in SEQUENCE {
        announce(Announcement::Started(scenario.name));
        announce(announcement(scenario.name));
    }
    finish(journal, fails())
}

#[tokio::test(start_paused = true)]
async fn every_ending_is_shown_in_the_order_of_the_runbook() {
    let scene = Scene::new();
    let judgement = scene.run("", &scene.log(), stream::pending(), every_ending).await;
    assert_eq!(judgement.exit_code, 1);
    insta::assert_snapshot!(scene.shown());
    assert_eq!(scene.err.text(), "");
    assert_eq!(scene.evidence().verdict, judgement);
}

#[tokio::test(start_paused = true)]
async fn a_filtered_run_says_who_else_ran_and_how_that_ended() {
    let scene = Scene::new();
    scene.run("--exact ping", &scene.log(), stream::pending(), every_ending).await;
    insta::assert_snapshot!(scene.shown());
}

#[tokio::test(start_paused = true)]
async fn terse_is_libtests_own() {
    let scene = Scene::new();
    scene.run("--format terse", &scene.log(), stream::pending(), every_ending).await;
    let shown = scene.shown();
    assert!(shown.contains("\n...........iiFFF.....i.\n"), "{shown}");
    assert!(shown.contains("test result: FAILED. 17 passed; 3 failed; 3 ignored"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn libtests_json_has_stdout_to_itself() {
    let scene = Scene::new();
    scene.run("--format json", &scene.log(), stream::pending(), every_ending).await;
    assert_eq!(scene.out.text(), "");
    assert!(scene.err.text().contains("verdict: fail (exit 1)"), "{}", scene.err.text());
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_kills_the_printer_and_not_the_run() {
    let scene = Scene::new();
    let full = Path::new("/dev/full");
    let judgement = scene.run("", full, stream::pending(), every_ending).await;
    assert_eq!(judgement, fails());
    assert_eq!(scene.evidence().verdict, judgement);
    let err = scene.err.text();
    assert_eq!(err.matches("the printer is gone").count(), 1, "{err}");
    assert_eq!(scene.out.text().lines().last(), scene.run_dir().to_str());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_kills_the_printer_and_not_the_run() {
    let scene = Scene::new();
    let pipe = scene.temp.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).expect("a named pipe");
    let (left, has_left) = std::sync::mpsc::channel();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            // As `head -1`.
            let mut line = String::new();
            let read = BufReader::new(fs::File::open(pipe).expect("opened")).read_line(&mut line);
            left.send(read.expect("a line")).expect("the engine waits");
        }
    });
    let engine = async |journal: &Writer, brake: Brake, announce: &mut dyn FnMut(Announcement)| {
        has_left.recv().expect("the reader reads a line and leaves");
        every_ending(journal, brake, announce).await
    };
    let judgement = scene.run("", &pipe, stream::pending(), engine).await;
    reader.join().expect("the reader is gone");
    assert_eq!(judgement, fails());
    assert_eq!(scene.evidence().verdict, judgement);
    let err = scene.err.text();
    assert_eq!(err.matches("the printer is gone").count(), 1, "{err}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_never_reads_is_not_waited_for_after_a_signal() {
    let scene = Scene::new();
    let pipe = scene.temp.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).expect("a named pipe");
    let clock = Clock::System;
    let later = async move {
        clock.sleep(std::time::Duration::from_hours(1)).await;
        "SIGINT"
    };
    let signals = Box::pin(stream::once(later));
    let judgement = scene.run("", &pipe, signals, every_ending).await;
    assert_eq!(judgement, fails());
    assert_eq!(scene.evidence().signals, Vec::<String>::new(), "the run had ended");
    assert_eq!(scene.out.text(), "", "stdout may be held by the printer");
    assert_eq!(scene.err.text().lines().last(), scene.run_dir().to_str());
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_pulls_the_brake_and_stands_in_the_journal() {
    let scene = Scene::new();
    let clock = Clock::System;
    let engine = async |journal: &Writer, brake: Brake, _: &mut dyn FnMut(Announcement)| {
        while !brake.pulled() {
            clock.sleep(std::time::Duration::from_secs(1)).await;
        }
        finish(journal, journal.with_records(reports::verdict::judge_ending))
    };
    let signals = stream::iter(["SIGTERM"]).chain(stream::pending());
    let judgement = scene.run("", &scene.log(), signals, engine).await;
    assert_eq!((judgement.verdict, judgement.exit_code), (Verdict::Interrupted, 143));
    assert_eq!(scene.evidence().signals, ["SIGTERM"]);
    assert!(scene.err.text().contains("A second signal"), "{}", scene.err.text());
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_the_run_at_once_with_the_way_back() {
    let scene = Scene::new();
    let never = async |_: &Writer, _: Brake, _: &mut dyn FnMut(Announcement)| {
        std::future::pending::<Judgement>().await
    };
    let signals = stream::iter(["SIGINT", "SIGINT"]).chain(stream::pending());
    let judgement = scene.run("", &scene.log(), signals, never).await;
    assert_eq!((judgement.verdict, judgement.exit_code), (Verdict::Unknown, 5));
    let recover = format!("lab-smoke recover {}", scene.run_dir().display());
    assert!(scene.out.text().contains(&recover), "{}", scene.out.text());
    assert!(scene.shown().contains("unknown: the run ended before it"));
}

#[tokio::test(start_paused = true)]
async fn a_bug_of_the_engine_is_recorded_and_has_its_own_exit_code() {
    let scene = Scene::new();
    let broken = async |_: &Writer, _: Brake, _: &mut dyn FnMut(Announcement)| -> Judgement {
        panic!("an index out of bounds, on purpose")
    };
    let judgement = scene.run("", &scene.log(), stream::pending(), broken).await;
    assert_eq!((judgement.verdict, judgement.exit_code), (Verdict::Bug, 70));
    let chain = read_file(&scene.run_dir()).expect("the journal holds together");
    assert!(matches!(&chain.records[0].kind, Kind::HarnessBroke(broke)
        if broke.message.contains("on purpose")));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_holds_a_journal_is_refused() {
    let scene = Scene::new();
    scene.run("", &scene.log(), stream::pending(), every_ending).await;
    let again = RunFolder::create(&scene.run_dir()).expect_err("it holds a run");
    assert!(matches!(again, FolderError::HoldsAnotherRun(_)), "{again}");
}

#[tokio::test(start_paused = true)]
async fn records_are_shown_one_per_line_until_nobody_reads() {
    for (out, expected) in [
        (Box::new(Kept::default()) as Box<dyn std::io::Write + Send>, PrinterEnd::Whole),
        (Box::new(fs::File::create("/dev/full").expect("Linux")), PrinterEnd::Gone),
    ] {
        let printer = Printer::records(out);
        let mut tell = printer.listener().expect("it shows records");
        tell("{\"seq\":0}");
        tell("{\"seq\":1}");
        assert_eq!(printer.end().await, expected);
    }
}
