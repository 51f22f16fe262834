//! `stat [-L] -c FORMAT FILE…`.

use sha2::{Digest as _, Sha256};

use super::{Io, Session, kernel};
use crate::machines::FileNode;

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    // There are no links to follow.
    let args = if let ["-L", rest @ ..] = args { rest } else { args };
    let (format, names) = match args {
        ["-c", format, names @ ..] => (*format, names),
        [option, names @ ..] if option.starts_with("--format=") => (&option[9..], names),
        _ => return io.fail(1, "stat: missing operand\nTry 'stat --help' for more information."),
    };
    let mut code = 0;
    for name in names {
        let path = session.absolute(name);
        // Of all processes: there is the one.
        let path = path.replace("[0-9]*", "1");
        if let Some(inode) = kernel::inode_of(&path) {
            io.out(&format!("{}\n", format.replace("%i", inode).replace("%n", &path)));
            continue;
        }
        match session.machine(|machine| machine.files.get(&path).cloned()) {
            Some(node) => io.out(&format!("{}\n", render(format, name, &path, &node))),
            None => {
                code =
                    io.fail(1, &format!("stat: cannot statx '{name}': No such file or directory"));
            }
        }
    }
    code
}

fn render(format: &str, name: &str, path: &str, node: &FileNode) -> String {
    let (size, mode, owner, kind) = match node {
        FileNode::File { bytes, mode, owner } if bytes.is_empty() => {
            (0, mode, owner, "regular empty file")
        }
        FileNode::File { bytes, mode, owner } => (bytes.len(), mode, owner, "regular file"),
        FileNode::Directory { mode, owner } => (4096, mode, owner, "directory"),
    };
    let user = if *owner == 0 { "root" } else { "lab" };
    let mut chars = format.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        let directive = if c == '%' { without_precision(&mut chars) } else { None };
        let shown = match (c, directive) {
            ('%', Some('d')) => "1".to_owned(),
            ('%', Some('i')) => inode(path, node).to_string(),
            ('%', Some('Y' | 'Z')) => "0.000000000".to_owned(),
            ('%', Some('s')) => size.to_string(),
            ('%', Some('a')) => format!("{mode:o}"),
            ('%', Some('u' | 'g')) => owner.to_string(),
            ('%', Some('U' | 'G')) => user.to_owned(),
            ('%', Some('n')) => name.to_owned(),
            ('%', Some('F')) => kind.to_owned(),
            ('%', Some('%') | None) => "%".to_owned(),
            ('%', Some(_)) => "?".to_owned(),
            (other, _) => other.to_string(),
        };
        text.push_str(&shown);
    }
    text
}

/// A precision is for times, and theirs is nine digits.
fn without_precision(chars: &mut std::str::Chars<'_>) -> Option<char> {
    match chars.next() {
        Some('.') => chars.by_ref().find(|c| !c.is_ascii_digit()),
        directive => directive,
    }
}

/// The model's files have no times: its number stands for the path and for what lies there, so that
/// no two files, and no two states of one, have the same.
fn inode(path: &str, node: &FileNode) -> u64 {
    let mut hash = Sha256::new().chain_update(path);
    if let FileNode::File { bytes, mode, owner } = node {
        hash = hash.chain_update(format!("\0{mode}\0{owner}\0")).chain_update(bytes);
    }
    let digest = hash.finalize();
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
