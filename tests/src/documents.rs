//! Documents that are written by programs, and stand in the repository byte for byte.

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The one variable that has them written anew is that of insta's snapshots, whose name is not ours
/// to choose.
fn are_written_anew() -> bool {
    std::env::var("INSTA_UPDATE").as_deref() == Ok("always")
}

/// Looks that the file, as the repository names it, is what it would be now.
pub fn assert_current(name: &str, now: &str) {
    let path = root().join(name);
    if are_written_anew() {
        std::fs::write(&path, now).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(now.lines()).find(|(then, now)| then != now);
    assert!(
        committed == now,
        "{name} is stale, as in {differs:?}: INSTA_UPDATE=always writes it anew"
    );
}
