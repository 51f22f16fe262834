//! Shows a run on stdout while it happens, from a thread of its own: a printer that dies (a closed
//! pipe, a full disk: libtest-mimic panics then) must not take the run with it.

use std::collections::HashMap;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Once, mpsc};
use std::thread;

use libtest_mimic::{Arguments, Trial};
use reports::record::Part;
use tokio::sync::oneshot;

use crate::engine::{Announcement, Selection};
use crate::terminal;
use crate::words::{self, Ending};

/// The thread's name; its panics are expected and quiet.
const THREAD: &str = "printer";

/// The end of the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrinterEnd {
    Whole,
    /// It died before the end.
    Gone,
}

/// Is called with each record's line.
type LineListener = Box<dyn FnMut(&str)>;

pub struct Printer {
    feed: Feed,
    ended: oneshot::Receiver<PrinterEnd>,
}

enum Feed {
    /// For each scenario that is judged, where its trial waits for the verdict.
    Trials(HashMap<&'static str, mpsc::Sender<Ending>>),
    Lines(mpsc::Sender<Line>),
}

enum Line {
    Text(String),
    End,
}

impl Printer {
    /// Shows each judged scenario as a libtest-mimic trial, in the order of the sequence.
    pub fn libtest(arguments: &Arguments, selection: &Selection) -> Self {
        let (mut senders, mut trials) = (HashMap::new(), Vec::new());
        for (name, part) in &selection.parts {
            let (sender, receiver) = mpsc::channel();
            if *part == Part::Judged {
                senders.insert(*name, sender);
            }
            trials.push(Trial::ignorable_test(*name, move || {
                let never = || Ending::Failed("unknown: the run ended before it".to_owned());
                receiver.recv().unwrap_or_else(|_| never()).into()
            }));
        }
        // One thread, so that the scenarios are shown in their order.
        let arguments = Arguments { test_threads: Some(1), ..arguments.clone() };
        let ended = start(move || {
            // The exit code is the run's, not libtest's.
            let _ = libtest_mimic::run(&arguments, trials);
            PrinterEnd::Whole
        });
        Self { feed: Feed::Trials(senders), ended }
    }

    /// Writes one line for each record of the journal.
    pub fn records(mut out: Box<dyn Write + Send>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let ended = start(move || {
            while let Ok(Line::Text(mut line)) = receiver.recv() {
                line = terminal::make_presentable(&line);
                line.push('\n');
                if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                    return PrinterEnd::Gone;
                }
            }
            PrinterEnd::Whole
        });
        Self { feed: Feed::Lines(sender), ended }
    }

    /// For the journal, where this printer shows its records.
    pub fn listener(&self) -> Option<LineListener> {
        let Feed::Lines(sender) = &self.feed else { return None };
        let sender = sender.clone();
        Some(Box::new(move |line| {
            // A printer that is gone is found out at its end.
            let _ = sender.send(Line::Text(line.to_owned()));
        }))
    }

    /// Hands a verdict to the trial that waits for it.
    pub fn announce(&mut self, announcement: &Announcement) -> PrinterEnd {
        let Feed::Trials(senders) = &mut self.feed else { return PrinterEnd::Whole };
        let Some((name, ending)) = words::describe_ending(announcement) else {
            return PrinterEnd::Whole;
        };
        match senders.remove(name).map(|sender| sender.send(ending)) {
            Some(Err(_)) => PrinterEnd::Gone,
            _ => PrinterEnd::Whole,
        }
    }

    /// Waits until everything is shown. Trials without a verdict are told that there is none.
    pub async fn end(self) -> PrinterEnd {
        match self.feed {
            Feed::Trials(senders) => drop(senders),
            Feed::Lines(sender) => drop(sender.send(Line::End)),
        }
        self.ended.await.unwrap_or(PrinterEnd::Gone)
    }
}

/// Prints libtest's own list of the trials.
pub fn print_trial_list(arguments: &Arguments) -> PrinterEnd {
    let arguments = arguments.clone();
    let ended = start(move || {
        let trial = |scenario: &scenarios::Scenario| {
            Trial::ignorable_test(scenario.name, || Ending::Ok.into())
        };
        let _ = libtest_mimic::run(&arguments, scenarios::SEQUENCE.iter().map(trial).collect());
        PrinterEnd::Whole
    });
    ended.blocking_recv().unwrap_or(PrinterEnd::Gone)
}

fn start(body: impl FnOnce() -> PrinterEnd + Send + 'static) -> oneshot::Receiver<PrinterEnd> {
    quiet_panics();
    let (sender, ended) = oneshot::channel();
    let caught = move || {
        let shown = panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or(PrinterEnd::Gone);
        // Nobody waits any more: a second signal ended the run.
        let _ = sender.send(shown);
    };
    // Without a thread nothing is shown: the dropped sender says so, and the run goes on.
    drop(thread::Builder::new().name(THREAD.to_owned()).spawn(caught));
    ended
}

/// A dead printer is told in one line by whoever notices, not by a backtrace.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(THREAD) {
                usual(info);
            }
        }));
    });
}
