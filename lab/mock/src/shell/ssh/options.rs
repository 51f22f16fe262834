//! ssh's command line.

use std::net::Ipv4Addr;
use std::time::Duration;

pub(super) struct SshOptions {
    pub user: String,
    pub host: String,
    pub port: u16,
    pub command: Vec<String>,
    pub known_hosts: Vec<String>,
    pub known_hosts_command: Option<String>,
    pub host_key_alias: Option<String>,
    pub strict: Strict,
    pub connect_timeout: Option<Duration>,
    /// Where it is permitted.
    pub local_command: Option<String>,
    pub null_stdin: bool,
    pub bind_address: Option<Ipv4Addr>,
}

/// `StrictHostKeyChecking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strict {
    Yes,
    AcceptNew,
    No,
}

pub(super) fn parse(args: &[&str]) -> Result<SshOptions, String> {
    let mut options = SshOptions {
        user: "lab".into(),
        host: String::new(),
        port: 22,
        command: Vec::new(),
        known_hosts: vec!["~/.ssh/known_hosts".into()],
        known_hosts_command: None,
        host_key_alias: None,
        // `ask` without a terminal is a refusal.
        strict: Strict::Yes,
        connect_timeout: None,
        local_command: None,
        null_stdin: false,
        bind_address: None,
    };
    let mut permit_local = false;
    let mut rest = args;
    while let [word, tail @ ..] = rest {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            if !options.host.is_empty() {
                break;
            }
            options.set_destination(word);
            rest = tail;
            continue;
        };
        if !options.host.is_empty() {
            break;
        }
        rest = tail;
        for (at, letter) in letters.char_indices() {
            if "nqT4".contains(letter) {
                options.null_stdin |= letter == 'n';
                continue;
            }
            if !"Fiopblm".contains(letter) {
                return Err(format!("unknown option -- {letter}\n{USAGE}"));
            }
            let inline = &letters[at + 1..];
            let value = match (inline.is_empty(), rest) {
                (false, _) => inline,
                (true, [value, tail @ ..]) => {
                    rest = tail;
                    value
                }
                (true, []) => {
                    return Err(format!("option requires an argument -- {letter}\n{USAGE}"));
                }
            };
            match letter {
                'o' => options.set(value, &mut permit_local)?,
                'p' => options.port = value.parse().map_err(|_| format!("Bad port '{value}'"))?,
                'l' => options.user = value.into(),
                'b' => options.bind_address = value.parse().ok(),
                _ => {}
            }
            break;
        }
    }
    if options.host.is_empty() {
        return Err(USAGE.into());
    }
    options.command = rest.iter().map(|word| (*word).to_owned()).collect();
    options.local_command = options.local_command.take().filter(|_| permit_local);
    Ok(options)
}

const USAGE: &str = "usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface]
           [-b bind_address] [-c cipher_spec] [-D [bind_address:]port]
           [-E log_file] [-e escape_char] [-F configfile] [-I pkcs11]
           [-i identity_file] [-J [user@]host[:port]] [-L address]
           [-l login_name] [-m mac_spec] [-O ctl_cmd] [-o option] [-p port]
           [-Q query_option] [-R address] [-S ctl_path] [-W host:port]
           [-w local_tun[:remote_tun]] destination [command [argument ...]]";

impl SshOptions {
    fn set_destination(&mut self, word: &str) {
        match word.rsplit_once('@') {
            Some((user, host)) => (self.user, self.host) = (user.into(), host.into()),
            None => self.host = word.into(),
        }
    }

    /// `-o KEY=VALUE`.
    fn set(&mut self, text: &str, permit_local: &mut bool) -> Result<(), String> {
        let (key, value) = text
            .split_once(['=', ' '])
            .ok_or_else(|| format!("command-line line 0: Bad configuration option: {text}"))?;
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "userknownhostsfile" => {
                self.known_hosts = value.split_whitespace().map(str::to_owned).collect();
            }
            "hostkeyalias" => self.host_key_alias = Some(value.into()),
            "knownhostscommand" => {
                self.known_hosts_command = Some(value.into()).filter(|v: &String| v != "none");
            }
            "stricthostkeychecking" => {
                self.strict = match value {
                    "yes" | "ask" => Strict::Yes,
                    "accept-new" => Strict::AcceptNew,
                    "no" | "off" => Strict::No,
                    _ => {
                        return Err(format!(
                            "command-line line 0: unsupported option \"{value}\"."
                        ));
                    }
                };
            }
            "connecttimeout" => {
                let seconds = value
                    .parse()
                    .map_err(|_| "command-line line 0: invalid time value.".to_owned())?;
                self.connect_timeout = Some(Duration::from_secs(seconds));
            }
            "permitlocalcommand" => *permit_local = value == "yes",
            "localcommand" => self.local_command = Some(value.into()),
            "user" => self.user = value.into(),
            "port" => self.port = value.parse().map_err(|_| format!("Bad port '{value}'"))?,
            "bindaddress" => self.bind_address = value.parse().ok(),
            known if WITHOUT_EFFECT.contains(&known) => {}
            _ => {
                return Err(format!(
                    "command-line: line 0: Bad configuration option: {}",
                    key.to_ascii_lowercase()
                ));
            }
        }
        Ok(())
    }
}

/// Options that change nothing that is modelled.
const WITHOUT_EFFECT: [&str; 22] = [
    "addressfamily",
    "batchmode",
    "checkhostip",
    "clearallforwardings",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "escapechar",
    "forwardagent",
    "globalknownhostsfile",
    "hostkeyalgorithms",
    "identitiesonly",
    "identityfile",
    "kexalgorithms",
    "loglevel",
    "passwordauthentication",
    "preferredauthentications",
    "requesttty",
    "serveralivecountmax",
    "serveraliveinterval",
    "updatehostkeys",
];
