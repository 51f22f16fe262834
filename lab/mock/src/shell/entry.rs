//! The operator's command on its way to a node and back: latency, and what can befall it.

use std::time::Duration;

use chrono::TimeDelta;

use super::exec::{NotFound, run_argv};
use super::{Io, Session};
use crate::boot::{follow_boots, has_sshd};
use crate::faults::{
    self, Befall, CommandEffect, EffectKind, Ends, Event, Happening, Line, NodeCommand, SeenEffect,
    When,
};
use crate::machines::{fire_timers, host_key};
use crate::packets::is_up;
use crate::world::Shared;
use lab::clock::Clock;
use lab::node::{Node, Output};
use lab::shell::{Heard, Stream};

/// Why there is no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// There was no connection: the command did not run.
    #[error("{0}")]
    NotConnected(String),
    /// The operator's ssh does not speak with a machine of another host key than the pinned one.
    #[error("{0}")]
    OtherHostKey(String),
    /// The connection broke: whether the command ran is unknown.
    #[error("the connection to {0} broke before the command's output arrived")]
    Broken(Node),
}

/// How long a connection to a machine that is off is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a command on a node as the operator who logs in there. It waits in virtual time; a node
/// that hangs never answers, so the caller needs a timeout.
pub async fn run_command(
    shared: &Shared,
    clock: Clock,
    node: Node,
    argv: &[String],
    stdin: &[u8],
) -> Result<Output, Lost> {
    run_with(shared, clock, node, argv, Io::new(stdin.to_vec()), Ends::ByItself).await
}

/// How often whoever follows a command looks what it has said.
const LOOK: Duration = Duration::from_millis(5);

/// The same, and tells what the command says while it runs.
pub async fn follow_command(
    shared: &Shared,
    clock: Clock,
    node: Node,
    argv: &[String],
    heard: &Heard,
) -> Result<i32, Lost> {
    let io = Io::default();
    let tell = || {
        heard.add(Stream::Out, &io.stdout.take());
        heard.add(Stream::Err, &io.stderr.take());
    };
    let mut running =
        std::pin::pin!(run_with(shared, clock, node, argv, io.clone(), Ends::WithWhoFollows));
    loop {
        tokio::select! {
            biased;
            ended = &mut running => {
                let output = ended?;
                heard.add(Stream::Out, &output.stdout);
                heard.add(Stream::Err, &output.stderr);
                return Ok(output.code);
            }
            () = clock.sleep(LOOK) => tell(),
        }
    }
}

async fn run_with(
    shared: &Shared,
    clock: Clock,
    node: Node,
    argv: &[String],
    io: Io,
    ends: Ends,
) -> Result<Output, Lost> {
    run_what_was_begun(shared, clock).await;
    let (line, latency, effect, asked) = {
        let mut world = shared.lock();
        let line = Line::of(&world, argv);
        let effect = world.faults.command(node, &line.text);
        let seen = SeenEffect {
            name: format!("{node}$ {}", line.text),
            kind: EffectKind::of_command(&line.text, &io.stdin),
            after_a_change: world.cloud.previous.is_some(),
            ends,
        };
        let asked = world.faults.nth(seen);
        (line, world.faults.latency_ms, effect, asked)
    };
    faults::could_die(shared, clock, asked.at, Befall::KilledBefore);
    let befalls = asked.befalls;
    if befalls == Some(Befall::KilledMeanwhile) {
        goes_on_alone(
            shared,
            clock,
            NodeCommand { node, argv: argv.to_vec(), stdin: io.stdin.to_vec() },
        );
        faults::kill_process();
    }
    let effect = effect.map(|effect| filled(effect, &line));
    let effect = effect.or_else(|| befalls.and_then(as_command_effect));
    clock.sleep(Duration::from_millis(latency)).await;
    connect(shared, clock, node).await?;
    faults::before_command(&mut shared.lock(), node, &line.text, clock.now());
    let result = befall(shared, clock, node, argv, io, effect).await.map(|output| match befalls {
        Some(Befall::Garbage) => Output { stdout: b"\x00\xff{".to_vec(), ..output },
        _ => output,
    });
    faults::could_die(shared, clock, asked.at, Befall::KilledAfter);
    if befalls == Some(Befall::KilledAfter) {
        faults::kill_process();
    }
    faults::after_command(&mut shared.lock(), node, &line.text, clock.now());
    result
}

/// How long after the harness died a command that it had sent is carried out.
const LANDS_AFTER: TimeDelta = TimeDelta::seconds(40);

