//! `ss -Htn state established [src A] [dst A] [sport = :P] [dport = :P]` and `ss -H -lntup`.

use super::{Io, Session};
use crate::machines::Socket;

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    match args {
        ["-H", "-lntup"] => return listeners(session, &["tcp", "udp"], io),
        ["-H", "-lnup"] => return listeners(session, &["udp"], io),
        _ => {}
    }
    let words: Vec<&str> = args
        .iter()
        .flat_map(|word| word.split_whitespace())
        .filter(|word| !matches!(*word, "(" | ")" | "and"))
        .collect();
    let mut rest = words.as_slice();
    let mut header = true;
    while let [option, tail @ ..] = rest {
        let Some(letters) = option.strip_prefix('-') else { break };
        for letter in letters.chars() {
            match letter {
                'H' => header = false,
                't' | 'n' => {}
                other => return io.fail(255, &format!("ss: invalid option -- '{other}'")),
            }
        }
        rest = tail;
    }
    let filter = match parse(rest) {
        Ok(filter) => filter,
        Err(word) => {
            return io.fail(
                255,
                &format!(
                    "ss: bison bellows (while parsing filter): \"syntax error!\" near \"{word}\""
                ),
            );
        }
    };
    if header {
        io.out("Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n");
    }
    let sockets = session.machine(|machine| machine.sockets.clone());
    for socket in sockets.iter().filter(|socket| filter.iter().all(|term| term(socket))) {
        io.out(&format!("0      0      {} {}\n", socket.local, socket.peer));
    }
    0
}

/// Whose they are is root's to see.
fn listeners(session: &Session, transports: &[&str], io: &Io) -> i32 {
    let all = session.machine(|machine| machine.kernel.listeners.clone());
    let asked =
        |it: &&crate::machines::ListeningSocket| transports.contains(&it.transport.as_str());
    for (number, it) in (100..).zip(all.iter().filter(asked)) {
        let state = if it.transport == "tcp" { "LISTEN" } else { "UNCONN" };
        let local = format!("{}:{}", it.address, it.port);
        let of = if session.is_root() {
            format!("users:((\"{}\",pid={number},fd=3))", it.process)
        } else {
            String::new()
        };
        io.out(&format!("{} {state} 0      128    {local} 0.0.0.0:* {of}\n", it.transport));
    }
    0
}

type Term = Box<dyn Fn(&Socket) -> bool>;

fn parse(words: &[&str]) -> Result<Vec<Term>, String> {
    let mut terms: Vec<Term> = Vec::new();
    let mut rest = words;
    while let [word, tail @ ..] = rest {
        rest = match (*word, tail) {
            ("state", ["established", tail @ ..]) => tail,
            ("src" | "dst", [text, tail @ ..]) => {
                let address: std::net::Ipv4Addr = text.parse().map_err(|_| (*text).to_owned())?;
                let local = *word == "src";
                terms.push(Box::new(move |socket| {
                    *(if local { &socket.local } else { &socket.peer }).ip() == address
                }));
                tail
            }
            ("sport" | "dport", ["=" | "==" | "eq", text, tail @ ..]) => {
                let port: u16 =
                    text.trim_start_matches(':').parse().map_err(|_| (*text).to_owned())?;
                let local = *word == "sport";
                terms.push(Box::new(move |socket| {
                    (if local { &socket.local } else { &socket.peer }).port() == port
                }));
                tail
            }
            (word, _) => return Err(word.to_owned()),
        };
    }
    Ok(terms)
}
