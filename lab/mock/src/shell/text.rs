//! Small programs about text and about who one is.

use super::{Io, Session};

/// Runs one of them; none where the name is another's.
pub fn main(session: &Session, name: &str, args: &[&str], io: &Io) -> Option<i32> {
    Some(match name {
        "true" | "sync" => 0,
        "false" => 1,
        "echo" => {
            let (words, end) = match args {
                ["-n", rest @ ..] => (rest, ""),
                all => (all, "\n"),
            };
            io.out(&format!("{}{end}", words.join(" ")));
            0
        }
        "printf" => printf(args, io),
        "seq" => seq(args, io),
        "expr" => expr(args, io),
        "hostname" => hostname(session, args, io),
        "id" => id(session, args, io),
        _ => return None,
    })
}

/// `printf FORMAT ARG…` with `%s`, `%d`, `%%` and the usual escapes; the format repeats while
/// arguments are left.
fn printf(args: &[&str], io: &Io) -> i32 {
    let Some((format, mut rest)) = args.split_first() else {
        return io.fail(2, "sh: 1: printf: usage: printf format [arg ...]");
    };
    loop {
        let before = rest.len();
        match one_round(format, &mut rest) {
            Ok(text) => io.out(&text),
            Err(text) => return io.fail(2, &format!("sh: 1: printf: {text}")),
        }
        if rest.is_empty() || rest.len() == before {
            return 0;
        }
    }
}

fn one_round(format: &str, rest: &mut &[&str]) -> Result<String, String> {
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('0') => text.push('\0'),
                Some('\\') | None => text.push('\\'),
                Some(other) => text.extend(['\\', other]),
            },
            '%' => match chars.next() {
                Some('%') => text.push('%'),
                Some(directive @ ('s' | 'd')) => {
                    let argument = rest.split_first().map(|(first, tail)| {
                        *rest = tail;
                        *first
                    });
                    text.push_str(argument.unwrap_or(if directive == 'd' { "0" } else { "" }));
                }
                other => {
                    let letter = other.map(String::from).unwrap_or_default();
                    return Err(format!("%{letter}: invalid directive"));
                }
            },
            other => text.push(other),
        }
    }
    Ok(text)
}

/// `expr A + B`.
fn expr(args: &[&str], io: &Io) -> i32 {
    let [a, "+", b] = args else { return io.fail(2, "expr: syntax error: only A + B is there") };
    let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) else {
        return io.fail(2, "expr: non-integer argument");
    };
    io.out(&format!("{}\n", a + b));
    i32::from(a + b == 0)
}

fn seq(args: &[&str], io: &Io) -> i32 {
    let numbers: Result<Vec<i64>, _> = args.iter().map(|text| text.parse()).collect();
    let (first, last) = match numbers.as_deref() {
        Ok([last]) => (1, *last),
        Ok([first, last]) => (*first, *last),
        Ok(_) => return io.fail(1, "seq: missing operand\nTry 'seq --help' for more information."),
        Err(_) => {
            let bad = args.iter().find(|text| text.parse::<i64>().is_err()).unwrap_or(&"");
            let text = format!(
                "seq: invalid floating point argument: ‘{bad}’\nTry 'seq --help' for more information."
            );
            return io.fail(1, &text);
        }
    };
    (first..=last).for_each(|number| io.out(&format!("{number}\n")));
    0
}

fn hostname(session: &Session, args: &[&str], io: &Io) -> i32 {
    match args {
        [] | ["-s"] => {
            io.out(&format!("{}\n", session.machine(|machine| machine.hostname.clone())));
            0
        }
        [option, ..] => {
            let letter = option.chars().nth(1).unwrap_or('-');
            io.fail(255, &format!("hostname: invalid option -- '{letter}'"))
        }
    }
}

fn id(session: &Session, args: &[&str], io: &Io) -> i32 {
    let name = if session.is_root() { "root" } else { "lab" };
    let uid = session.uid;
    match args {
        ["-u"] => io.out(&format!("{uid}\n")),
        ["-un"] | ["-u", "-n"] => io.out(&format!("{name}\n")),
        [] => io.out(&format!("uid={uid}({name}) gid={uid}({name}) groups={uid}({name})\n")),
        _ => return io.fail(1, "id: extra operand\nTry 'id --help' for more information."),
    }
    0
}
