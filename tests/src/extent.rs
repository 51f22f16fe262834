//! How much of what could be tried is tried: a sample, or all of it where `LAB_SMOKE_EXHAUSTIVE=1`.
//! What is left out is said.

use std::io::Write as _;
use std::str::FromStr;

/// Whether all of it is asked for.
pub fn is_exhaustive() -> bool {
    std::env::var("LAB_SMOKE_EXHAUSTIVE").as_deref() == Ok("1")
}

/// The number that a variable asks for; without it the one number in a sample, the other where all
/// is tried.
pub fn number<T: FromStr>(variable: &str, in_a_sample: T, of_all: T) -> T {
    let asked = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if is_exhaustive() { of_all } else { in_a_sample })
}

/// Every how many-th of what has a name is in a sample.
const EVERY: u64 = 17;

/// Those of a sample, drawn by their names, so that what is added moves nothing else; all where all is
/// tried.
pub fn sample<T>(what: &str, all: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let of = all.len();
    let taken: Vec<T> = all.into_iter().filter(|it| is_drawn(name(it))).collect();
    say_left_out(what, taken.len(), of);
    taken
}

/// Whether a name is one of a sample; all are where all is tried, and those alone that
/// `LAB_SMOKE_NAMED` names, with commas between them, where it names any.
pub fn is_drawn(name: &str) -> bool {
    if let Ok(named) = std::env::var("LAB_SMOKE_NAMED") {
        return named.split(',').any(|it| it == name);
    }
    // FNV-1a: the same on every machine and of every version.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    is_exhaustive() || hash.is_multiple_of(EVERY)
}

/// Past the test harness, which hides what a test prints that passes.
pub fn say_left_out(what: &str, taken: usize, of: usize) {
    if taken < of {
        let line = format!(
            "\nleft out: {taken} of {of} {what} are tried; LAB_SMOKE_EXHAUSTIVE=1 tries all\n"
        );
        // Nobody may be listening.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
