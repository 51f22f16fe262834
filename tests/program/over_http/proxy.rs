//! A proxy that passes requests on, and does to some of them what happens on the way to AWS.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lab::clock::Clock;
use lab_mock::world::Shared;
use nix::sys::socket::{setsockopt, sockopt};

/// What befalls a request, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Befalls {
    Nothing,
    /// It never comes to EC2, and is answered with this error.
    Refused {
        status: u16,
        code: &'static str,
    },
    /// It is carried out, and answered with this error.
    DoneAndRefused {
        status: u16,
        code: &'static str,
    },
    /// It never comes to EC2, and the answer has no body.
    Bare {
        status: u16,
    },
    /// The connection is reset before it comes to EC2.
    ResetBefore,
    /// It is carried out, and the connection is reset.
    ResetAfter,
    /// It is carried out, and the answer ends in its middle.
    Truncated,
    /// It is carried out, and the second half of the answer comes after the attempt has ended.
    Slow,
    /// Once something was changed it is answered with what was answered first of all.
    Stale,
}

#[derive(Clone, Copy, Debug)]
pub struct OnTheWay {
    pub action: &'static str,
    pub befalls: Befalls,
    /// How many requests it befalls: the first ones, or those after a change where it is stale.
    pub times: u32,
}

/// Longer than an attempt may take.
const TOO_LONG: Duration = Duration::from_secs(12);

pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<ProxyLog>>,
}

#[derive(Default)]
struct ProxyLog {
    actions: Vec<String>,
    rules: Vec<OnTheWay>,
    first_answer: Option<Vec<u8>>,
}

impl Proxy {
    /// It ends with the process: nothing waits for its thread.
    pub fn start(to: SocketAddr, rules: Vec<OnTheWay>, shared: Shared) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(ProxyLog { rules, ..ProxyLog::default() }));
        let shown = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, shared) = (shown.clone(), shared.clone());
                // A client that goes away is an end like any other.
                thread::spawn(move || stream.and_then(|near| pass(near, to, &seen, &shared)));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests for this action came.
    pub fn asked(&self, action: &str) -> usize {
        self.seen.lock().unwrap().actions.iter().filter(|seen| *seen == action).count()
    }
}

impl ProxyLog {
    fn note(&mut self, action: &str) -> Befalls {
        let changed = self.actions.iter().any(|seen| !seen.starts_with("Describe"));
        self.actions.push(action.to_owned());
        let is_it = |rule: &&mut OnTheWay| {
            let in_time = rule.befalls != Befalls::Stale || changed;
            rule.action == action && rule.times > 0 && in_time
        };
        let Some(rule) = self.rules.iter_mut().find(is_it) else { return Befalls::Nothing };
        rule.times -= 1;
        rule.befalls
    }
}

/// One request and its answer; the connection is closed behind them.
fn pass(
    mut near: TcpStream,
    to: SocketAddr,
    seen: &Mutex<ProxyLog>,
    shared: &Shared,
) -> std::io::Result<()> {
    let (head, body) = read_message(&mut near)?;
    let form = String::from_utf8_lossy(&body).into_owned();
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let befalls = seen.lock().unwrap().note(action.unwrap_or_default());
    let carry_out = || -> std::io::Result<(String, Vec<u8>)> {
        let mut far = TcpStream::connect(to)?;
        let kept = |line: &&str| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("host:") && !line.starts_with("connection:") && !line.is_empty()
        };
        let own = [format!("host: {to}"), "connection: close\r\n\r\n".to_owned()];
        let lines = head.split("\r\n").filter(kept).map(str::to_owned).chain(own);
        let head = lines.collect::<Vec<_>>().join("\r\n");
        far.write_all(head.as_bytes())?;
        far.write_all(&body)?;
        let answer = read_message(&mut far)?;
        hasten(shared);
        let first = &mut seen.lock().unwrap().first_answer;
        first.get_or_insert_with(|| answer.1.clone());
        Ok(answer)
    };
    match befalls {
        Befalls::Nothing => say(&mut near, 200, &carry_out()?).and_then(|()| end(&near)),
        Befalls::Refused { status, code } => {
            say(&mut near, status, &(String::new(), refusal(code))).and_then(|()| end(&near))
        }
        Befalls::DoneAndRefused { status, code } => {
            carry_out()?;
            say(&mut near, status, &(String::new(), refusal(code))).and_then(|()| end(&near))
        }
        Befalls::Bare { status } => {
            say(&mut near, status, &(String::new(), Vec::new())).and_then(|()| end(&near))
        }
        Befalls::ResetBefore => reset(near),
        Befalls::ResetAfter => {
            carry_out()?;
            reset(near)
        }
        Befalls::Truncated => {
            let (_, mut body) = carry_out()?;
            body.truncate(body.len() / 2);
            say(&mut near, 200, &(String::new(), body)).and_then(|()| end(&near))
        }
        Befalls::Slow => {
            let (_, body) = carry_out()?;
            near.write_all(head_of(200, body.len()).as_bytes())?;
            near.write_all(&body[..body.len() / 2])?;
            in_real_time(TOO_LONG);
            near.write_all(&body[body.len() / 2..])
        }
        Befalls::Stale => {
            let first = seen.lock().unwrap().first_answer.clone().unwrap_or_default();
            say(&mut near, 200, &(String::new(), first)).and_then(|()| end(&near))
        }
    }
}

/// Nobody here need wait as long as for EC2: an instance is stopped as soon as it was seen to stop.
fn hasten(shared: &Shared) {
    let now = Clock::System.now();
    for instance in shared.lock().cloud.instances.values_mut() {
        if let Some(transition) = &mut instance.transition {
            transition.at = transition.at.min(now + chrono::TimeDelta::milliseconds(300));
        }
    }
}

fn in_real_time(wait: Duration) {
    super::in_real_time(async { Clock::System.sleep(wait).await });
}

fn refusal(code: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>said the proxy</Message></Error></Errors><RequestID>a-request</RequestID></Response>"
    )
    .into_bytes()
}

fn head_of(status: u16, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} said\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Says the answer: with EC2's own status where it has one.
fn say(near: &mut TcpStream, status: u16, (head, body): &(String, Vec<u8>)) -> std::io::Result<()> {
    let own = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    near.write_all(head_of(own.unwrap_or(status), body.len()).as_bytes())?;
    near.write_all(body)
}

fn end(near: &TcpStream) -> std::io::Result<()> {
    near.shutdown(Shutdown::Write)
}

/// Closing it with a linger of nothing resets it.
fn reset(near: TcpStream) -> std::io::Result<()> {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&near, sockopt::Linger, &linger)?;
    drop(near);
    Ok(())
}

/// The head and the body, whose length the head says; without it the body lasts to the end.
fn read_message(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: Option<usize> = length.and_then(|length| length.trim().parse().ok());
            if length.is_some_and(|length| bytes.len() >= end + length) {
                return Ok((head, bytes.split_off(end)));
            }
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}
