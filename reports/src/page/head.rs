//! The top of the page: which lab, the verdict, and five tiles.

use maud::{Markup, html};

use super::words::{
    PageHead, Tone, count_assertions, describe_kind, is_asking, plural, show_seconds, show_time,
};
use crate::evidence::{Evidence, GateStatus, Restored, RunState, TeardownState, TornPart};
use crate::record::{ScenarioStatus, Verdict};

/// Which lab, and everything that makes the run less than a person's smoke of AWS.
pub fn ribbon(evidence: &Evidence) -> Markup {
    html! {
        ul.ribbon aria-label="Which lab" {
            @if let Some(run) = &evidence.run {
                li { b { (describe_kind(run.lab_kind)) } " · " (run.lab_name) }
            }
            @if let Some(it) = &evidence.target {
                li { "account " (it.account_id) " · " (it.region) }
                li { (it.network_interface_id) " · " (it.address) }
            }
            @if let Some(run) = &evidence.run { li { "run " (run.id) } }
            @if evidence.gate.self_granted {
                li.loud { "the lab granted itself the go: no person said yes" }
            }
            @for fault in evidence.run.iter().flat_map(|run| &run.faults) {
                li.loud { "injected fault: " (fault) }
            }
            @if let Some(filter) = evidence.run.iter().find_map(|run| run.filter.as_ref()) {
                li.loud { "only a part was judged: " (filter) }
            }
            @for it in evidence.operator.iter().flat_map(|it| &it.elsewhere) {
                li.loud { "not AWS: " (it.service) " at " (it.url) }
            }
        }
    }
}

/// The verdict in words, with the first cause and who asked for the run.
pub fn head(evidence: &Evidence, head: &PageHead) -> Markup {
    let asker = evidence.operator.as_ref().map(|it| it.caller.as_str());
    html! {
        section.head.(head.tone.class()) aria-labelledby="verdict" {
            h1 #verdict { (head.title) }
            p.lead { (head.sentence) }
            p.note {
                "verdict " code { (evidence.verdict.verdict.word()) }
                " · exit code " (evidence.verdict.exit_code)
                @if let Some(cause) = &evidence.cause {
                    " · cause " code { (cause.id) } ", record " (cause.record.record)
                }
                @if let Some(run) = &evidence.run {
                    " · begun " (show_time(run.started_at)) " by " (run.tool.name)
                    @if let Some(version) = &run.tool.version { " " (version) }
                    @if let Some(asker) = asker { " for " (asker) }
                    @else { " for the operator" }
                    @if let Some(at) = run.finished_at { " · ended " (show_time(at)) }
                }
            }
        }
    }
}

/// Five answers in one row.
pub fn tiles(evidence: &Evidence) -> Markup {
    html! {
        dl.tiles {
            (checks(evidence))
            @if is_asking(evidence) {
                (changed(evidence))
                (costs(evidence))
            } @else {
                (as_before(evidence))
                (left(evidence))
            }
            (instance_time(evidence))
            (go(evidence))
        }
    }
}

fn tile(name: &str, tone: Tone, value: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd.value.(tone.class()) { (value) }
            dd.note { (note) }
        }
    }
}

fn checks(evidence: &Evidence) -> Markup {
    let count = count_assertions(evidence);
    let not_run = evidence.scenarios.iter().filter(|it| it.status == ScenarioStatus::NotRun);
    let (value, tone) = match count {
        it if it.failed > 0 => (format!("{} failed", it.failed), Tone::Bad),
        it if it.unknown > 0 => (format!("{} unknown", it.unknown), Tone::Bad),
        it if it.passed > 0 => (format!("{} passed", it.passed), Tone::Good),
        _ => ("none made".to_owned(), Tone::Warn),
    };
    let mut note =
        format!("{} passed, {} failed, {} unknown", count.passed, count.failed, count.unknown);
    if count.skipped > 0 {
        note = format!("{note}, {} do not apply", count.skipped);
    }
    match not_run.count() {
        0 => {}
        more => note = format!("{note}; {} not run", plural(more, "scenario")),
    }
    tile("Checks", tone, &value, &note)
}

fn changed(evidence: &Evidence) -> Markup {
    let power = evidence.mutations.iter().filter(|it| it.effect.power().is_some()).count();
    let note = match power {
        0 => "it was only looked at".to_owned(),
        n => format!("looked at; instances started or stopped: {}", plural(n, "time")),
    };
    match evidence.restored {
        Restored::Untouched | Restored::Yes => tile("Changed so far", Tone::Good, "nothing", &note),
        Restored::No => tile("Changed so far", Tone::Bad, "something", "see below"),
        Restored::Unknown => tile("Changed so far", Tone::Bad, "not known", "see below"),
    }
}

