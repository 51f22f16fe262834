//! `systemd-run` with a timer, and what `systemctl` says and does about it: exactly the dead man's
//! switch. Of any other timer nothing is known here.

use super::{Io, Session};
use crate::faults::SWITCH_STAYS;
use crate::machines::SwitchTimer;
use lab::shell::CHECK_SWITCH;
use lab_programs::services::TimerOrder;

/// `systemd-run --unit=NAME --on-active=SECONDS --on-unit-active=SECONDS COMMAND…`.
pub fn run_systemd(session: &Session, args: &[&str], io: &Io) -> i32 {
    if !session.is_root() {
        return io.fail(1, "Failed to start transient timer unit: Access denied");
    }
    let order = match TimerOrder::read(args) {
        Ok(order) => order,
        Err(why) => return io.fail(1, &why),
    };
    let command: Vec<&str> = order.command.iter().map(String::as_str).collect();
    let ["/bin/sh", "-c", CHECK_SWITCH, "sh", path] = command[..] else {
        return io.fail(1, "systemd-run: only the dead man's switch is known here");
    };
    let seconds = |it: u64| i64::try_from(it).unwrap_or(i64::MAX / 2000);
    let (first_seconds, every_seconds) =
        (seconds(order.first_seconds), seconds(order.every_seconds));
    let active_at = session.clock.now();
    let path = path.to_owned();
    let unit = order.unit.as_str();
    let timer = SwitchTimer { active_at, first_seconds, every_seconds, path, looked_at: None };
    let there = session.change(|machine| {
        let there = machine.timers.contains_key(unit);
        machine.timers.entry(unit.to_owned()).or_insert(timer);
        there
    });
    if there {
        let why = format!("Unit {unit}.timer was already loaded or has a fragment file.");
        return io.fail(1, &format!("Failed to start transient timer unit: {why}"));
    }
    0
}

/// `systemctl is-active --quiet UNIT`.
pub fn is_active(session: &Session, unit: &str) -> i32 {
    let timer = unit.strip_suffix(".timer");
    let there = session.machine(|it| timer.is_some_and(|name| it.timers.contains_key(name)));
    if there { 0 } else { 3 }
}

/// `systemctl stop UNIT`. A transient timer that is stopped is no unit any more.
pub fn stop(session: &Session, unit: &str, io: &Io) -> i32 {
    if !session.is_root() {
        return io.fail(1, &format!("Failed to stop {unit}: Access denied"));
    }
    if session.shared.lock().faults.injected.iter().any(|it| it == SWITCH_STAYS) {
        return io.fail(1, &format!("Failed to stop {unit}: Connection timed out"));
    }
    let loaded = session.change(|machine| match unit.rsplit_once('.') {
        Some((name, "timer")) => machine.timers.remove(name).is_some(),
        Some((name, "service")) => machine.timers.contains_key(name),
        _ => false,
    });
    if loaded { 0 } else { io.fail(5, &format!("Failed to stop {unit}: Unit {unit} not loaded.")) }
}

/// `systemctl poweroff`.
pub fn power_off(session: &Session, io: &Io) -> i32 {
    if !session.is_root() {
        return io.fail(1, "Call to PowerOff failed: Access denied");
    }
    let now = session.clock.now();
    let mut world = session.shared.lock();
    let id = world.machines.get(session.node).instance_id.clone();
    if let Some(instance) = id.and_then(|id| world.cloud.instances.get_mut(&id)) {
        instance.shut_itself_down(now);
        return 0;
    }
    drop(world);
    io.fail(1, "a machine on premises is not powered off here")
}
