//! `ssh` between nodes: a connection through the model's packets, the host key compared as
//! OpenSSH 9.2 does it, the command run by the other node's shell.

mod host_key;
mod options;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::exec::run_argv;
use super::{Input, Io, Session, sh};
use crate::machines::Socket;
use crate::packets::{self, Delivery, Fragment, IcmpError, Loss, Packet, Payload, RoundTrip};
use lab::node::Node;
use options::SshOptions;

/// The code that ssh exits with when it fails itself.
const FAILED: i32 = 255;
/// When the kernel stops repeating its first segment.
const KERNEL_GIVES_UP: Duration = Duration::from_secs(131);
const SYN_AGAIN_AFTER: Duration = Duration::from_secs(1);
const SEGMENT_AGAIN_AFTER: Duration = Duration::from_millis(200);
const ARP_GIVES_UP: Duration = Duration::from_millis(3_060);
/// The largest packet of a key exchange by curve25519: OpenSSH's list of what it can do.
const KEY_EXCHANGE_BYTES: u32 = 1_320;
/// The packet size that one end of every connection between the sites announces: Ethernet's.
const LARGEST_BYTES: u32 = 1_500;

pub async fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(text) => return say(io, &text),
    };
    let Ok(address) = options.host.parse::<Ipv4Addr>() else {
        let text =
            format!("ssh: Could not resolve hostname {}: Name or service not known", options.host);
        return say(io, &text);
    };
    match connect(session, &options, address).await {
        Ok(connection) => connection.run(&options, io).await,
        Err(why) => {
            let SshOptions { host, port, .. } = &options;
            say(io, &format!("ssh: connect to host {host} port {port}: {why}"))
        }
    }
}

/// ssh ends its own lines as a terminal in raw mode wants them.
fn say(io: &Io, text: &str) -> i32 {
    io.err(&format!("{}\r\n", text.replace('\n', "\r\n")));
    FAILED
}

async fn connect(
    session: &Session,
    options: &SshOptions,
    address: Ipv4Addr,
) -> Result<SshConnection, &'static str> {
    let port = session.change(|machine| {
        machine.ports_used = machine.ports_used.wrapping_add(1);
        32_768 + machine.ports_used % 28_000
    });
    let packet = Packet {
        from: session.node,
        source: options.bind_address,
        destination: address,
        ttl: 64,
        bytes: 60,
        fragment: Fragment::Never,
        payload: Payload::Syn { source_port: port, destination_port: options.port },
    };
    let limit = options.connect_timeout.unwrap_or(KERNEL_GIVES_UP);
    let mut waited = Duration::ZERO;
    let delivery = loop {
        let now = session.clock.now();
        let delivery = packets::send(&mut session.shared.lock(), now, packet);
        // The kernel says it again: only a packet here and there is lost.
        if delivery != Delivery::Lost(Loss::Underlay) || waited >= limit {
            break delivery;
        }
        session.clock.sleep(SYN_AGAIN_AFTER).await;
        waited += SYN_AGAIN_AFTER;
    };
    let (after, why) = match delivery {
        Delivery::Answered(answer) => {
            session.clock.sleep(answer.round_trip).await;
            return Ok(SshConnection::open(session, answer, packet));
        }
        Delivery::Refused(answer) => (answer.round_trip, "Connection refused"),
        Delivery::NetworkUnreachable => (Duration::ZERO, "Network is unreachable"),
        Delivery::HostUnreachable { .. }
        | Delivery::Error { error: IcmpError::HostUnreachable, .. } => {
            (ARP_GIVES_UP, "No route to host")
        }
        Delivery::Error { .. } | Delivery::TooLong { .. } | Delivery::Lost(_) => {
            (KERNEL_GIVES_UP, "Connection timed out")
        }
    };
    session.clock.sleep(after.min(limit)).await;
    Err(if after > limit { "Connection timed out" } else { why })
}

/// An open connection; both ends list it while it lives.
struct SshConnection {
    session: Session,
    answer: RoundTrip,
    syn: Packet,
    ends: [(Node, Socket); 2],
}

impl SshConnection {
    fn open(session: &Session, answer: RoundTrip, syn: Packet) -> Self {
        let near = answer.near;
        let far = answer.far;
        let client = Socket {
            local: SocketAddrV4::new(near.source, near.source_port),
            peer: SocketAddrV4::new(near.destination, near.destination_port),
        };
        let server = Socket {
            local: SocketAddrV4::new(far.destination, far.destination_port),
            peer: SocketAddrV4::new(far.source, far.source_port),
        };
        let ends = [(session.node, client), (answer.by, server)];
        let mut world = session.shared.lock();
        for (node, socket) in ends {
            world.machines.get_mut(node).sockets.push(socket);
        }
        drop(world);
        Self { session: session.clone(), answer, syn, ends }
    }

