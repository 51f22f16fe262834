//! Whether this process may open what a run needs.

use std::fs::File;
use std::io;

/// Files, sockets and pipes that are open at the same time in a run on the mock, and some more.
const NEEDED: usize = 48;

/// Opens as many as a run needs and closes them again: what the limits say proves less. Libraries
/// panic where there are too few.
pub fn prove_enough() -> io::Result<()> {
    let opened: Result<Vec<File>, io::Error> =
        (0..NEEDED).map(|_| File::open("/dev/null")).collect();
    opened.map(drop).map_err(|error| {
        let words = format!(
            "a run opens {NEEDED} files at once, and this process may not ({error}); \
             `ulimit -n 1024` lets it"
        );
        io::Error::new(error.kind(), words)
    })
}
