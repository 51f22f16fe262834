//! `lab-smoke` on the kernel lab: the same scenarios, unchanged, with the kernel's packets, real sshd
//! and real processes. Ignored, with the reason, where this machine cannot build the lab; under
//! `LAB_SMOKE_REQUIRE_NETNS=1` it fails there instead. Every trial has labs of its own.

mod again;
mod ends;
mod kills;
mod owner;
pub mod place;
mod plants;
mod programs;

use lab_netns::probe::probe_host;
use libtest_mimic::{Completion, Failed, Trial};
use nix::sys::signal::Signal;
use reports::evidence::Evidence;
use reports::record::{FlowOutage, LabKind, Outage, OutageRecorded, Verdict};

use place::Place;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("the_whole_smoke_passes_in_the_kernel", whole_smoke),
        trial("a_run_killed_in_the_middle_is_recovered_in_the_kernel", killed_and_recovered),
        trial("a_lab_lives_by_itself_until_it_is_taken_down", lab_by_itself),
        trial("nothing_is_left_after/success", ends::success),
        trial("nothing_is_left_after/failure", ends::failure),
        trial("nothing_is_left_after/interrupt", ends::interrupt),
        trial("nothing_is_left_after/interrupt-while-built", ends::interrupt_while_it_is_built),
        trial("nothing_is_left_after/recover", ends::recover),
        trial(
            "nothing_is_left_after/killed-after-its-last-record",
            ends::killed_after_its_last_record,
        ),
        trial("nothing_is_left_after/killed-supervisor", ends::killed_supervisor),
        trial(
            "nothing_is_left_after/killed-supervisor-while-executing",
            ends::killed_supervisor_while_executing,
        ),
        trial("a_second_signal_leaves_the_lab_to_recover", ends::second_interrupt),
        trial("a_lab_that_is_gone_closes_the_run/dead", ends::gone_while_dead),
        trial("a_lab_that_is_gone_closes_the_run/parked", ends::gone_while_parked),
        trial(
            "one_run_after_the_other_passes_on_a_lab_that_stands",
            again::one_run_after_the_other_passes,
        ),
        trial("killed_at_any_moment_it_is_recovered_as_its_plan_says", kills::killed_at_any_moment),
        trial("the_dead_mans_switch_stops_what_a_killed_wait_left", kills::killed_in_the_wait),
        trial("owner/a_parked_lab_rests_and_is_woken_by_his_go", owner::parked_and_resumed),
        trial("owner/a_run_waits_for_his_go", owner::waited_for),
        trial("owner/he_says_no_by_recovery", owner::recovered_while_parked),
        trial("owner/a_stranger_grants_nothing", owner::a_stranger_grants_nothing),
        trial("owner/a_fault_waits_for_the_resumed_run", owner::a_fault_waits_for_the_resumed_run),
        trial(
            "a_manifest_stands_for_the_lab_that_it_describes",
            again::a_manifest_stands_for_the_lab_that_it_describes,
        ),
        trial(
            "a_fault_gets_the_time_that_it_needs_from_every_manifest",
            again::a_fault_gets_the_time_that_it_needs,
        ),
        trial(
            "a_lease_on_the_node_keeps_others_from_recovering",
            again::a_lease_on_the_node_keeps_others_from_recovering,
        ),
        trial(
            "a_lab_that_a_run_has_stopped_is_used_again",
            again::a_lab_that_a_run_has_stopped_is_used_again,
        ),
        trial(
            "a_lab_that_a_run_has_terminated_says_by_which",
            again::a_lab_that_a_run_has_terminated_says_by_which,
        ),
        trial("the_users_own_executor_is_used", programs::own_executor),
        trial(
            "an_executor_that_cannot_run_is_found_before_the_go",
            programs::an_executor_that_cannot_run_is_found_before_the_go,
        ),
        trial("what_makes_a_lab_is_for_one_that_is_made", programs::only_where_one_is_made),
        trial("a_recovery_does_what_was_granted", again::a_recovery_does_what_was_granted),
        trial("a_machine_that_cannot_is_said_before_anything_is_built", programs::unable),
    ];
    // Only root can become another user; who is not root has just done all of it unprivileged.
    if nix::unistd::geteuid().is_root() {
        trials.push(trial("an_ordinary_user_runs_the_whole_smoke", programs::ordinary_user));
        trials.push(trial("planted/a_synproxy_is_caught", plants::a_synproxy_is_caught));
        trials.push(trial(
            "planted/a_program_on_a_device_is_measured",
            plants::a_program_on_a_device_is_measured,
        ));
        trials.push(trial(
            "planted/a_program_that_answers_as_another_is_measured",
            plants::a_program_that_answers_as_another_is_measured,
        ));
        let plants = plants::PLANTS.iter();
        trials.extend(plants.map(|it| trial(&format!("planted/{}", it.name), || it.is_caught())));
    }
    trials.push(match programs::no_aws_cli() {
        None => trial("lab_exec_runs_the_aws_cli", programs::aws_cli),
        Some(why) => Trial::ignorable_test("netns::lab_exec_runs_the_aws_cli", move || {
            if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") {
                return Err(Failed::from(why));
            }
            Ok(Completion::ignored_with(why))
        }),
    });
    trials
}

