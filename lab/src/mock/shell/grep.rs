//! `grep -oiE '^[[:space:]]*(NAME|…)[[:space:]]*=' FILE`: which of these names a file of settings has.
//! No other pattern is there.

use super::{Io, Session};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let ["-oiE", pattern, path] = args else {
        return io.fail(2, "grep: only -oiE PATTERN FILE is there");
    };
    let names = pattern.strip_prefix("^[[:space:]]*(");
    let Some(names) = names.and_then(|rest| rest.strip_suffix(")[[:space:]]*=")) else {
        return io.fail(2, &format!("grep: no such pattern is there: {pattern}"));
    };
    let names: Vec<&str> = names.split('|').collect();
    let text = match session.read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return io.fail(2, &format!("grep: {path}: {error}")),
    };
    let mut code = 1;
    for line in text.lines() {
        let Some((name, _)) = line.split_once('=') else { continue };
        if names.contains(&name.trim().to_lowercase().as_str()) {
            io.out(&format!("{name}=\n"));
            code = 0;
        }
    }
    code
}
