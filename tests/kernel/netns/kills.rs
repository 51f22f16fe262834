//! `kill -9` at random moments of a run in the kernel, with a manifest of the operator's own:
//! whatever it left, recovery brings the lab to where the granted plan says.

use std::process::Stdio;

use lab_mock::cloud::InstanceState;
use lab_smoke_tests::extent::{number, say_left_out};
use nix::sys::signal::Signal;
use reports::journal::JOURNAL_FILE;

use super::place::{Place, block_on, words};

/// The words of the manifest about the instances, and what these are in the end.
const TEARDOWNS: [(&str, InstanceState); 2] =
    [("stop", InstanceState::Stopped), ("keep", InstanceState::Running)];

/// Fewer than the records of any whole run; what has ended by then is another draw.
const RECORDS: usize = 320;

const KILLS: usize = 6;

pub fn killed_at_any_moment() -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(number("LAB_SMOKE_KILLS_SEED", 1, 1));
    let kills = number("LAB_SMOKE_NETNS_KILLS", 1, KILLS);
    say_left_out("moments at which a run in the kernel is killed", kills, KILLS);
    let (mut killed, mut complaints) = (0, Vec::new());
    while killed < kills {
        let (teardown, wanted) = TEARDOWNS[usize::from(killed % 2 == 1)];
        let (after, spins) = (random.usize(1..RECORDS), random.u32(..4_000_000));
        let place = Place::new()?;
        let judged = match kill_after(&place, teardown, after, spins)? {
            Moment::TooLate => None,
            Moment::InTime => Some(is_as_planned(&place, wanted)),
        };
        place.call("lab down", 0)?;
        place.has_no_lab()?;
        let Some(judged) = judged else { continue };
        killed += 1;
        if let Err(why) = judged {
            complaints.push(format!("{teardown}, killed after record {after} + {spins}: {why}"));
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

/// Seconds of the dead man's switch in a wait, in work, and between two looks.
const SWITCH: (&str, &str) = ("LAB_SMOKE_NETNS_SWITCH", "8,120,1");
const STOPPED_WITHIN: std::time::Duration = std::time::Duration::from_secs(8 + 60);

/// `kill -9` of a run that waits for its go: the timers on the nodes power them off, EC2 says who did it,
/// and recovery closes the run.
pub fn killed_in_the_wait() -> Result<(), String> {
    let place = Place::new()?;
    let mut wait = place.words("run --lab netns --out run --wait-go 9m");
    let mut wait = wait.env(SWITCH.0, SWITCH.1).stdout(Stdio::null()).spawn().map_err(words)?;
    let armed = |text: &str| text.matches("\"kind\":\"arm-switch\"").count() == 2;
    let asked = || {
        let text = std::fs::read_to_string(place.path("run").join(JOURNAL_FILE));
        text.is_ok_and(|text| armed(&text) && text.matches("off at").count() == 2)
    };
    until(std::time::Duration::from_secs(90), "the wait is armed", asked)?;
    wait.kill().and_then(|()| wait.wait()).map_err(words)?;
    let states = || -> Result<Vec<(InstanceState, String)>, String> {
        let world = block_on(lab_netns::read_world(&place.lab()?))?.map_err(words)?;
        let reason = |it: &lab_mock::cloud::Instance| {
            it.state_reason.as_ref().map(|reason| reason.code.clone()).unwrap_or_default()
        };
        let all = world.cloud.instances.values();
        Ok(all.map(|it| (it.state_at(lab::clock::Clock::System.now()), reason(it))).collect())
    };
    let off = (InstanceState::Stopped, "Client.InstanceInitiatedShutdown".to_owned());
    until(STOPPED_WITHIN, "all is stopped by the switch", || {
        states().is_ok_and(|states| states.iter().all(|it| *it == off))
    })?;
    let status = place.call("status run", 0)?;
    if !status.contains(": parked") && !status.contains("awaiting-go") {
        return Err(format!("its status is {status}"));
    }
    place.call("recover run", 0)?;
    place.has_no_lab()
}

/// Looks again until it is so.
fn until(limit: std::time::Duration, what: &str, is: impl Fn() -> bool) -> Result<(), String> {
    let since = lab::clock::Clock::System.stopwatch();
    while !is() {
        if since.elapsed() > limit {
            return Err(format!("not within {limit:?}: {what}"));
        }
        block_on(async {
            lab::clock::Clock::System.sleep(std::time::Duration::from_millis(300)).await;
        })?;
    }
    Ok(())
}

enum Moment {
    InTime,
    TooLate,
}

/// On a lab that outlives the run.
fn kill_after(place: &Place, teardown: &str, records: usize, spins: u32) -> Result<Moment, String> {
    place.call("lab up netns --time-to-live 10m", 0)?;
    let text = std::fs::read_to_string(place.lab()?.path().join("lab.toml")).map_err(words)?;
    let mut manifest: toml::Table = toml::from_str(&text).map_err(words)?;
    let of_the_instances = manifest["teardown"].as_table_mut().ok_or("no [teardown]")?;
    of_the_instances.insert("instances".to_owned(), teardown.into());
    std::fs::write(place.path("own.toml"), manifest.to_string()).map_err(words)?;
    let mut running = place.begin("run --lab own.toml --out run")?;
    running.read_records(records)?;
    (0..spins).for_each(|_| std::hint::spin_loop());
    running.signal(Signal::SIGKILL)?;
    running.end()?;
    let journal = std::fs::read_to_string(place.path("run").join(JOURNAL_FILE)).map_err(words)?;
    let ended = journal.contains("\"kind\":\"run-finished\"");
    Ok(if ended { Moment::TooLate } else { Moment::InTime })
}

fn is_as_planned(place: &Place, wanted: InstanceState) -> Result<(), String> {
    let journal = std::fs::read_to_string(place.path("run").join(JOURNAL_FILE)).map_err(words)?;
    let burnt = journal.contains("\"kind\":\"go-burnt\"");
    // An approved row of routerd's cannot be withdrawn: then its owner is told, with 6.
    let recovered = place.call("recover run", 0).or_else(|why| {
        let residue = place.evidence("run")?.residue.unwrap_or_default();
        let rows_alone =
            !residue.is_empty() && residue.iter().all(|it| it.resource.contains("row"));
        let told = rows_alone && place.call("recover run", 6).is_ok();
        if told { Ok(String::new()) } else { Err(format!("{why}{residue:?}")) }
    });
    recovered?;
    if let Some(eni) = place.captured_address_holder()? {
        return Err(format!("{eni} still has the address"));
    }
    let world = block_on(lab_netns::read_world(&place.lab()?))?.map_err(words)?;
    if let Some(eni) = world.cloud.network_interfaces.values().find(|it| !it.source_dest_check) {
        return Err(format!("the check of {} is off", eni.id));
    }
    let states: Vec<_> = world.cloud.instances.values().map(|it| it.state_at(world.now)).collect();
    let right = if burnt {
        states.iter().all(|state| *state == wanted)
    } else {
        // No plan was granted: nothing has ended for good.
        !states.contains(&InstanceState::Terminated)
    };
    if right { Ok(()) } else { Err(format!("burnt: {burnt}; the instances are {states:?}")) }
}
