//! `sysctl [-n] KEY…`.

use super::{Io, Session};

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (bare, keys) = match args {
        ["-n", keys @ ..] => (true, keys),
        keys => (false, keys),
    };
    let mut code = 0;
    for key in keys {
        let dotted = key.replace('/', ".");
        match session.machine(|machine| machine.sysctls.get(&dotted).cloned()) {
            Some(value) if bare => io.out(&format!("{value}\n")),
            Some(value) => io.out(&format!("{dotted} = {value}\n")),
            None => {
                let path = key.replace('.', "/");
                let text =
                    format!("sysctl: cannot stat /proc/sys/{path}: No such file or directory");
                code = io.fail(255, &text);
            }
        }
    }
    code
}
