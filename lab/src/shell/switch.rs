//! The commands of the dead man's switch: a transient timer of systemd on a node, which powers it off
//! once its uptime has come to what stands in a file. The uptime, and no time of day: a clock that is
//! set neither fires nor delays it.

use std::time::Duration;

use super::action::QUICK;
use super::observe::words;
use super::{Action, Observe, Unread};
use crate::node::Output;

/// The timer's and its service's name, and the file that they look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchUnit {
    pub name: &'static str,
    pub path: &'static str,
}

/// The unit of every node: the file lies where nothing outlives a start.
pub(crate) const SWITCH: SwitchUnit =
    SwitchUnit { name: "lab-smoke-stop", path: "/run/lab-smoke/stop-at" };

/// The service's script, which gets the file's path: what is not there or no number powers off.
pub const CHECK_SWITCH: &str =
    "test \"$(cut -d. -f1 /proc/uptime)\" -lt \"$(cat \"$1\")\" || systemctl poweroff";

/// The instance that the machine says that it is: INSTANCE UNIT FILE SECONDS EVERY SCRIPT METADATA.
/// The file first: a timer that finds none powers off. `shutdown +N` would keep everybody from logging
/// in five minutes before.
const ARM: &str = "set -e; umask 077
token=$(curl -sS -f -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
\"$7/latest/api/token\" 2>/dev/null) || token=
is=
if test -n \"$token\"; then
is=$(curl -sS -f -m 2 -H \"X-aws-ec2-metadata-token: $token\" \
\"$7/latest/meta-data/instance-id\" 2>/dev/null) || is=
fi
if test -z \"$is\"; then
is=$(cat /sys/devices/virtual/dmi/id/board_asset_tag 2>/dev/null) || is=
fi
if test \"$is\" != \"$1\"; then
echo \"this machine says that it is ${is:-no instance}, and not $1\" >&2
exit 3
fi
up=$(cut -d. -f1 /proc/uptime)
mkdir -p /run/lab-smoke
expr \"$up\" + \"$4\" > \"$3.new\"
mv \"$3.new\" \"$3\"
systemctl is-active --quiet \"$2.timer\" || systemd-run --quiet --collect --unit=\"$2\" \
--on-active=\"$5\" --on-unit-active=\"$5\" --timer-property=AccuracySec=1s \
/bin/sh -c \"$6\" sh \"$3\"
systemctl is-active --quiet \"$2.timer\"
echo \"uptime $up, off at\"
cat \"$3\"";

/// One atomic write: UNIT FILE SECONDS. Where the timer is gone it fails, and is armed anew.
const RENEW: &str = "set -e; umask 077
up=$(cut -d. -f1 /proc/uptime)
expr \"$up\" + \"$3\" > \"$2.new\"
mv \"$2.new\" \"$2\"
systemctl is-active --quiet \"$1.timer\"
echo \"uptime $up, off at\"
cat \"$2\"";

/// The timer first, for a missing file powers off: UNIT FILE.
const DISARM: &str = "set -e
if systemctl is-active --quiet \"$1.timer\"; then systemctl stop \"$1.timer\"; fi
systemctl stop \"$1.service\" 2>/dev/null || true
if systemctl is-active --quiet \"$1.timer\"; then echo \"$1.timer is active still\" >&2; exit 3; fi
rm -f \"$2\"";

/// Whether the timer runs, the uptime, and the uptime at which it powers off: UNIT FILE.
const SHOW: &str =
    "if systemctl is-active --quiet \"$1.timer\"; then echo active; else echo inactive; fi
cut -d. -f1 /proc/uptime
cat \"$2\" 2>/dev/null || echo none";

const METADATA: &str = "http://169.254.169.254";

/// The state of a node's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SwitchSeen {
    pub active: bool,
    /// Seconds until it powers off; none where the file does not say.
    pub left_seconds: Option<u64>,
}

impl SwitchSeen {
    fn read(output: &Output) -> Result<Self, Unread> {
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let active = match lines.next() {
            Some("active") => true,
            Some("inactive") => false,
            _ => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(Unread::Ended { code: output.code, said });
            }
        };
        let mut number = || lines.next().and_then(|line| line.trim().parse::<u64>().ok());
        let (up, off) = (number(), number());
        let left_seconds = up.zip(off).map(|(up, off)| off.saturating_sub(up));
        Ok(Self { active, left_seconds })
    }
}

fn as_root(script: &str, name: &str, arguments: &[&str]) -> Vec<String> {
    let mut argv = words(&["sudo", "-n", "sh", "-c", script, name]);
    argv.extend(words(arguments));
    argv
}

fn in_seconds(time: Duration) -> String {
    time.as_secs().max(1).to_string()
}

impl Action {
    /// Arms the switch of a machine that is this instance, or renews the one that is armed there; it
    /// looks as often as that.
    pub(crate) fn arm_switch(
        instance_id: &str,
        unit: &SwitchUnit,
        deadline: Duration,
        every: Duration,
    ) -> Self {
        let (deadline, every) = (in_seconds(deadline), in_seconds(every));
        let arguments =
            [instance_id, unit.name, unit.path, &deadline, &every, CHECK_SWITCH, METADATA];
        Self::new(as_root(ARM, "arm-switch", &arguments), QUICK)
    }

    pub(crate) fn renew_switch(unit: &SwitchUnit, deadline: Duration) -> Self {
        let arguments = [unit.name, unit.path, &in_seconds(deadline)];
        Self::new(as_root(RENEW, "renew-switch", &arguments), QUICK)
    }

    pub(crate) fn disarm_switch(unit: &SwitchUnit) -> Self {
        Self::new(as_root(DISARM, "disarm-switch", &[unit.name, unit.path]), QUICK)
    }
}

impl Observe {
    /// The state of the node's dead man's switch.
    pub(crate) fn switch(unit: &SwitchUnit) -> Observe<Result<SwitchSeen, Unread>> {
        let argv = as_root(SHOW, "show-switch", &[unit.name, unit.path]);
        Self::new(argv, super::observe::QUICK).read_as(|output| SwitchSeen::read(&output))
    }
}

#[cfg(test)]
mod tests;
