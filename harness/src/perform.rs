//! Carries out one run in its folder: the engine on this thread, the printer in another, signals
//! between them, and evidence whatever happened.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt, Stream, StreamExt};
use lab::clock::Clock;
use lab::permit::Brake;
use libtest_mimic::{Arguments, FormatSetting};
use reports::digest::Digest;
use reports::evidence::fold_records;
use reports::folder::{EVIDENCE_FILE, FolderError, PAGE_FILE, RunFolder};
use reports::journal::Writer;
use reports::page::render_page;
use reports::record::{HarnessBroke, Interrupted, Kind, Part, Record};
use reports::verdict::{Judgement, judge_ending, judge_journal};

use crate::cli::Format;
use crate::engine::{Announcement, Selection, in_a_command, next_steps, read_standing};
use crate::printer::{Printer, PrinterEnd};
use crate::selection::explain_selection;
use crate::signals::TIMEOUT;
use crate::terminal::{self, Terminal};
use crate::words::{self, Ending};

/// How a run is shown.
#[derive(Clone, Debug)]
pub struct Show {
    pub format: Format,
    pub arguments: Arguments,
}

impl Show {
    /// Whether stdout is left to programs.
    fn for_machines(&self) -> bool {
        self.format == Format::Json || self.arguments.format == Some(FormatSetting::Json)
    }

    fn people(&self, terminal: &Terminal, text: &str) {
        if self.for_machines() { terminal.err(text) } else { terminal.out(text) }
    }
}

/// How the engine came to its end.
enum EngineEnd {
    Judged(Judgement),
    Panicked(String),
    /// By a second signal.
    Abandoned,
}

/// Where a run is carried out.
pub struct Stage<'a> {
    pub folder: &'a RunFolder,
    pub clock: Clock,
    pub terminal: &'a Terminal,
    pub show: &'a Show,
    pub selection: &'a Selection,
    /// Said at the end, so that the same run can be had again.
    pub seed: Option<u64>,
    /// Empty as yet.
    pub journal: Writer,
}

