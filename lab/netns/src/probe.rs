//! Says, before anything is built, what this machine lacks for the kernel lab, and how to get it.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use lab_mock::faults::{self, Means};

/// A program that the lab starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    pub program: &'static str,
    /// Debian's package.
    pub package: &'static str,
}

/// Without one of these the lab cannot be built.
pub const TOOLS: [Tool; 17] = [
    Tool { program: "unshare", package: "util-linux" },
    Tool { program: "setsid", package: "util-linux" },
    Tool { program: "mount", package: "mount" },
    Tool { program: "pivot_root", package: "util-linux" },
    Tool { program: "hostname", package: "hostname" },
    Tool { program: "ip", package: "iproute2" },
    Tool { program: "ss", package: "iproute2" },
    Tool { program: "nft", package: "nftables" },
    Tool { program: "ssh", package: "openssh-client" },
    Tool { program: "sshd", package: "openssh-server" },
    Tool { program: "ping", package: "iputils-ping" },
    Tool { program: "conntrack", package: "conntrack" },
    Tool { program: "tcpdump", package: "tcpdump" },
    Tool { program: "iptables-legacy", package: "iptables" },
    Tool { program: "timeout", package: "coreutils" },
    Tool { program: "sha256sum", package: "coreutils" },
    Tool { program: "nsenter", package: "util-linux" },
];

/// Where programs are looked for: an ordinary user's PATH leaves the `sbin` folders out.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The options of `unshare` with which a lab is made: its own namespaces, in which an ordinary
/// user's processes have all capabilities and keep them over every `exec`.
pub const UNSHARE: [&str; 10] = [
    "--user",
    "--map-user=1000",
    "--map-group=1000",
    "--keep-caps",
    "--net",
    "--mount",
    "--ipc",
    "--pid",
    "--fork",
    "--kill-child=SIGKILL",
];

/// Those of a node's first process. Its user namespace is below the lab's: what the lab has mounted
/// read-only is so for good, and no process of the lab but the node's own can be looked into.
pub const NODE_UNSHARE: [&str; 10] = [
    "--user",
    "--map-user=1000",
    "--map-group=1000",
    "--keep-caps",
    "--net",
    "--mount",
    "--ipc",
    "--uts",
    "--propagation",
    "private",
];

/// The things that the kernel must let a lab do, each tried in namespaces of its own.
const TRIALS: [(&str, &str); 7] = [
    ("tmpfs", "mount -t tmpfs t /run"),
    (
        "user namespace below another, with a root file system of its own",
        "unshare --user --map-user=1000 --map-group=1000 --keep-caps --mount --propagation private \
         sh -c 'mount -t tmpfs t /run && cd /run && mkdir old && pivot_root . old'",
    ),
    ("veth", "ip link add name v1 type veth peer name v2"),
    ("bridge", "ip link add name b1 type bridge"),
    ("vxlan", "ip link add name x1 type vxlan id 1 local 127.0.0.1 remote 127.0.0.2 dstport 4789"),
    ("policy routing", "ip rule add fwmark 1 lookup 100"),
    (
        "nftables with arp, inet and conntrack",
        "nft 'table arp t { chain c { type filter hook input priority 0; }; }; \
         table inet t { counter n { }; chain c { type filter hook forward priority 0; \
         ct state established counter name n accept; }; }'",
    ),
];

/// One thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub what: String,
    pub remedy: String,
}

/// The things that the machine lacks; nothing is good news.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostReport {
    pub missing: Vec<Missing>,
}

impl HostReport {
    pub fn is_able(&self) -> bool {
        self.missing.is_empty()
    }

    fn lacks(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.missing.push(Missing { what: what.into(), remedy: remedy.into() });
    }
}

impl fmt::Display for HostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_able() {
            return f.write_str("the kernel lab can be built here");
        }
        f.write_str("the kernel lab cannot be built here:")?;
        for Missing { what, remedy } in &self.missing {
            write!(f, "\n  {what}: {remedy}")?;
        }
        Ok(())
    }
}

/// Looks at this machine; builds and leaves nothing.
pub fn probe_host() -> HostReport {
    let absent: Vec<Tool> =
        TOOLS.into_iter().filter(|tool| find_program(tool.program).is_none()).collect();
    let mut report = of_tools(&absent);
    if report.is_able() {
        report = of_kernel(&try_out());
    }
    report
}

