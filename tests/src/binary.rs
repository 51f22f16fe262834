//! Which `lab-smoke` is started by tests of a process.

use std::path::PathBuf;

/// Names the program that cargo built with the tests, or the one in `LAB_SMOKE_BINARY`: a user's, which
/// is built without the switches that break an invariant.
pub fn choose_binary(built: &str) -> PathBuf {
    std::env::var_os("LAB_SMOKE_BINARY").map_or_else(|| PathBuf::from(built), PathBuf::from)
}