/// The run's judgement, once everything is written and shown.
pub async fn perform_run(
    stage: &Stage<'_>,
    signals: &mut (impl Stream<Item = &'static str> + Unpin),
    engine: impl AsyncFnOnce(&Writer, Brake, &mut dyn FnMut(Announcement)) -> Judgement,
) -> Judgement {
    let Stage { clock, terminal, show, selection, journal, .. } = stage;
    for note in explain_selection(selection) {
        show.people(terminal, &format!("{note}\n"));
    }
    let mut printer = match show.format {
        Format::Human => Printer::libtest(&show.arguments, selection),
        Format::Json => Printer::records(terminal::open_stdout()),
    };
    if let Some(listener) = printer.listener() {
        journal.on_append(listener);
    }

    let brake = Brake::default();
    let (mut shown, mut aside) = (PrinterEnd::Whole, Vec::new());
    let mut announce = |announcement: Announcement| {
        if matches!(announcement, Announcement::Awaiting) {
            write_so_far(stage);
        }
        aside.extend(beside(selection, &announcement));
        if printer.announce(&announcement) == PrinterEnd::Gone && shown == PrinterEnd::Whole {
            shown = PrinterEnd::Gone;
            terminal.err("the printer is gone (is stdout closed or full?); the run goes on\n");
        }
    };
    let running = engine(journal, brake.clone(), &mut announce);
    let end = until_the_end(running, signals, journal, *clock, &brake, terminal).await;
    let complete = matches!(end, EngineEnd::Judged(_));
    let judgement = match end {
        // It may have gone since.
        EngineEnd::Judged(_) if journal.check(clock.now()).is_err() && journal.is_lost() => {
            journal.with_records(judge_ending)
        }
        EngineEnd::Judged(judgement) => judgement,
        EngineEnd::Panicked(message) => {
            record(journal, *clock, terminal, Kind::HarnessBroke(HarnessBroke { message }));
            journal.with_records(judge_journal)
        }
        EngineEnd::Abandoned => journal.with_records(judge_journal),
    };
    // The evidence first: showing may wait for whoever reads stdout.
    write_so_far(stage);
    let mut text = aside.concat() + &journal.with_records(words::describe_outages);
    text.push_str(&words::describe_verdict(&judgement));
    text.push_str(&closing(stage, complete, journal));
    match wait_for_the_printer(stage, signals, printer, shown).await {
        Wait::Ended => show.people(terminal, &text),
        // It may hold stdout for ever.
        Wait::GivenUp => terminal.err(&text),
    }
    judgement
}

/// A line about a scenario that is not judged and did not end well.
fn beside(selection: &Selection, announcement: &Announcement) -> Option<String> {
    let (name, ending) = words::describe_ending(announcement)?;
    let part = selection.parts.iter().find(|(other, _)| *other == name).map(|(_, part)| *part)?;
    let role = match part {
        Part::Prerequisite => "prerequisite",
        Part::Followup => "followup",
        Part::Judged | Part::Excluded => return None,
    };
    match ending {
        Ending::Ok => None,
        Ending::Failed(text) | Ending::Ignored(text) => Some(format!("{role}: {name}: {text}\n")),
    }
}

/// Drives the engine, and hears signals: the first begins no more forward work, the second ends
/// everything at once.
async fn until_the_end(
    running: impl Future<Output = Judgement>,
    signals: &mut (impl Stream<Item = &'static str> + Unpin),
    journal: &Writer,
    clock: Clock,
    brake: &Brake,
    terminal: &Terminal,
) -> EngineEnd {
    let mut running = std::pin::pin!(AssertUnwindSafe(running).catch_unwind());
    let mut heard = false;
    loop {
        tokio::select! {
            ended = &mut running => return match ended {
                Ok(judgement) => EngineEnd::Judged(judgement),
                Err(panic) => EngineEnd::Panicked(message(&*panic)),
            },
            Some(signal) = signals.next() => {
                let limit = signal == TIMEOUT;
                // What is being undone already is not cut by a limit.
                if limit && heard {
                    continue;
                }
                heard = true;
                let first = limit || !signal_was_heard(journal);
                brake.pull();
                let signal = Interrupted { signal: signal.to_owned() };
                let name = signal.signal.clone();
                record(journal, clock, terminal, Kind::Interrupted(signal));
                if !first {
                    return EngineEnd::Abandoned;
                }
                terminal.err(&format!(
                    "{name}: nothing new is begun; what was begun is undone. A second signal \
                     ends the run at once and leaves the lab as it then is.\n"
                ));
            }
        }
    }
}

fn signal_was_heard(journal: &Writer) -> bool {
    journal.with_records(|records| {
        records.iter().any(|record| matches!(record.kind, Kind::Interrupted(_)))
    })
}

/// A record that cannot be written is said instead.
fn record(journal: &Writer, clock: Clock, terminal: &Terminal, kind: Kind) {
    if let Err(error) = journal.append_synced(clock.now(), kind) {
        terminal.err(&format!("{error}\n"));
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// `evidence.json` and the page beside it, from the journal's records and from nothing else.
pub fn write_evidence(
    folder: &RunFolder,
    records: &[Record],
    head: &Digest,
) -> Result<(), FolderError> {
    let evidence = fold_records(records, head);
    folder.write_json(EVIDENCE_FILE, &evidence)?;
    folder.write(PAGE_FILE, render_page(&evidence).as_bytes())
}

/// Writes both for somebody who reads them now.
fn write_so_far(stage: &Stage<'_>) {
    let Stage { folder, journal, terminal, .. } = stage;
    let written = journal.with_records(|records| write_evidence(folder, records, &journal.head()));
    if let Err(error) = written {
        let path = in_a_command(folder.path());
        terminal.err(&format!("{error}; `lab-smoke report {path}` makes it again\n"));
    }
}

enum Wait {
    Ended,
    GivenUp,
}

/// A signal ends the wait, since nothing of the run depends on whoever reads stdout.
async fn wait_for_the_printer(
    stage: &Stage<'_>,
    signals: &mut (impl Stream<Item = &'static str> + Unpin),
    printer: Printer,
    shown: PrinterEnd,
) -> Wait {
    let ended = tokio::select! {
        ended = printer.end() => ended,
        Some(_) = signals.next() => return Wait::GivenUp,
    };
    if (shown, ended) == (PrinterEnd::Whole, PrinterEnd::Gone) {
        stage.terminal.err("the printer is gone (is stdout closed or full?); the run was not\n");
    }
    Wait::Ended
}

/// The folder is the last line, so that a script finds it.
fn closing(stage: &Stage<'_>, complete: bool, journal: &Writer) -> String {
    let folder = stage.folder.path();
    let path = folder.display();
    let seed = stage.seed.map(|seed| format!("seed: {seed}\n")).unwrap_or_default();
    let pending = journal.with_records(|records| read_standing(records).pending());
    let next = match (complete, pending) {
        (_, true) => journal.with_records(|records| next_steps(records, folder)),
        (true, false) => String::new(),
        (false, false) => {
            format!("to bring the lab back: lab-smoke recover {}\n", in_a_command(folder))
        }
    };
    format!("{seed}{next}{path}\n")
}
