//! The only place of the harness that writes to stdout and stderr. A terminal, pipe or disk that
//! takes no more is no reason to leave a lab as it is: what cannot be said is left unsaid.
//!
//! Whatever may come from the world is shown without its secrets, and its control characters are
//! shown, not sent: nobody's tag moves a cursor.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write};

use reports::redact::Redactor;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Stdout and stderr, each until it fails.
pub struct Terminal {
    out: RefCell<Stream>,
    err: RefCell<Stream>,
}

enum Stream {
    Open(Box<dyn Write + Send>),
    /// A write failed: nobody listens.
    Gone,
}

/// For a printer, which looks at its errors itself.
pub fn open_stdout() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// Sends what the program says of its own insides to stderr, as `LAB_SMOKE_LOG` chooses
/// (`lab=debug`); by default only what is wrong.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("LAB_SMOKE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("harness=warn,lab=warn,reports=warn,scenarios=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Log)
        // Time is virtual on the mock; the machine's would only mislead.
        .without_time()
        // A stderr that is gone would panic.
        .log_internal_errors(false);
    // Somebody listens already: then they log.
    let _ = log.try_init();
}

/// A text as people may see it: without its secrets, and with its control characters spelled out
/// as JSON spells them.
pub fn make_presentable(text: &str) -> String {
    spelled_out(&Redactor::default().text(text)).into_owned()
}

/// Does the same as [`presentable`], for a part of a line: it cannot begin another.
pub fn in_one_line(text: &str) -> String {
    make_presentable(text).replace('\n', "\\n").replace('\t', "\\t")
}

fn spelled_out(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A string takes everything.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal obeys it instead of showing it: control characters, and what changes a line's
/// direction or has no width.
fn is_unseen(c: char) -> bool {
    let obeyed = c.is_control() && !matches!(c, '\n' | '\t');
    obeyed
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// The way to stderr for what the program says of its own insides, an event at a time.
struct Log;

/// Shows what was written to it once it is whole.
struct LogEvent(Vec<u8>);

impl<'a> MakeWriter<'a> for Log {
    type Writer = LogEvent;

    fn make_writer(&'a self) -> LogEvent {
        LogEvent(Vec::new())
    }
}

impl Write for LogEvent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogEvent {
    fn drop(&mut self) {
        let text = Redactor::default().log(&String::from_utf8_lossy(&self.0));
        let text = spelled_out(&text);
        // A stderr that is gone is nobody's loss.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// A panic's message may quote the world.
pub fn panics_to_stderr() {
    std::panic::set_hook(Box::new(|info| {
        let _ = io::stderr().write_all(make_presentable(&format!("{info}\n")).as_bytes());
    }));
}

impl Terminal {
    pub fn of_the_process() -> Self {
        Self::new(open_stdout(), Box::new(io::stderr()))
    }

    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out: RefCell::new(Stream::Open(out)), err: RefCell::new(Stream::Open(err)) }
    }

    /// Writes what was asked for.
    pub fn out(&self, text: &str) {
        self.out.borrow_mut().write(&make_presentable(text));
    }

    /// The same, byte for byte: only for what this program itself has made, as its schema, and the
    /// keys of a mock's own cloud.
    pub fn out_as_it_is(&self, text: &str) {
        self.out.borrow_mut().write(text);
    }

    /// Writes what is wrong.
    pub fn err(&self, text: &str) {
        self.err.borrow_mut().write(&make_presentable(text));
    }
}

impl Stream {
    fn write(&mut self, text: &str) {
        if let Self::Open(stream) = self
            && stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_err()
        {
            *self = Self::Gone;
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A stream that can be read again.
    #[derive(Clone, Default)]
    pub struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Text of the world, and what a terminal is sent of it.
    #[test]
    fn what_comes_from_the_world_is_shown_and_not_sent() {
        let table = [
            ("plain, in two\n\tlines\n", "plain, in two\n\tlines\n"),
            ("up\u{1b}[1A\rverdict: pass", "up\\u001b[1A\\u000dverdict: pass"),
            ("\u{9b}2J\u{7f}\u{0}", "\\u009b2J\\u007f\\u0000"),
            ("a\u{202e}ssap\u{200b}\u{feff}", "a\\u202essap\\u200b\\ufeff"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("password: hunter2", "password: [redacted]"),
            ("Prüfung für 試験 ✓", "Prüfung für 試験 ✓"),
        ];
        for (text, expected) in table {
            let (out, err) = (Kept::default(), Kept::default());
            let terminal = Terminal::new(Box::new(out.clone()), Box::new(err.clone()));
            terminal.out(text);
            terminal.err(text);
            assert_eq!((&out.text()[..], &err.text()[..]), (expected, expected), "{text:?}");
        }
        assert_eq!(in_one_line("a\nverdict: pass"), "a\\nverdict: pass");
    }

    #[test]
    fn json_stays_json_whatever_is_in_it() {
        let value = serde_json::json!({ "a": "\u{1b}\u{9b}\u{202e}\u{e0041}x", "b": 1 });
        let shown = make_presentable(&value.to_string());
        assert!(!shown.chars().any(is_unseen), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }

    #[test]
    fn a_full_disk_silences_one_stream_and_harms_nothing() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux");
        let kept = Kept::default();
        let terminal = Terminal::new(Box::new(full), Box::new(kept.clone()));
        terminal.out("lost\n");
        terminal.out("lost as well\n");
        terminal.err("kept\n");
        assert_eq!(kept.text(), "kept\n");
    }
}
