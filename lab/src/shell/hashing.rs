//! The contents of a node's files, by digest. A program has 100 MB, and several paths may lead to
//! the same one: each inode is hashed once, and again only where it is seen to be another or in
//! another state.

use std::collections::BTreeMap;

use reports::digest::Digest;
use serde::{Deserialize, Serialize};

use super::{NodeAnswer, Observe, Shell};
use crate::node::{Node, Output};

/// One file in one state: while this is the same, so is what the file holds. Nothing of it says which
/// lab it is: device and inode are another's after a copy, so that it belongs into no digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileIdentity {
    pub device: u64,
    pub inode: u64,
    /// In bytes.
    pub size: u64,
    /// In octal, as `stat` prints it: `755`, with the set-id bits before it.
    pub mode: String,
    /// `uid:gid`.
    pub owner: String,
    /// Seconds since 1970 with nine digits behind the point, as `stat` prints them.
    pub modified: String,
    pub changed: String,
}

/// The format of what `stat` prints of a file for [`FileIdentity`], and its path at the end of the
/// line. Links are followed.
pub const IDENTITY_FORMAT: &str = "%d %i %s %a %u:%g %.9Y %.9Z %n";

impl FileIdentity {
    /// Reads a line of [`IDENTITY_FORMAT`], with the path that it is about.
    pub fn parse(line: &str) -> Option<(String, Self)> {
        let mut fields = line.splitn(8, ' ');
        let mut number = || fields.next()?.parse().ok();
        let (device, inode, size) = (number()?, number()?, number()?);
        let mut text = || fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
        let (mode, owner) = (text()?, text()?);
        let (modified, changed, path) = (text()?, text()?, text()?);
        Some((path, Self { device, inode, size, mode, owner, modified, changed }))
    }
}

/// A file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedFile {
    /// None where the node has no `stat` that says it: such a file is hashed at every look.
    pub identity: Option<FileIdentity>,
    pub sha256: Digest,
}

impl HashedFile {
    /// The digest of what it holds, and who may do what with it: the same for a copy that keeps its
    /// mode.
    pub fn contents(&self) -> String {
        let Self { identity, sha256 } = self;
        identity.as_ref().map_or_else(
            || format!("sha256 {sha256}"),
            |it| format!("sha256 {sha256}, mode {}, owner {}", it.mode, it.owner),
        )
    }
}

/// The answers of one look at files.
#[derive(Debug)]
pub struct Hashing {
    paths: Vec<String>,
    /// Files that earlier looks have read.
    known: Vec<HashedFile>,
    /// `stat` of all paths.
    pub identified: NodeAnswer,
    /// By one path for each inode that was not known.
    pub hashed: Vec<(String, NodeAnswer)>,
}

impl Shell {
    /// Looks which files the paths lead to, and hashes those that `known` does not have in this very
    /// state: one command for each inode, all at the same time, for a node may have several processors.
    pub async fn hash_files(&self, node: Node, paths: &[String], known: &[HashedFile]) -> Hashing {
        let identified = self.observe(node, &Observe::identify_files(paths)).await;
        let wanted = to_hash(paths, &identities(&identified), known);
        let hash = async |path: String| {
            let told = self.observe(node, &Observe::digest(&path)).await;
            (path, told)
        };
        let hashed = futures::future::join_all(wanted.into_iter().map(hash)).await;
        Hashing { paths: paths.to_vec(), known: known.to_vec(), identified, hashed }
    }
}

impl Hashing {
    /// The files by path; those that could not be read are absent.
    pub fn files(&self) -> BTreeMap<String, HashedFile> {
        let identities = identities(&self.identified);
        let mut read = self.known.clone();
        let mut by_path = BTreeMap::new();
        for (path, told) in &self.hashed {
            let Some(sha256) = told.as_ref().ok().and_then(|answer| digest(&answer.value)) else {
                continue;
            };
            let file = HashedFile { identity: identities.get(path).cloned(), sha256 };
            read.push(file.clone());
            by_path.insert(path.clone(), file);
        }
        for path in &self.paths {
            let same = |file: &&HashedFile| {
                file.identity.is_some() && file.identity.as_ref() == identities.get(path)
            };
            if let Some(file) = read.iter().find(same) {
                by_path.entry(path.clone()).or_insert_with(|| file.clone());
            }
        }
        by_path
    }

    /// The complaints of the node's programs, one entry for each that complained.
    pub fn complaints(&self) -> Vec<String> {
        let told = self.hashed.iter().filter_map(|(_, told)| told.as_ref().ok());
        let words = told.map(|it| String::from_utf8_lossy(&it.value.stderr).trim().to_owned());
        words.filter(|words| !words.is_empty()).collect()
    }
}

fn identities(told: &NodeAnswer) -> BTreeMap<String, FileIdentity> {
    let Ok(answer) = told else { return BTreeMap::new() };
    String::from_utf8_lossy(&answer.value.stdout).lines().filter_map(FileIdentity::parse).collect()
}

/// One path for each inode that is not known, and each that cannot be identified.
fn to_hash(
    paths: &[String],
    identities: &BTreeMap<String, FileIdentity>,
    known: &[HashedFile],
) -> Vec<String> {
    let mut seen: Vec<&FileIdentity> = known.iter().filter_map(|it| it.identity.as_ref()).collect();
    let mut wanted: Vec<String> = Vec::new();
    for path in paths {
        match identities.get(path) {
            Some(identity) if seen.contains(&identity) => {}
            Some(identity) => {
                seen.push(identity);
                wanted.push(path.clone());
            }
            None if wanted.contains(path) => {}
            None => wanted.push(path.clone()),
        }
    }
    wanted
}