/// The things that this machine lacks for one fault of a lab that can be built; nothing for most.
pub fn for_fault(text: &str) -> HostReport {
    let deeds = faults::find_deeds(text).ok().flatten().unwrap_or_default();
    let mut report = HostReport::default();
    if text.starts_with("underlay-")
        && let Trial::Failed { words } = in_namespaces("ip tuntap add dev t1 mode tun")
    {
        report.lacks(
            format!("the fault `{text}` needs a TUN device ({words})"),
            "a kernel with CONFIG_TUN, and /dev/net/tun for everyone",
        );
    }
    if deeds.iter().any(|deed| matches!(deed.means, Means::IptablesLegacy(_)))
        && let Trial::Failed { words } =
            in_namespaces("iptables-legacy -t nat -A POSTROUTING -j MASQUERADE")
    {
        report.lacks(
            format!("the fault `{text}` needs legacy iptables in the kernel ({words})"),
            "a kernel with ip_tables, iptable_nat and xt_MASQUERADE",
        );
    }
    report
}

/// The path of a program in [`PATH`].
pub fn find_program(program: &str) -> Option<std::path::PathBuf> {
    PATH.split(':').map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

/// How one trial in new namespaces ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trial {
    Worked,
    Failed { words: String },
}

/// The namespaces themselves, and then each trial.
struct Trials {
    namespaces: Trial,
    kernel: Vec<(&'static str, Trial)>,
}

fn of_tools(absent: &[Tool]) -> HostReport {
    let mut report = HostReport::default();
    for Tool { program, package } in absent {
        report.lacks(format!("no `{program}`"), format!("apt-get install {package}"));
    }
    report
}

fn of_kernel(trials: &Trials) -> HostReport {
    let mut report = HostReport::default();
    if let Trial::Failed { words } = &trials.namespaces {
        report.lacks(
            format!("no user, network, mount and pid namespaces ({words})"),
            "run as root, or let users make namespaces: sysctl kernel.unprivileged_userns_clone=1, \
             user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0; \
             in a container, more privileges",
        );
        return report;
    }
    for (what, trial) in &trials.kernel {
        if let Trial::Failed { words } = trial {
            report.lacks(
                format!("the kernel has no {what} ({words})"),
                "another kernel, or its module loaded by root",
            );
        }
    }
    report
}

fn try_out() -> Trials {
    let namespaces = in_namespaces("ip link set lo up && mount -t tmpfs t /run");
    let kernel = match namespaces {
        Trial::Worked => {
            TRIALS.into_iter().map(|(what, script)| (what, in_namespaces(script))).collect()
        }
        Trial::Failed { .. } => Vec::new(),
    };
    Trials { namespaces, kernel }
}

fn in_namespaces(script: &str) -> Trial {
    let output = Command::new("unshare")
        .args(UNSHARE)
        .args(["--mount-proc", "sh", "-c", script])
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Trial::Worked,
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            let first = words.lines().next().unwrap_or("it says nothing");
            Trial::Failed { words: first.to_owned() }
        }
        Err(error) => Trial::Failed { words: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(words: &str) -> Trial {
        Trial::Failed { words: words.to_owned() }
    }

    #[test]
    fn an_absent_program_is_named_with_its_package() {
        let report = of_tools(&[Tool { program: "nft", package: "nftables" }]);
        assert!(!report.is_able());
        let text = report.to_string();
        assert!(text.ends_with("\n  no `nft`: apt-get install nftables"), "{text}");
    }

    #[test]
    fn without_namespaces_nothing_else_is_complained_of() {
        let kernel = vec![("vxlan", failed("not supported"))];
        let report = of_kernel(&Trials { namespaces: failed("not permitted"), kernel });
        assert_eq!(report.missing.len(), 1);
        assert!(report.to_string().contains("(not permitted): run as root"), "{report}");
    }

    #[test]
    fn each_failed_trial_is_one_line_and_none_is_good_news() {
        let able = Trials { namespaces: Trial::Worked, kernel: vec![("veth", Trial::Worked)] };
        assert!(of_kernel(&able).is_able());
        let kernel = vec![("veth", Trial::Worked), ("vxlan", failed("Unknown device type"))];
        let report = of_kernel(&Trials { namespaces: Trial::Worked, kernel });
        assert_eq!(report.missing.len(), 1);
        assert!(report.to_string().contains("no vxlan (Unknown device type)"), "{report}");
    }

    #[test]
    fn programs_are_found_where_an_ordinary_users_path_does_not_lead() {
        assert!(find_program("sh").is_some());
        assert_eq!(find_program("no-such-program"), None);
    }
}
