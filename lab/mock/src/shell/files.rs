//! Programs about files.

use sha2::{Digest, Sha256};

use super::{Io, Session};
use crate::machines::{FileError, FileNode};

/// Runs one of them; none where the name is another's.
pub fn main(session: &Session, name: &str, args: &[&str], io: &Io) -> Option<i32> {
    Some(match name {
        "cat" => cat(session, args, io),
        "sha256sum" => sha256sum(session, args, io),
        "ls" => ls(session, args, io),
        "test" => test(session, args, io),
        "rm" => rm(session, args, io),
        "mkdir" => mkdir(session, args, io),
        "mv" => mv(session, args, io),
        "cut" => cut(session, args, io),
        _ => return None,
    })
}

fn cat(session: &Session, args: &[&str], io: &Io) -> i32 {
    let mut code = 0;
    for name in if args.is_empty() { &["-"][..] } else { args } {
        match contents(session, name, io) {
            Ok(bytes) => io.stdout.write(&bytes),
            Err(error) => code = io.fail(1, &format!("cat: {name}: {error}")),
        }
    }
    code
}

fn sha256sum(session: &Session, args: &[&str], io: &Io) -> i32 {
    let mut code = 0;
    for name in if args.is_empty() { &["-"][..] } else { args } {
        match contents(session, name, io) {
            Ok(bytes) => io.out(&format!("{}  {name}\n", hex::encode(Sha256::digest(bytes)))),
            Err(error) => code = io.fail(1, &format!("sha256sum: {name}: {error}")),
        }
    }
    code
}

fn contents(session: &Session, name: &str, io: &Io) -> Result<Vec<u8>, FileError> {
    if name == "-" { Ok(io.stdin.to_vec()) } else { session.read(name) }
}

/// `cut -dC -fN FILE`.
fn cut(session: &Session, args: &[&str], io: &Io) -> i32 {
    let [delimiter, field, name] = args else { return io.fail(1, "cut: you must specify a list") };
    let delimiter = delimiter.strip_prefix("-d");
    let field = field.strip_prefix("-f").and_then(|it| it.parse::<usize>().ok());
    let (Some(delimiter), Some(field)) = (delimiter, field.and_then(|it| it.checked_sub(1))) else {
        return io.fail(1, "cut: only -dC -fN FILE is there");
    };
    match session.read(name) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let shown = text.lines().map(|line| line.split(delimiter).nth(field).unwrap_or(line));
            shown.for_each(|it| io.out(&format!("{it}\n")));
            0
        }
        Err(error) => io.fail(1, &format!("cut: {name}: {error}")),
    }
}

/// `ls -1A [DIR]`.
fn ls(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (options, names): (Vec<&str>, Vec<&str>) = args.iter().partition(|a| a.starts_with('-'));
    if let Some(bad) = options.iter().flat_map(|o| o.chars().skip(1)).find(|c| !"1Aa".contains(*c))
    {
        let text = format!("ls: invalid option -- '{bad}'\nTry 'ls --help' for more information.");
        return io.fail(2, &text);
    }
    let hidden = options.iter().any(|option| option.contains('A'));
    let name = names.first().copied().unwrap_or(".");
    match session.list(name) {
        Ok(list) => {
            let shown = list.iter().filter(|name| hidden || !name.starts_with('.'));
            shown.for_each(|name| io.out(&format!("{name}\n")));
            0
        }
        Err(FileError::NotDirectory) => {
            io.out(&format!("{name}\n"));
            0
        }
        Err(error) => io.fail(2, &format!("ls: cannot access '{name}': {error}")),
    }
}

