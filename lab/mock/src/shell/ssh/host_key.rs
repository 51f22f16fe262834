//! The server's key against what the client knows.

use ssh_key::{HashAlg, PublicKey};

use super::options::{SshOptions, Strict};
use crate::shell::exec::run_argv;
use crate::shell::{Io, Session};

/// The knowledge that the client's files have of a host.
enum Known {
    Same,
    /// Another key stands there.
    Other {
        place: String,
    },
    Nothing,
}

/// Ok where the client goes on; else what it says.
pub(super) async fn check(
    session: &Session,
    options: &SshOptions,
    server_key: &str,
) -> Result<(), String> {
    let name = lookup_name(options);
    let mut known = Known::Nothing;
    for (place, text) in sources(session, options).await {
        match look(&text, &name, server_key, &place) {
            Known::Same => return Ok(()),
            other @ Known::Other { .. } => known = other,
            Known::Nothing => {}
        }
    }
    match (known, options.strict) {
        (Known::Other { place }, Strict::Yes | Strict::AcceptNew) => {
            Err(changed(&name, server_key, &place))
        }
        (Known::Nothing, Strict::Yes) => Err(format!(
            "No ED25519 host key is known for {name} and you have requested strict checking.\nHost key verification failed."
        )),
        _ => Ok(()),
    }
}

fn lookup_name(options: &SshOptions) -> String {
    match &options.host_key_alias {
        Some(alias) => alias.clone(),
        None if options.port == 22 => options.host.clone(),
        None => format!("[{}]:{}", options.host, options.port),
    }
}

/// Places and their texts, in the order that ssh reads them.
async fn sources(session: &Session, options: &SshOptions) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    if let Some(command) = &options.known_hosts_command {
        let argv: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let io = Io::default();
        if run_argv(session, &argv, &io).await == Ok(0) {
            let text = String::from_utf8_lossy(&io.stdout.take()).into_owned();
            sources.push(("KnownHostsCommand-HOSTNAME".to_owned(), text));
        }
    }
    for file in &options.known_hosts {
        let home = session.env.get("HOME").map_or("", String::as_str);
        let path = file.replacen('~', home, usize::from(file.starts_with('~')));
        if let Ok(bytes) = session.read(&path) {
            sources.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    sources
}

fn look(text: &str, name: &str, server_key: &str, place: &str) -> Known {
    let mut known = Known::Nothing;
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split_whitespace();
        let hosts = words.next().unwrap_or("");
        if hosts.starts_with('#') || !hosts.split(',').any(|host| host == name) {
            continue;
        }
        if words.collect::<Vec<_>>().get(..2).is_some_and(|key| key.join(" ") == server_key) {
            return Known::Same;
        }
        known = Known::Other { place: format!("{place}:{number}") };
    }
    known
}

fn changed(name: &str, server_key: &str, place: &str) -> String {
    let fingerprint = PublicKey::from_openssh(server_key)
        .map_or_else(|_| String::new(), |key| key.fingerprint(HashAlg::Sha256).to_string());
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
    format!(
        "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
{fingerprint}.
Please contact your system administrator.
Add correct host key in {file} to get rid of this message.
Offending ED25519 key in {place}
Host key for {name} has changed and you have requested strict checking.
Host key verification failed."
    )
}
