//! `stat -c FORMAT FILE…`.

use super::{Io, Session};
use crate::mock::machines::FileNode;

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (format, names) = match args {
        ["-c", format, names @ ..] => (*format, names),
        [option, names @ ..] if option.starts_with("--format=") => (&option[9..], names),
        _ => return io.fail(1, "stat: missing operand\nTry 'stat --help' for more information."),
    };
    let mut code = 0;
    for name in names {
        let path = session.absolute(name);
        match session.machine(|machine| machine.files.get(&path).cloned()) {
            Some(node) => io.out(&format!("{}\n", render(format, name, &node))),
            None => {
                code =
                    io.fail(1, &format!("stat: cannot statx '{name}': No such file or directory"));
            }
        }
    }
    code
}

fn render(format: &str, name: &str, node: &FileNode) -> String {
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
        let shown = match (c, if c == '%' { chars.next() } else { None }) {
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