/// `test` with one operator, and `!`.
fn test(session: &Session, args: &[&str], io: &Io) -> i32 {
    let file = |name: &str| {
        let path = session.absolute(name);
        session.machine(|machine| machine.files.get(&path).cloned())
    };
    let holds = match args {
        [] => false,
        ["!", rest @ ..] => return i32::from(test(session, rest, io) == 0),
        ["-e", name] => file(name).is_some(),
        ["-x", name] => {
            matches!(file(name), Some(FileNode::File { mode, .. }) if mode & 0o111 != 0)
        }
        ["-d", name] => matches!(file(name), Some(FileNode::Directory { .. })),
        [text] | ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [a, "=", b] => a == b,
        [a, "!=", b] => a != b,
        [a, "-gt", b] => {
            let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) else {
                return io.fail(2, &format!("sh: 1: test: Illegal number: {a}"));
            };
            a > b
        }
        [first, ..] => return io.fail(2, &format!("sh: 1: test: {first}: unexpected operator")),
    };
    i32::from(!holds)
}

/// `rm [-f] FILE…`.
fn rm(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (options, names): (Vec<&str>, Vec<&str>) = args.iter().partition(|a| a.starts_with('-'));
    let force = options == ["-f"];
    if !force && !options.is_empty() {
        let letter = options[0].chars().nth(1).unwrap_or('-');
        let text =
            format!("rm: invalid option -- '{letter}'\nTry 'rm --help' for more information.");
        return io.fail(1, &text);
    }
    let mut code = 0;
    for name in names {
        let path = session.absolute(name);
        match session.change(|machine| machine.files.remove(&path, session.uid)) {
            Ok(()) => {}
            Err(FileError::NotFound) if force => {}
            Err(error) => code = io.fail(1, &format!("rm: cannot remove '{name}': {error}")),
        }
    }
    code
}

/// `mkdir [-p] [-m MODE] DIR…`.
fn mkdir(session: &Session, args: &[&str], io: &Io) -> i32 {
    let mut mode = 0o777 & !session.umask;
    let mut parents = false;
    let mut rest = args;
    while let [option, tail @ ..] = rest {
        rest = match *option {
            "-p" => {
                parents = true;
                tail
            }
            "-m" => {
                let text = tail.first().copied().unwrap_or("");
                let Ok(value) = u32::from_str_radix(text, 8) else {
                    return io.fail(1, &format!("mkdir: invalid mode ‘{text}’"));
                };
                mode = value;
                tail.get(1..).unwrap_or(&[])
            }
            option if option.starts_with('-') => {
                let letter = option.chars().nth(1).unwrap_or('-');
                let text = format!(
                    "mkdir: invalid option -- '{letter}'\nTry 'mkdir --help' for more information."
                );
                return io.fail(1, &text);
            }
            _ => break,
        };
    }
    let mut code = 0;
    for name in rest {
        if let Err(error) = make(session, &session.absolute(name), mode, parents) {
            code = io.fail(1, &format!("mkdir: cannot create directory ‘{name}’: {error}"));
        }
    }
    code
}

fn make(session: &Session, path: &str, mode: u32, parents: bool) -> Result<(), FileError> {
    session.change(|machine| {
        if !parents {
            return machine.files.make_directory(path, session.uid, mode);
        }
        let ends = path.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            match machine.files.get(&path[..end]) {
                Some(FileNode::Directory { .. }) => {}
                Some(FileNode::File { .. }) => return Err(FileError::NotDirectory),
                None => machine.files.make_directory(&path[..end], session.uid, mode)?,
            }
        }
        Ok(())
    })
}

fn mv(session: &Session, args: &[&str], io: &Io) -> i32 {
    let names: Vec<&str> = args.iter().copied().filter(|a| !matches!(*a, "-f" | "-T")).collect();
    let [from, to] = names[..] else { return io.fail(1, "mv: missing file operand") };
    let (a, b) = (session.absolute(from), session.absolute(to));
    match session.change(|machine| machine.files.rename(&a, &b, session.uid)) {
        Ok(()) => 0,
        Err(FileError::NotFound) => {
            io.fail(1, &format!("mv: cannot stat '{from}': No such file or directory"))
        }
        Err(error) => io.fail(1, &format!("mv: cannot move '{from}' to '{to}': {error}")),
    }
}
