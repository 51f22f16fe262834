//! A node's file system: paths, contents and permissions, without links.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileNode {
    File {
        #[serde(serialize_with = "as_base64", deserialize_with = "from_base64")]
        bytes: Vec<u8>,
        mode: u32,
        owner: u32,
    },
    Directory {
        mode: u32,
        owner: u32,
    },
}

/// Why the kernel refuses, with its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("No such file or directory")]
    NotFound,
    #[error("Permission denied")]
    Denied,
    #[error("File exists")]
    Exists,
    #[error("Is a directory")]
    IsDirectory,
    #[error("Not a directory")]
    NotDirectory,
}

/// Absolute path → what is there. The folders above a file are there as well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Files(BTreeMap<String, FileNode>);

const ROOT: u32 = 0;

impl Files {
    /// Puts a file there as root does, with the folders that it needs.
    pub fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>, mode: u32) {
        self.make_directories(parent(path), ROOT, 0o755);
        self.0.insert(path.into(), FileNode::File { bytes: bytes.into(), mode, owner: ROOT });
    }

    pub fn get(&self, path: &str) -> Option<&FileNode> {
        self.0.get(path)
    }

    /// A file's contents, no matter who asks.
    pub fn contents(&self, path: &str) -> Option<&[u8]> {
        match self.0.get(path)? {
            FileNode::File { bytes, .. } => Some(bytes),
            FileNode::Directory { .. } => None,
        }
    }

    pub fn read(&self, path: &str, uid: u32) -> Result<&[u8], FileError> {
        match self.0.get(path).ok_or(FileError::NotFound)? {
            FileNode::Directory { .. } => Err(FileError::IsDirectory),
            FileNode::File { bytes, mode, owner } => allowed(*mode, *owner, uid, 0o4)
                .then_some(bytes.as_slice())
                .ok_or(FileError::Denied),
        }
    }

    /// Creates, truncates or refuses, as `open(2)` does; `exclusive` is `O_EXCL`.
    pub fn open(
        &mut self,
        path: &str,
        uid: u32,
        mode: u32,
        exclusive: bool,
    ) -> Result<&mut Vec<u8>, FileError> {
        match self.0.get(path) {
            Some(_) if exclusive => return Err(FileError::Exists),
            Some(FileNode::Directory { .. }) => return Err(FileError::IsDirectory),
            Some(FileNode::File { mode, owner, .. }) => {
                if !allowed(*mode, *owner, uid, 0o2) {
                    return Err(FileError::Denied);
                }
            }
            None => self.may_change(path, uid)?,
        }
        let new = FileNode::File { bytes: Vec::new(), mode, owner: uid };
        match self.0.entry(path.to_owned()).or_insert(new) {
            FileNode::File { bytes, .. } => Ok(bytes),
            FileNode::Directory { .. } => Err(FileError::IsDirectory),
        }
    }

    pub fn remove(&mut self, path: &str, uid: u32) -> Result<(), FileError> {
        match self.0.get(path) {
            None => return Err(FileError::NotFound),
            Some(FileNode::Directory { .. }) => return Err(FileError::IsDirectory),
            Some(FileNode::File { .. }) => self.may_change(path, uid)?,
        }
        self.0.remove(path);
        Ok(())
    }

    /// Removes all files whose path begins so, asking nobody.
    pub fn remove_below(&mut self, folder: &str) {
        self.0.retain(|path, _| !path.starts_with(folder));
    }

    pub fn rename(&mut self, from: &str, to: &str, uid: u32) -> Result<(), FileError> {
        self.may_change(from, uid)?;
        self.may_change(to, uid)?;
        if matches!(self.0.get(to), Some(FileNode::Directory { .. })) {
            return Err(FileError::IsDirectory);
        }
        let node = self.0.remove(from).ok_or(FileError::NotFound)?;
        self.0.insert(to.into(), node);
        Ok(())
    }

    /// `mkdir`.
    pub fn make_directory(&mut self, path: &str, uid: u32, mode: u32) -> Result<(), FileError> {
        if self.0.contains_key(path) {
            return Err(FileError::Exists);
        }
        self.may_change(path, uid)?;
        self.0.insert(path.into(), FileNode::Directory { mode, owner: uid });
        Ok(())
    }

    /// Makes a folder and those above it where they are absent, asking nobody.
    pub fn make_directories(&mut self, path: &str, owner: u32, mode: u32) {
        let mut at = path;
        while at != "/" && !at.is_empty() && !self.0.contains_key(at) {
            self.0.insert(at.into(), FileNode::Directory { mode, owner });
            at = parent(at);
        }
    }

    /// The names in a folder, sorted as `ls` sorts in the C locale.
    pub fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        match self.0.get(path) {
            None if path != "/" => return Err(FileError::NotFound),
            Some(FileNode::File { .. }) => return Err(FileError::NotDirectory),
            _ => {}
        }
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let names = self.0.keys().filter_map(|p| p.strip_prefix(&prefix));
        Ok(names.filter(|n| !n.is_empty() && !n.contains('/')).map(str::to_owned).collect())
    }

    /// Whether `uid` may create or remove names in the folder of `path`.
    fn may_change(&self, path: &str, uid: u32) -> Result<(), FileError> {
        match self.0.get(parent(path)) {
            None if parent(path) == "/" && uid == ROOT => Ok(()),
            None if parent(path) == "/" => Err(FileError::Denied),
            None => Err(FileError::NotFound),
            Some(FileNode::File { .. }) => Err(FileError::NotDirectory),
            Some(FileNode::Directory { mode, owner }) => {
                allowed(*mode, *owner, uid, 0o2).then_some(()).ok_or(FileError::Denied)
            }
        }
    }
}

fn allowed(mode: u32, owner: u32, uid: u32, bit: u32) -> bool {
    uid == ROOT || (uid == owner && mode & (bit << 6) != 0) || mode & bit != 0
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}