/// The digest as `sha256sum` prints it: the line of a name with a backslash in it begins with
/// another.
fn digest(output: &Output) -> Option<Digest> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (digest, _) = text.trim_start_matches('\\').split_once("  ")?;
    (output.code == 0).then(|| Digest::try_from(digest.to_owned()).ok())?
}

#[cfg(test)]
mod tests {
    use reports::redact::Form;

    use super::*;
    use crate::ec2::Answer;

    fn paths(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn identity(inode: u64) -> FileIdentity {
        let at = "1764475873.000000001".to_owned();
        FileIdentity {
            device: 1,
            inode,
            size: 3,
            mode: "755".to_owned(),
            owner: "0:0".to_owned(),
            modified: at.clone(),
            changed: at,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as a shell answers")]
    fn answer(code: i32, text: &str) -> NodeAnswer {
        let value = Output { code, stdout: text.into(), stderr: b"".into() };
        Ok(Answer { value, call: String::new(), raw: Vec::new(), form: Form::Text, attempts: 1 })
    }

    #[test]
    fn a_line_of_stat_is_read_whatever_the_name() {
        let line = "1 7 3 755 0:0 1764475873.000000001 1764475873.000000001 /a b/c";
        assert_eq!(FileIdentity::parse(line), Some(("/a b/c".to_owned(), identity(7))));
        for line in
            ["", "1 7 3 755 0:0 4.0 4.0", "1 7 3 755 0:0 4.0 4.0 ", "? ? ? ? ? ? ? /a", "stat: /a"]
        {
            assert_eq!(FileIdentity::parse(line), None, "{line:?}");
        }
    }

    /// The inodes of three paths, none where one cannot be identified; which are known; what is hashed.
    #[test]
    fn no_inode_is_hashed_twice_and_none_again_while_it_is_the_same() {
        let changed = FileIdentity { changed: "1764475874.0".to_owned(), ..identity(1) };
        let hashed = |identity| HashedFile { identity: Some(identity), sha256: Digest::of("x") };
        let (one, two) = (Some(identity(1)), Some(identity(2)));
        let table = [
            ([&one, &one, &one], vec![], vec!["/a"]),
            ([&one, &two, &one], vec![], vec!["/a", "/b"]),
            ([&None, &None, &one], vec![], vec!["/a", "/b", "/c"]),
            ([&one, &two, &one], vec![hashed(identity(1))], vec!["/b"]),
            ([&one, &one, &one], vec![hashed(identity(1))], vec![]),
            ([&one, &one, &one], vec![hashed(changed)], vec!["/a"]),
        ];
        for (inodes, known, wanted) in table {
            let names = paths(&["/a", "/b", "/c"]);
            let found = names.iter().zip(inodes);
            let found = found.filter_map(|(path, it)| Some((path.clone(), it.clone()?))).collect();
            assert_eq!(to_hash(&names, &found, &known), wanted, "{inodes:?} {known:?}");
        }
        let twice = paths(&["/a", "/a"]);
        assert_eq!(to_hash(&twice, &BTreeMap::new(), &[]), ["/a"]);
    }

    #[test]
    fn every_path_gets_the_digest_of_its_inode_and_what_is_unreadable_none() {
        let sha256 = Digest::of("program");
        let line = |inode: u64, path: &str| format!("1 {inode} 3 755 0:0 4.0 4.0 {path}\n");
        let stat = [line(1, "/a"), line(1, "/b"), line(2, "/c")].concat();
        let hashing = Hashing {
            paths: paths(&["/a", "/b", "/c", "/d"]),
            known: Vec::new(),
            identified: answer(1, &stat),
            hashed: vec![
                ("/a".to_owned(), answer(0, &format!("{sha256}  /a\n"))),
                ("/c".to_owned(), answer(1, "")),
                ("/d".to_owned(), answer(0, &format!("\\{sha256}  /d\n"))),
            ],
        };
        let files = hashing.files();
        let found: Vec<_> = files.iter().map(|(path, it)| (path.as_str(), &it.sha256)).collect();
        assert_eq!(found, [("/a", &sha256), ("/b", &sha256), ("/d", &sha256)]);
        assert!(files["/d"].identity.is_none() && files["/b"].identity.is_some());
        assert_eq!(files["/d"].contents(), format!("sha256 {sha256}"));
        assert_eq!(files["/b"].contents(), format!("sha256 {sha256}, mode 755, owner 0:0"));
    }

    #[test]
    fn who_complains_is_told_and_nobody_else() {
        let mut complaint = answer(1, "");
        if let Ok(answer) = &mut complaint {
            answer.value.stderr = b"sha256sum: /b: no\n".to_vec();
        }
        let hashed = vec![("/a".to_owned(), answer(0, "")), ("/b".to_owned(), complaint)];
        let hashing =
            Hashing { paths: Vec::new(), known: Vec::new(), identified: answer(0, ""), hashed };
        assert_eq!(hashing.complaints(), ["sha256sum: /b: no"]);
    }
}