/// The connection is gone, and the node does not know.
fn goes_on_alone(shared: &Shared, clock: Clock, command: NodeCommand) {
    shared.lock().faults.events.push(Event {
        when: When::Due,
        skip: 0,
        delay_ms: 0,
        what: Happening::Command(command),
        seen: 0,
        due: Some(clock.now() + LANDS_AFTER),
        fired: 0,
    });
}

/// Brings the commands that were begun on a node without the harness to their end before the
/// harness's next command or call.
pub async fn run_what_was_begun(shared: &Shared, clock: Clock) {
    loop {
        let next = {
            let mut world = shared.lock();
            fire_timers(&mut world, clock.now());
            follow_boots(&mut world, clock.now());
            faults::fire_due_events(&mut world, clock.now());
            (!world.faults.begun.is_empty()).then(|| world.faults.begun.remove(0))
        };
        let Some(NodeCommand { node, argv, stdin }) = next else { return };
        let up = is_up(&shared.lock(), node, clock.now());
        if up {
            log_in(shared, clock, node, &argv, Io::new(stdin)).await;
        }
    }
}

/// Runs the command with what befalls it.
async fn befall(
    shared: &Shared,
    clock: Clock,
    node: Node,
    argv: &[String],
    io: Io,
    effect: Option<CommandEffect>,
) -> Result<Output, Lost> {
    match effect {
        Some(CommandEffect::Answer { code, stdout, stderr }) => {
            Ok(Output { code, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
        }
        Some(CommandEffect::Garbled { stdout }) => {
            let output = log_in(shared, clock, node, argv, io).await;
            Ok(Output { stdout: stdout.into_bytes(), ..output })
        }
        Some(CommandEffect::RequestLost) => Err(Lost::Broken(node)),
        Some(CommandEffect::Hang) => std::future::pending().await,
        Some(CommandEffect::ReplyLost) => {
            log_in(shared, clock, node, argv, io).await;
            Err(Lost::Broken(node))
        }
        Some(CommandEffect::Delay { ms }) => {
            clock.sleep(Duration::from_millis(ms)).await;
            Ok(log_in(shared, clock, node, argv, io).await)
        }
        None => Ok(log_in(shared, clock, node, argv, io).await),
    }
}

/// The effect that befalls a command; one that kills the harness before it is sent does so here.
fn as_command_effect(befalls: Befall) -> Option<CommandEffect> {
    match befalls {
        Befall::KilledBefore | Befall::KilledMeanwhile => faults::kill_process(),
        Befall::ReplyLost => Some(CommandEffect::ReplyLost),
        Befall::RequestLost => Some(CommandEffect::RequestLost),
        Befall::Hang => Some(CommandEffect::Hang),
        Befall::KilledAfter | Befall::Garbage | Befall::Throttled | Befall::Stale => None,
    }
}

/// An answer with the number of the row that it is about.
fn filled(effect: CommandEffect, line: &Line) -> CommandEffect {
    match effect {
        CommandEffect::Answer { code, stdout, stderr } => {
            CommandEffect::Answer { code, stdout: line.fill(&stdout), stderr: line.fill(&stderr) }
        }
        other => other,
    }
}

async fn connect(shared: &Shared, clock: Clock, node: Node) -> Result<(), Lost> {
    let (up, listens, hung, cut_off, hostname, pinned) = {
        let world = shared.lock();
        let machine = world.machines.get(node);
        let pinned = machine.sshd.host_key == host_key(world.seed, node);
        let (up, listens) = (is_up(&world, node, clock.now()), has_sshd(&world, node, clock.now()));
        (up, listens, machine.hung, machine.cut_off, machine.hostname.clone(), pinned)
    };
    if hung {
        std::future::pending::<()>().await;
    }
    if !up || cut_off {
        clock.sleep(CONNECT_TIMEOUT).await;
        let text = format!("ssh: connect to host {hostname} port 22: Connection timed out");
        return Err(Lost::NotConnected(text));
    }
    if !listens {
        let text = format!("ssh: connect to host {hostname} port 22: Connection refused");
        return Err(Lost::NotConnected(text));
    }
    if !pinned {
        return Err(Lost::OtherHostKey("Host key verification failed.".to_owned()));
    }
    Ok(())
}

async fn log_in(shared: &Shared, clock: Clock, node: Node, argv: &[String], io: Io) -> Output {
    let session = Session::login(shared.clone(), clock, node);
    let code = run_argv(&session, argv, &io).await.unwrap_or_else(|NotFound| {
        let name = argv.first().map_or("", String::as_str);
        io.fail(127, &format!("sh: 1: {name}: not found"))
    });
    io.into_output(code)
}
