//! However a run ends, nothing of its lab is left on the host: namespaces, links, processes, mounts.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use reports::record::Verdict;

use super::place::{Place, block_on, words};
use crate::own::{Host, Own, holder, parent, processes, told};

const RUN: &str = "run --lab netns --out run";
/// Lets something happen to a run whose lab is there, and looks at what then must be gone.
fn after(
    line: &str,
    happens: impl FnOnce(&Place, super::place::Running) -> Result<(), String>,
) -> Result<(), String> {
    let place = Place::new()?;
    let before = Host::now();
    let mut running = place.begin(line)?;
    running.until("\"kind\":\"run-started\"")?;
    let own = Own::of(&place.lab()?);
    happens(&place, running)?;
    block_on(own.is_gone())?;
    before.is_unchanged()?;
    place.has_no_lab()
}

pub fn success() -> Result<(), String> {
    after(RUN, |_, running| running.ends_with(0))
}

/// By an executor that fails, and by a folder that holds another run.
pub fn failure() -> Result<(), String> {
    let place = Place::new()?;
    let broken = place.path("broken");
    std::fs::write(&broken, "#!/bin/sh\nexit 1\n").map_err(words)?;
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).map_err(words)?;
    after(&format!("{RUN} --executor {}", broken.display()), |_, running| {
        match running.end()?.code() {
            Some(1 | 4) => Ok(()),
            code => Err(format!("it ended with {code:?}")),
        }
    })?;
    std::fs::create_dir(place.path("run")).map_err(words)?;
    std::fs::write(place.path("run/journal.jsonl"), "").map_err(words)?;
    place.call(RUN, 2)?;
    place.has_no_lab()
}

pub fn interrupt() -> Result<(), String> {
    after(RUN, |_, mut running| {
        // The address is there, and has to go again.
        running.until("\"kind\":\"scenario-started\",\"data\":{\"scenario\":\"eni-address\"}")?;
        running.signal(Signal::SIGINT)?;
        running.ends_with(130)
    })
}

/// Before there is a run to interrupt.
pub fn interrupt_while_it_is_built() -> Result<(), String> {
    let place = Place::new()?;
    let before = Host::now();
    let mut running = place.begin(RUN)?;
    while std::fs::read_dir(place.labs()).map_err(words)?.count() == 0 {
        running.goes_on()?;
    }
    running.signal(Signal::SIGINT)?;
    running.ends_with(130)?;
    let labs = place.labs().display().to_string();
    let left: Vec<_> = processes().map(told).filter(|words| words.contains(&labs)).collect();
    if !left.is_empty() {
        return Err(format!("left: {left:?}"));
    }
    before.is_unchanged()?;
    place.has_no_lab()
}

/// In the middle of execute the harness dies; recovery brings the lab to its end.
pub fn recover() -> Result<(), String> {
    after(RUN, |place, mut running| {
        place.until_captured(&mut running)?;
        running.signal(Signal::SIGKILL)?;
        running.end()?;
        place.lab().map_err(|error| format!("the lab went with the harness: {error}"))?;
        place.call("recover run", 0).map(drop)
    })
}

/// Between its last record and the end of its lab, nobody else is left to end that: no command of ours
/// is called that might.
pub fn killed_after_its_last_record() -> Result<(), String> {
    after(RUN, |_, mut running| {
        running.until("\"kind\":\"run-finished\"")?;
        running.signal(Signal::SIGKILL)?;
        running.end().map(drop)
    })
}

/// The run finds its lab gone, and ends.
pub fn killed_supervisor() -> Result<(), String> {
    after(RUN, |place, running| {
        kill_supervisor(place)?;
        match running.end()?.code() {
            Some(0) | None => Err("it ended well, without a lab".to_owned()),
            Some(_) => Ok(()),
        }
    })
}

/// While an action is executed: what became of it can never be known, so that nobody asks for as long
/// as an executor may take.
pub fn killed_supervisor_while_executing() -> Result<(), String> {
    after(RUN, |place, mut running| {
        place.until_captured(&mut running)?;
        kill_supervisor(place)?;
        running.ends_with(6)?;
        let evidence = place.evidence("run")?;
        let verdict = &evidence.verdict;
        let unknown = "whether `routerctl action execute` on";
        let is_told = verdict.reasons.iter().any(|reason| {
            reason.starts_with(unknown)
                && reason.contains("the lab has ended: nobody is left to ask")
        });
        if verdict.verdict == Verdict::Residue && is_told {
            Ok(())
        } else {
            Err(format!("{verdict:?}"))
        }
    })
}

fn kill_supervisor(place: &Place) -> Result<(), String> {
    let outer = holder(&place.lab()?);
    let inner = processes().find(|pid| parent(*pid) == Some(outer)).ok_or("no supervisor")?;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(inner).map_err(words)?);
    nix::sys::signal::kill(pid, Signal::SIGKILL).map_err(words)
}

/// Interrupts a run in the middle of execute, twice.
fn interrupted_twice(place: &Place, mut running: super::place::Running) -> Result<(), String> {
    place.until_captured(&mut running)?;
    running.signal(Signal::SIGINT)?;
    running.until("\"kind\":\"interrupted\"")?;
    running.signal(Signal::SIGINT)?;
    running.ends_with(5)
}

/// The run is dead, and its lab is what `recover` asks for.
pub fn second_interrupt() -> Result<(), String> {
    after(RUN, |place, running| {
        interrupted_twice(place, running)?;
        place.lab().map_err(|error| format!("the lab went with the run: {error}"))?;
        place.call("recover run", 0).map(drop)
    })
}

/// Whoever took it down, or whatever ended it: nothing is left, and the run is closed.
fn is_closed_without_its_lab(place: &Place) -> Result<(), String> {
    place.call("lab down", 0)?;
    place.call("recover run", 0)?;
    place.call("recover run", 0)?;
    let status = place.call("status run", 0)?;
    let evidence = place.evidence("run")?;
    let told = evidence.verdict.reasons.iter().any(|it| it.contains("no process holds"));
    let state = status.lines().next().unwrap_or_default().ends_with(": ended");
    if told && state { Ok(()) } else { Err(format!("{status}\n{:?}", evidence.verdict)) }
}

pub fn gone_while_dead() -> Result<(), String> {
    after(RUN, |place, running| {
        interrupted_twice(place, running)?;
        is_closed_without_its_lab(place)
    })
}

pub fn gone_while_parked() -> Result<(), String> {
    let place = Place::new()?;
    place.call("preflight --lab netns --out run", 3)?;
    place.call("lab down", 0)?;
    place.call("resume run", 8)?;
    // A folder that says another machine proves nothing here.
    let file = place.path("run/run.json");
    let text = std::fs::read_to_string(&file).map_err(words)?;
    let mut there: serde_json::Value = serde_json::from_str(&text).map_err(words)?;
    there["host"] = "another-machine".into();
    std::fs::write(&file, there.to_string()).map_err(words)?;
    place.call("recover run", 8)?;
    std::fs::write(&file, text).map_err(words)?;
    place.call("recover run", 0)?;
    place.has_no_lab()
}