    async fn run(&self, options: &SshOptions, io: &Io) -> i32 {
        self.carry(KEY_EXCHANGE_BYTES).await;
        let (host_key, may_log_in) = {
            let world = self.session.shared.lock();
            let sshd = &world.machines.get(self.answer.by).sshd;
            (sshd.host_key.clone(), sshd.users.contains(&options.user))
        };
        if let Err(text) = host_key::check(&self.session, options, &host_key).await {
            return say(io, &text);
        }
        if !may_log_in {
            let SshOptions { user, host, .. } = options;
            return say(io, &format!("{user}@{host}: Permission denied (publickey)."));
        }
        if let Some(command) = &options.local_command {
            let local = ["/bin/sh", "-c", command].map(str::to_owned);
            let quiet_input =
                Io { stdin: std::sync::Arc::default(), input: Input::Ends, ..io.clone() };
            if run_argv(&self.session, &local, &quiet_input).await.is_err() {
                return FAILED;
            }
        }
        self.command(options, io).await
    }

    async fn command(&self, options: &SshOptions, io: &Io) -> i32 {
        let mut remote =
            Session::login(self.session.shared.clone(), self.session.clock, self.answer.by);
        let far = self.answer.far;
        let (from, to) = (far.source, far.destination);
        let (from_port, to_port) = (far.source_port, far.destination_port);
        let connection = format!("{from} {from_port} {to} {to_port}");
        remote.env.insert("SSH_CONNECTION".into(), connection);
        remote.env.insert("SSH_CLIENT".into(), format!("{from} {from_port} {to_port}"));
        let stdin = if options.null_stdin { std::sync::Arc::default() } else { io.stdin.clone() };
        let there = if self.attempt(segment(stdin.len())).await {
            Io { stdin, ..Io::default() }
        } else {
            // The command runs and waits for its input; what it says meanwhile is short enough.
            Io { input: Input::NeverEnds, ..io.clone() }
        };
        let code = if options.command.is_empty() {
            io.err("Pseudo-terminal will not be allocated because stdin is not a terminal.\r\n");
            sh::main(&remote, &["sh".to_owned()], &there).await
        } else {
            sh::command_line(&remote, &options.command.join(" "), &there).await
        };
        let (out, err) = (there.stdout.take(), there.stderr.take());
        self.carry(segment(out.len().max(err.len()))).await;
        io.stdout.write(&out);
        io.stderr.write(&err);
        code
    }

    /// Whether a segment of this size gets through, or a smaller one where a router asks for it:
    /// one that says nothing is not heard, and the segment is lost.
    async fn attempt(&self, bytes: u32) -> bool {
        let Payload::Syn { source_port, destination_port } = self.syn.payload else { return false };
        let mut packet =
            Packet { bytes, payload: Payload::Data { source_port, destination_port }, ..self.syn };
        let clock = self.session.clock;
        loop {
            let sent = packets::send(&mut self.session.shared.lock(), clock.now(), packet);
            match sent {
                Delivery::Answered(answer) => {
                    clock.sleep(answer.round_trip).await;
                    return true;
                }
                Delivery::Error { error: IcmpError::FragmentationNeeded { mtu }, .. }
                | Delivery::TooLong { mtu }
                    if mtu < packet.bytes =>
                {
                    packet.bytes = mtu;
                }
                // Only a packet here and there is lost: the kernel says it again.
                Delivery::Lost(Loss::Underlay) => clock.sleep(SEGMENT_AGAIN_AFTER).await,
                _ => return false,
            }
        }
    }

    /// Waits until a segment of this size gets through, which may be never: TCP repeats it, and
    /// nobody tells it why nothing comes back.
    async fn carry(&self, bytes: u32) {
        let mut wait = SEGMENT_AGAIN_AFTER;
        while !self.attempt(bytes).await {
            self.session.clock.sleep(wait).await;
            wait = (wait * 2).min(Duration::from_mins(2));
        }
    }
}

impl Drop for SshConnection {
    fn drop(&mut self) {
        let mut world = self.session.shared.lock();
        for (node, socket) in self.ends {
            world.machines.get_mut(node).sockets.retain(|open| *open != socket);
        }
    }
}

/// The largest packet that so many bytes of a session make.
fn segment(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(120).min(LARGEST_BYTES)
}
