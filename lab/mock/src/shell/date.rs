//! `date [-u] +FORMAT`, by the node's own clock, which is set to UTC.

use chrono::format::{Item, StrftimeItems};

use super::{Io, Session};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let format = match args {
        [] | ["-u"] => "%a %b %e %H:%M:%S UTC %Y",
        [format] | ["-u", format] if format.starts_with('+') => &format[1..],
        [word, ..] => return io.fail(1, &format!("date: invalid date ‘{word}’")),
    };
    let format = format.replace("%3N", "%3f").replace("%N", "%9f");
    let items: Vec<Item<'_>> = StrftimeItems::new(&format).collect();
    if items.contains(&Item::Error) {
        return io.fail(1, &format!("date: invalid format ‘{format}’"));
    }
    io.out(&format!("{}\n", session.now().format_with_items(items.iter())));
    0
}
