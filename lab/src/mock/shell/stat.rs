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
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next() {
                Some('s') => text.push_str(&size.to_string()),
                Some('a') => text.push_str(&format!("{mode:o}")),
                Some('u' | 'g') => text.push_str(&owner.to_string()),
                Some('U' | 'G') => text.push_str(user),
                Some('n') => text.push_str(name),
                Some('F') => text.push_str(kind),
                Some('%') | None => text.push('%'),
                Some(_) => text.push('?'),
            },
            other => text.push(other),
        }
    }
    text
}
