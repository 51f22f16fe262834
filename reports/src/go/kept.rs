//! The go as it is kept in the run's folder: its bytes and its signature, on the disk before it is
//! burnt, so that whoever brings a dead run to its end can ask for the proof again.

use std::fs;
use std::io;
use std::path::Path;

use crate::folder::{
    GO_FILE, GO_SIGNATURE_FILE, SMALL_LIMIT_BYTES, Sync, read_plain, write_atomically,
};

/// The go that lies there; nothing about it is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub document: Vec<u8>,
    pub signature: Vec<u8>,
}

/// Writes both to the disk. Another go that lies there stays beside them.
///
/// # Errors
/// Where the folder cannot be written to, or something else than a plain file lies there.
pub fn keep_go(dir: &Path, document: &[u8], signature: &[u8]) -> io::Result<()> {
    let lies = |name: &str| match read_plain(&dir.join(name), SMALL_LIMIT_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (old_document, old_signature) = (lies(GO_FILE)?, lies(GO_SIGNATURE_FILE)?);
    let another = |old: Option<Vec<u8>>, new: &[u8]| old.is_some_and(|old| old != new);
    if another(old_document, document) || another(old_signature, signature) {
        set_aside(dir)?;
    }
    // Written again where the same lies there: whoever put it there may not have waited for the disk.
    write_atomically(&dir.join(GO_FILE), document, Sync::Yes)?;
    write_atomically(&dir.join(GO_SIGNATURE_FILE), signature, Sync::Yes)
}

/// The go that is kept in a run's folder; none where one of the two files is missing.
///
/// # Errors
/// Where they cannot be read: a link, a folder.
pub fn read_kept(dir: &Path) -> io::Result<Option<Kept>> {
    let read = |name: &str| match read_plain(&dir.join(name), SMALL_LIMIT_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let both = read(GO_FILE)?.zip(read(GO_SIGNATURE_FILE)?);
    Ok(both.map(|(document, signature)| Kept { document, signature }))
}

/// An earlier go stays beside the next one, as `go.json.1`. Its signature goes first: at no instant
/// does one lie beside another's document.
///
/// # Errors
/// Where a file cannot be renamed.
pub fn set_aside(dir: &Path) -> io::Result<()> {
    let kept = |name: &str, number: u32| dir.join(format!("{name}.{number}"));
    let free = |number: &u32| {
        [GO_FILE, GO_SIGNATURE_FILE]
            .iter()
            .all(|name| kept(name, *number).symlink_metadata().is_err())
    };
    let number = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
    for name in [GO_SIGNATURE_FILE, GO_FILE] {
        match fs::rename(dir.join(name), kept(name, number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_is_kept_whole_and_another_stays_beside_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        assert_eq!(read_kept(dir).expect("readable"), None);
        keep_go(dir, b"one", b"signature of one").expect("kept");
        keep_go(dir, b"one", b"signature of one").expect("kept again");
        assert!(!dir.join("go.json.1").exists(), "it is the same");
        keep_go(dir, b"two", b"signature of two").expect("kept");
        let two = Kept { document: b"two".to_vec(), signature: b"signature of two".to_vec() };
        assert_eq!(read_kept(dir).expect("readable"), Some(two));
        assert_eq!(fs::read(dir.join("go.json.1")).expect("the old one"), b"one");
        assert_eq!(fs::read(dir.join("go.json.sig.1")).expect("its own"), b"signature of one");
        keep_go(dir, b"two", b"signed again").expect("kept");
        assert_eq!(fs::read(dir.join("go.json.sig.2")).expect("its own"), b"signature of two");
    }

    #[test]
    fn half_a_go_is_set_aside_and_a_file_that_cannot_be_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        fs::write(dir.join(GO_FILE), "go").expect("written");
        set_aside(dir).expect("there is no signature");
        assert_eq!(fs::read(dir.join("go.json.1")).expect("the document"), b"go");
        set_aside(&dir.join("go.json.1")).expect_err("no folder");
    }

    #[test]
    fn half_a_go_is_none_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        fs::write(dir.join(GO_FILE), "go").expect("written");
        assert_eq!(read_kept(dir).expect("readable"), None);
        std::os::unix::fs::symlink(dir.join(GO_FILE), dir.join(GO_SIGNATURE_FILE)).expect("linked");
        read_kept(dir).expect_err("a link");
        keep_go(dir, b"go", b"signature").expect_err("a link");
    }
}
