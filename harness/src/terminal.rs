//! The only place of the harness that writes to stdout and stderr. A terminal, pipe or disk that
//! takes no more is no reason to leave a lab as it is: what cannot be said is left unsaid.

use std::cell::RefCell;
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

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
pub fn stdout() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// What the program says of its own insides goes to stderr, as `LAB_SMOKE_LOG` chooses
/// (`lab=debug`); by default only what is wrong.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("LAB_SMOKE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("harness=warn,lab=warn,reports=warn,scenarios=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Time is virtual on the mock; the machine's would only mislead.
        .without_time()
        // A stderr that is gone would panic.
        .log_internal_errors(false);
    // Somebody listens already: then they log.
    let _ = log.try_init();
}

impl Terminal {
    pub fn of_the_process() -> Self {
        Self::new(stdout(), Box::new(io::stderr()))
    }

    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out: RefCell::new(Stream::Open(out)), err: RefCell::new(Stream::Open(err)) }
    }

    /// What was asked for.
    pub fn out(&self, text: &str) {
        self.out.borrow_mut().write(text);
    }

    /// What is wrong.
    pub fn err(&self, text: &str) {
        self.err.borrow_mut().write(text);
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