fn costs(evidence: &Evidence) -> Markup {
    let of = |state| evidence.running.iter().filter(|it| it.state == state).count();
    let (running, unknown) = (of(RunState::Running), of(RunState::Unknown));
    let of = |part| {
        let planned = |state| matches!(state, TeardownState::Planned | TeardownState::NotDone);
        evidence.teardown.iter().filter(|it| it.part == part && planned(it.state)).count()
    };
    let (addresses, volumes) = (of(TornPart::Address), of(TornPart::Volume));
    let total = running + unknown + addresses + volumes;
    let mut parts = Vec::new();
    for (count, word) in [
        (running, "running instance"),
        (unknown, "instance of unknown state"),
        (addresses, "elastic IP address"),
        (volumes, "volume"),
    ] {
        if count > 0 {
            let all = if word.ends_with("address") && count > 1 {
                format!("{count} elastic IP addresses")
            } else {
                plural(count, word)
            };
            parts.push(all);
        }
    }
    let value = if total == 0 { "nothing known".to_owned() } else { plural(total, "thing") };
    let note = if parts.is_empty() { "no instance runs".to_owned() } else { parts.join(", ") };
    let tone = if total == 0 { Tone::Good } else { Tone::Warn };
    tile("Goes on costing", tone, &value, &note)
}

fn as_before(evidence: &Evidence) -> Markup {
    let ended = evidence.teardown.iter().any(|it| it.state == TeardownState::Done);
    let (tone, value, note) = match evidence.restored {
        Restored::Yes if ended => (Tone::Good, "yes", "but for what the go had ended for good"),
        Restored::Yes => (Tone::Good, "yes", "compared with preflight"),
        Restored::Untouched => (Tone::Good, "yes", "nothing was changed"),
        Restored::No => (Tone::Bad, "no", "see what you have to do"),
        Restored::Unknown => (Tone::Bad, "not known", "nobody has seen that it is"),
    };
    tile("Lab as before?", tone, value, note)
}

fn left(evidence: &Evidence) -> Markup {
    let runs = evidence.running.iter().filter(|it| it.state == RunState::Running).count();
    let runs = match runs {
        0 => String::new(),
        n => format!("; {} when last looked at", plural(n, "instance") + " ran"),
    };
    match evidence.residue.as_deref() {
        None if evidence.restored == Restored::Untouched => {
            tile("Left behind", Tone::Plain, "nothing made", &format!("nothing was begun{runs}"))
        }
        None => tile("Left behind", Tone::Warn, "not known", &format!("nobody has looked{runs}")),
        Some([]) => {
            let kept = evidence.kept.len();
            let note = match kept {
                0 => "nothing that costs".to_owned(),
                n => format!("{} kept, as the manifest says", plural(n, "thing")),
            };
            tile("Left behind", Tone::Good, "nothing", &format!("{note}{runs}"))
        }
        Some(items) => {
            let costs = items.iter().filter(|it| it.costs_money).count();
            let note = format!("{costs} of them cost money{runs}");
            tile("Left behind", Tone::Bad, &plural(items.len(), "thing"), &note)
        }
    }
}

fn instance_time(evidence: &Evidence) -> Markup {
    let cost = &evidence.cost;
    let allowed = match cost.max_instance_seconds {
        Some(max) => format!("{} allowed", show_seconds(max)),
        None => "no ceiling".to_owned(),
    };
    match cost.instance_seconds {
        None => tile("Instance time", Tone::Plain, "not counted", &allowed),
        Some(used) => {
            let over = cost.max_instance_seconds.is_some_and(|max| used > max);
            let tone = if over { Tone::Bad } else { Tone::Good };
            tile("Instance time", tone, &show_seconds(used), &allowed)
        }
    }
}

fn go(evidence: &Evidence) -> Markup {
    let gate = &evidence.gate;
    let principal = gate.verified.as_ref().map_or("nobody", |it| it.principal.as_str());
    let at = |at: Option<_>| at.map(show_time).unwrap_or_default();
    match gate.status {
        GateStatus::Awaiting if is_asking(evidence) => {
            tile("The go", Tone::Ask, "awaited", "from an allowed signer")
        }
        GateStatus::Awaiting if evidence.verdict.verdict == Verdict::Pass => {
            tile("The go", Tone::Plain, "not needed", "")
        }
        GateStatus::Awaiting => tile("The go", Tone::Plain, "none", "no go was looked at"),
        GateStatus::Refused => {
            let rule = gate.refused.as_ref().map_or("", |it| it.rule.as_str());
            tile("The go", Tone::Bad, "refused", &format!("{rule}, {}", at(gate.refused_at)))
        }
        GateStatus::Verified => {
            let note = format!("{principal}, {}", at(gate.verified_at));
            tile("The go", Tone::Warn, "given, not used", &note)
        }
        GateStatus::Burnt if gate.self_granted => {
            let note = format!("{principal}, {}", at(gate.burnt_at));
            tile("The go", Tone::Warn, "self-granted", &note)
        }
        GateStatus::Burnt => {
            let note = format!("{principal}, {}", at(gate.burnt_at));
            tile("The go", Tone::Good, "used", &note)
        }
    }
}
