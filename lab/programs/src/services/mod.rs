//! Stand-ins for `systemd-run` and `systemctl` on a node that has no service manager: they run the same
//! words as on AWS, which are those of the dead man's switch, and refuse all others.

mod order;

pub use order::TimerOrder;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::clock::Clock;
use lab::node::Output;

use crate::process::Process;

/// Where the processes that hold a timer are written down, by their numbers.
const UNITS: &str = "/run/lab-smoke/units";
/// The first word of such a process, behind the program's name.
const HOLD: &str = "--hold-timer";
/// The request to the node's metadata service by which a lab that has it hears that a node is off.
pub const POWER_OFF: &str = "/lab-smoke/poweroff";
const METADATA: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 169, 254), 80);
const HEARD_WITHIN: Duration = Duration::from_secs(5);

fn ended(code: i32, stdout: String, stderr: String) -> Output {
    Output { code, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() }
}

fn failed(code: i32, words: &str) -> Output {
    ended(code, String::new(), format!("{words}\n"))
}

/// One start of `systemd-run`; the timer is held by another one, which lives until it is stopped.
pub async fn run_systemd(process: Process<'_>) -> Output {
    let words: Vec<&str> = process.argv.iter().skip(1).map(String::as_str).collect();
    if let [HOLD, words @ ..] = &words[..] {
        return match TimerOrder::read(words) {
            Ok(order) => hold(&order).await,
            Err(why) => failed(1, &why),
        };
    }
    let order = match TimerOrder::read(&words) {
        Ok(order) => order,
        Err(why) => return failed(1, &why),
    };
    if is_held(&order.unit) {
        let why = format!("Unit {}.timer was already loaded or has a fragment file.", order.unit);
        return failed(1, &format!("Failed to start transient timer unit: {why}"));
    }
    match start_holder(&order.unit, &words) {
        Ok(()) => ended(0, String::new(), String::new()),
        Err(error) => failed(1, &format!("Failed to start transient timer unit: {error}")),
    }
}

/// In a group of its own and with no streams, so that it outlives the login that started it.
fn start_holder(unit: &str, words: &[&str]) -> io::Result<()> {
    fs::create_dir_all(UNITS)?;
    let child = Command::new("/proc/self/exe")
        .arg0("systemd-run")
        .arg(HOLD)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    fs::write(number_of(unit), child.id().to_string())
}

fn number_of(unit: &str) -> PathBuf {
    Path::new(UNITS).join(unit)
}

async fn hold(order: &TimerOrder) -> Output {
    let clock = Clock::System;
    let (Some((program, arguments)), every) = (order.command.split_first(), order.every_seconds)
    else {
        return failed(1, "systemd-run: there is no command");
    };
    clock.sleep(Duration::from_secs(order.first_seconds)).await;
    loop {
        // What the service answers is nothing to its timer.
        let _ = Command::new(program).args(arguments).stdin(Stdio::null()).status();
        clock.sleep(Duration::from_secs(every.max(1))).await;
    }
}

/// The process that holds a timer, where it lives.
fn holder(unit: &str) -> Option<u32> {
    let number: u32 = fs::read_to_string(number_of(unit)).ok()?.trim().parse().ok()?;
    let words = fs::read(format!("/proc/{number}/cmdline")).ok()?;
    let mut words = words.split(|byte| *byte == 0);
    words.any(|word| word == HOLD.as_bytes()).then_some(number)
}

fn is_held(unit: &str) -> bool {
    holder(unit).is_some()
}

/// One start of `systemctl`.
#[expect(clippy::unused_async, reason = "as every program of a node is called")]
pub async fn control(process: Process<'_>) -> Output {
    let words: Vec<&str> = process.argv.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["is-active", "--quiet", unit] => {
            let held = unit.strip_suffix(".timer").is_some_and(is_held);
            ended(if held { 0 } else { 3 }, String::new(), String::new())
        }
        ["stop", unit] => stop(unit),
        ["show", _, ..] => ended(0, "LoadState=not-found\n".to_owned(), String::new()),
        ["poweroff"] => match power_off() {
            Ok(()) => ended(0, String::new(), String::new()),
            Err(error) => failed(1, &format!("Call to PowerOff failed: {error}")),
        },
        _ => failed(1, "Unknown command verb."),
    }
}

fn stop(unit: &str) -> Output {
    let held = unit.strip_suffix(".timer").and_then(|name| Some((name, holder(name)?)));
    let Some((name, number)) = held else {
        return failed(5, &format!("Failed to stop {unit}: Unit {unit} not loaded."));
    };
    let killed = Command::new("kill").arg("-9").arg(number.to_string()).status();
    match killed.and_then(|_| fs::remove_file(number_of(name))) {
        Ok(()) => ended(0, String::new(), String::new()),
        Err(error) => failed(1, &format!("Failed to stop {unit}: {error}")),
    }
}

/// Tells the lab, which takes the power from the node.
fn power_off() -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&METADATA.into(), HEARD_WITHIN)?;
    stream.set_read_timeout(Some(HEARD_WITHIN))?;
    let request = format!(
        "PUT {POWER_OFF} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    if &answer[9..] == b"200" {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
    }
}