fn trial(name: &str, run: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("netns::{name}"), move || {
        let report = probe_host();
        if report.is_able() {
            return run().map(|()| Completion::Completed).map_err(Failed::from);
        }
        if std::env::var("LAB_SMOKE_REQUIRE_NETNS").as_deref() == Ok("1") {
            return Err(Failed::from(report.to_string()));
        }
        Ok(Completion::ignored_with(report.to_string()))
    })
}

fn whole_smoke() -> Result<(), String> {
    let place = Place::new()?;
    place.call("run --lab netns --out run", 0)?;
    let evidence = place.evidence("run")?;
    let kind = evidence.run.as_ref().map(|run| run.lab_kind);
    if (kind, evidence.verdict.verdict) != (Some(LabKind::Netns), Verdict::Pass) {
        return Err(format!("{kind:?}: {:?}", evidence.verdict));
    }
    hashed_once(&evidence)?;
    outages(&evidence.outages)
}

/// All programs of routerd are one file there, of 100 MB.
fn hashed_once(evidence: &Evidence) -> Result<(), String> {
    let all = evidence.scenarios.iter().flat_map(|scenario| &scenario.assertions);
    let programs = all.clone().find(|it| it.id == "preflight.programs").ok_or("not judged")?;
    match programs.how.matches("sha256sum").count() {
        1 => Ok(()),
        times => Err(format!("hashed {times} times: {}", programs.how)),
    }
}

/// The address comes with `execute` and goes with `undo`, in both directions.
fn outages(outages: &[OutageRecorded]) -> Result<(), String> {
    let wrong = |what: &OutageRecorded| Err(format!("{what:?}"));
    let [execute, undo] = outages else { return Err(format!("{outages:?}")) };
    for (recorded, scenario) in [(execute, "execute"), (undo, "undo")] {
        let Outage::Measured { flows } = &recorded.outage else { return wrong(recorded) };
        let comes = |flow: &FlowOutage| flow.reachable_after_us.is_some();
        let goes = |flow: &FlowOutage| flow.unreachable_after_us.is_some();
        let known = |flow: &FlowOutage| flow.outage_us.is_some() && flow.noise_floor_us.is_some();
        let right = |flow: &FlowOutage| {
            known(flow) && comes(flow) == (scenario == "execute") && goes(flow) != comes(flow)
        };
        let whole = recorded.scenario == scenario && flows.len() == 2 && recorded.raw.len() == 2;
        if !whole || !flows.iter().all(right) {
            return wrong(recorded);
        }
    }
    Ok(())
}

/// `kill -9` in the middle of execute: the supervisor still holds the lab, and recovery finds it.
fn killed_and_recovered() -> Result<(), String> {
    let place = Place::new()?;
    let mut running = place.begin("run --lab netns --keep --out run")?;
    place.until_captured(&mut running)?;
    running.signal(Signal::SIGKILL)?;
    running.end()?;
    let before = place.captured_address_holder()?;
    place.call("recover run", 0)?;
    let after = place.captured_address_holder()?;
    place.call("lab down", 0)?;
    match after {
        None => Ok(()),
        Some(eni) => Err(format!("{eni} still has the address (before recovery: {before:?})")),
    }
}

fn lab_by_itself() -> Result<(), String> {
    let place = Place::new()?;
    let id = place.call("lab up netns", 0)?;
    let id = id.trim();
    let there = place.call("lab list", 0)?;
    let host = place.call("lab exec cloud-client -- hostname", 0)?;
    let shell = place.call(&format!("lab shell --id {id} onprem-client"), 0);
    // Nobody owns the captured address yet: the client's ARP request is not answered.
    let walk = place.call(&format!("lab explain --id {id} 10.88.60.7 onprem-client"), 1);
    let arrived = place.call(&format!("lab explain --id {id} cloud-client routerd-cloud"), 0);
    let unknown = place.call(&format!("lab explain --id {id} cloud-client nobody"), 2);
    place.call(&format!("lab down --id {id}"), 0)?;
    let gone = place.call("lab list", 0)?;
    shell?;
    if !there.contains(id) || gone.contains(id) {
        return Err(format!("{id} is not in {there:?}, or still in {gone:?}"));
    }
    if host.trim() != "cloud-client" {
        return Err("a command did not run on cloud-client".to_owned());
    }
    unknown?;
    let (walk, arrived) = (walk?, arrived?);
    let dropped = "dropped: the request, at cloud-client: nobody in the VPC has 10.88.60.9";
    if walk.contains(dropped) && arrived.contains("\narrived, and the answer as well\n") {
        place.has_no_lab()
    } else {
        Err(format!("{walk}\n{arrived}"))
    }
}
