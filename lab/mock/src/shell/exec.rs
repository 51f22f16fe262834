//! The table of programs: which word starts what.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};

use super::{Input, Io, Session};
use super::{
    aws, connections, conntrack, curl, date, files, grep, ip, iptables, kernel, nft, ping, probe,
    programs, sh, ssh, stat, sysctl, systemctl, tcpdump, text, timer, wrap,
};

/// There is no such program: who starts it says so in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFound;

/// Runs a program to its end, and gives its exit code.
pub fn run_argv<'a>(
    session: &'a Session,
    argv: &'a [String],
    io: &'a Io,
) -> BoxFuture<'a, Result<i32, NotFound>> {
    async move {
        let Some((name, args)) = argv.split_first() else { return Err(NotFound) };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if let Some(code) = wrapper(session, name, argv, io).await {
            return Ok(code);
        }
        let args = args.as_slice();
        if io.input == Input::NeverEnds && reads_input(system_name(name), args) {
            std::future::pending::<()>().await;
        }
        Ok(match system_name(name) {
            Some("ping") => ping::main(session, args, io).await,
            Some("ssh") => ssh::main(session, args, io).await,
            Some("tcpdump") => tcpdump::main(session, args, io).await,
            Some("sleep") => sleep(session, args, io).await,
            Some("ip") => ip::main(session, args, io),
            Some("nft") => nft::main(session, args, io)?,
            Some("conntrack") => conntrack::main(session, args, io),
            Some("iptables-legacy") => iptables::main(session, args, io),
            Some("iptables-legacy-save") => iptables::save(session, "ip", args, io),
            Some("ip6tables-legacy-save") => iptables::save(session, "ip6", args, io),
            Some("tc") => kernel::run_tc(session, args, io),
            Some("bridge") => kernel::run_bridge(session, args, io),
            Some("bpftool") => kernel::run_bpftool(session, args, io),
            Some("nsenter") => kernel::run_nsenter(session, args, io),
            Some("sysctl") => sysctl::main(session, args, io),
            Some("ss") => connections::main(session, args, io),
            Some("date") => date::main(session, args, io),
            Some("grep") => grep::main(session, args, io),
            Some("stat") => stat::main(session, args, io),
            Some("systemctl") => systemctl::main(session, args, io),
            Some("systemd-run") => timer::run_systemd(session, args, io),
            Some("aws") => aws::main(session, args, io)?,
            Some("curl") => curl::main(session, args, io),
            Some(other) => match files::main(session, other, args, io) {
                Some(code) => code,
                None => match text::main(session, other, args, io) {
                    Some(code) => code,
                    None => return programs::main(session, argv, io).await,
                },
            },
            None if name == probe::PROBE => probe::main(session, args, io).await,
            None => return programs::main(session, argv, io).await,
        })
    }
    .boxed()
}

/// Programs that read their input to the end before they say anything.
fn reads_input(name: Option<&str>, args: &[&str]) -> bool {
    let files = args.iter().any(|arg| !arg.starts_with('-'));
    matches!(name, Some("cat" | "sha256sum")) && !files
}

/// Programs that run another one.
async fn wrapper(session: &Session, name: &str, argv: &[String], io: &Io) -> Option<i32> {
    match system_name(name)? {
        "sh" | "dash" => Some(sh::main(session, argv, io).await),
        "sudo" => Some(wrap::run_sudo(session, &argv[1..], io).await),
        "env" => Some(wrap::run_env(session, &argv[1..], io).await),
        "timeout" => Some(wrap::run_timeout(session, &argv[1..], io).await),
        _ => None,
    }
}

/// The name of a program of the operating system, called by name or by its path.
fn system_name(word: &str) -> Option<&str> {
    if !word.contains('/') {
        return Some(word);
    }
    let folders = ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"];
    folders.iter().find_map(|folder| word.strip_prefix(folder))
}

async fn sleep(session: &Session, args: &[&str], io: &Io) -> i32 {
    let [text] = args else { return io.fail(1, "sleep: missing operand") };
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => {
            session.clock.sleep(Duration::from_secs_f64(seconds)).await;
            0
        }
        _ => io.fail(1, &format!("sleep: invalid time interval ‘{text}’")),
    }
}
