//! The archive of a run: a plain tar with nothing in it but files, their names and their bytes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;

use tar::{Archive, Builder, EntryType, Header};

use super::{BUNDLE_LIMIT_BYTES, Bundle, BundleError};
use crate::folder::open_plain;

/// Owner, time and mode are the same in every archive.
pub(super) fn write(files: &BTreeMap<String, Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_path(name)?;
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        archive.append(&header, bytes.as_slice())?;
    }
    archive.into_inner()
}

pub(super) fn read(path: &Path) -> Result<Bundle, BundleError> {
    let io = |source| BundleError::Io { path: path.to_owned(), source };
    let file = open_plain(path, OpenOptions::new().read(true)).map_err(io)?;
    if file.metadata().map_err(io)?.len() > 2 * BUNDLE_LIMIT_BYTES {
        return Err(BundleError::TooLarge(path.to_owned()));
    }
    read_from(file).map_err(|refused| match refused {
        Unpacked::TooLarge => BundleError::TooLarge(path.to_owned()),
        Unpacked::No(why) => BundleError::Archive { path: path.to_owned(), why },
    })
}

/// The reason why an archive is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpacked {
    TooLarge,
    No(String),
}

/// Nothing is written to the disk, so that no name of an archive leads anywhere.
pub(super) fn read_from(archive: impl Read) -> Result<Bundle, Unpacked> {
    let no = |error: io::Error| Unpacked::No(error.to_string());
    let mut archive = Archive::new(archive);
    let mut bundle = Bundle::default();
    let mut left = BUNDLE_LIMIT_BYTES;
    // Raw: what would rename the entry that follows is refused like every other kind.
    for entry in archive.entries().map_err(no)?.raw(true) {
        let entry = entry.map_err(no)?;
        let name = name_of(&entry.path_bytes())?;
        let kind = entry.header().entry_type();
        if kind != EntryType::Regular {
            return Err(Unpacked::No(format!("`{name}` is no plain file ({kind:?})")));
        }
        let size = entry.size();
        left = left.checked_sub(size).ok_or(Unpacked::TooLarge)?;
        let mut bytes = Vec::new();
        entry.take(size).read_to_end(&mut bytes).map_err(no)?;
        if bytes.len() as u64 != size {
            return Err(Unpacked::No(format!("`{name}` is cut off")));
        }
        if bundle.file(&name).is_some() {
            return Err(Unpacked::No(format!("`{name}` is in it twice")));
        }
        bundle.put(&name, bytes);
    }
    Ok(bundle)
}

/// One or two plain words: neither absolute, nor with `.` or `..` in it.
fn name_of(bytes: &[u8]) -> Result<String, Unpacked> {
    let shown = String::from_utf8_lossy(bytes).escape_debug().to_string();
    let plain = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(known)
    };
    match std::str::from_utf8(bytes) {
        Ok(name) if name.split('/').count() <= 2 && name.split('/').all(plain) => {
            Ok(name.to_owned())
        }
        _ => Err(Unpacked::No(format!("`{shown}` is no name of a run's file"))),
    }
}
