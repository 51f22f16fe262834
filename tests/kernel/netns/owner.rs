//! The owner's go on the kernel lab: asked for, waited for, given and used; and what rests
//! meanwhile.

use std::process::Command;

use reports::journal::read_file;
use reports::record::Kind;

use super::place::{Place, block_on, said, words};
use crate::own::Own;

const OWNER: &str = "owner@example.com";

/// With the owner's key, and a file that names him.
fn place() -> Result<Place, String> {
    let place = Place::new()?;
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place.path("owner"));
    said(&mut keygen, 0)?;
    let public = std::fs::read_to_string(place.path("owner.pub")).map_err(words)?;
    let line = format!("{OWNER} namespaces=\"lab-smoke-go\" {public}");
    std::fs::write(place.path("signers"), line).map_err(words)?;
    Ok(place)
}

fn grant(place: &Place) -> Result<(), String> {
    place.call(&format!("go run --key owner --by {OWNER} --expires 2h"), 0).map(drop)
}

fn stands(place: &Place, wanted: &str) -> Result<(), String> {
    let status = place.call("status run", 0)?;
    let state = status.lines().next().unwrap_or_default().rsplit(' ').next().unwrap_or_default();
    if state == wanted { Ok(()) } else { Err(format!("{wanted} was expected:\n{status}")) }
}

fn was_granted_by_the_owner(place: &Place) -> Result<(), String> {
    let records = read_file(&place.path("run")).map_err(words)?.records;
    let by_him = records.iter().any(|record| {
        matches!(&record.kind, Kind::GoVerified(go) if go.principal == OWNER && !go.self_granted)
    });
    if by_him { Ok(()) } else { Err("the go was not the owner's".to_owned()) }
}

/// Preflight parks the lab, which then costs nothing and answers nobody; resume wakes it.
pub fn parked_and_resumed() -> Result<(), String> {
    let place = place()?;
    place.call("preflight --lab netns --allowed-signers signers --out run", 3)?;
    stands(&place, "parked")?;
    let own = Own::of(&place.lab()?);
    // On premises nothing was stopped; in the cloud nobody is there.
    place.call("lab exec onprem-router -- true", 0)?;
    place.call("lab exec routerd-cloud -- true", 255)?;
    place.call("lab exec cloud-client -- true", 255)?;
    // Without a go nothing is started.
    place.call("resume run", 3)?;
    place.call("lab exec routerd-cloud -- true", 255)?;
    grant(&place)?;
    place.call("resume run", 0)?;
    was_granted_by_the_owner(&place)?;
    stands(&place, "ended")?;
    block_on(own.is_gone())?;
    place.has_no_lab()
}

/// Its nodes are woken in stages, the overlay before sshd can be asked or long after it: what is seen in
/// the end is what the owner saw.
pub fn woken_in_stages() -> Result<(), String> {
    for boot in ["sshd:5s,overlay:40s,routerd:20s", "sshd:40s,routerd:5s,overlay:20s"] {
        let place = place()?;
        let line = "preflight --lab netns --allowed-signers signers --out run --inject slow-boot";
        place.call(&format!("{line}={boot}"), 3)?;
        stands(&place, "parked")?;
        grant(&place)?;
        place.call("resume run", 0)?;
        stands(&place, "ended")?;
    }
    Ok(())
}

/// In one command, on a lab that is there and stays.
pub fn waited_for() -> Result<(), String> {
    let place = place()?;
    let id = place.call("lab up netns --time-to-live 10m --allowed-signers signers", 0)?;
    let id = id.trim();
    let line = format!("run --lab netns:{id} --out run --wait-go 5m --leave-running");
    let mut running = place.begin(&line)?;
    running.until("\"kind\":\"undo-planned\"")?;
    // undo-plan may not have ended yet: only a run that awaits its go can be granted one.
    while grant(&place).is_err() {
        running.goes_on()?;
    }
    let ended = running.ends_with(0);
    let stayed = place.lab().map(drop);
    place.call(&format!("lab down --id {id}"), 0)?;
    ended.and(stayed)?;
    was_granted_by_the_owner(&place)?;
    place.has_no_lab()
}

/// That is how an owner says no.
pub fn recovered_while_parked() -> Result<(), String> {
    let place = place()?;
    place.call("preflight --lab netns --allowed-signers signers --out run", 3)?;
    let own = Own::of(&place.lab()?);
    place.call("recover run", 0)?;
    block_on(own.is_gone())?;
    place.has_no_lab()?;
    place.call("recover run", 0)?;
    stands(&place, "ended")
}

/// Signers that the lab was not made with grant nothing.
pub fn a_stranger_grants_nothing() -> Result<(), String> {
    let place = place()?;
    place.call("preflight --lab netns --out run", 3)?;
    let refused = place.call(&format!("go run --key owner --by {OWNER} --expires 2h"), 2);
    let waits = place.call("resume run", 3);
    place.call("recover run", 0)?;
    refused?;
    waits.map(drop)
}

/// A fault that waits for a command of the second part is told of it there.
pub fn a_fault_waits_for_the_resumed_run() -> Result<(), String> {
    let place = place()?;
    let line = "preflight --lab netns --allowed-signers signers --inject security-group-closes";
    place.call(&format!("{line} --out run"), 3)?;
    grant(&place)?;
    place.call("resume run", 6)?;
    let evidence = place.evidence("run")?;
    let ping = "ping.cloud-to-onprem failed";
    let told = evidence.verdict.reasons.iter().any(|reason| reason.contains(ping));
    place.has_no_lab()?;
    if told { Ok(()) } else { Err(format!("{:?}", evidence.verdict)) }
}
