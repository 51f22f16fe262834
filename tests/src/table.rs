//! `docs/SENSITIVITY.md`, from the table of faults that the test has proved.

use std::fmt::Write as _;

use harness::faults::{KnownFault, list_faults};
use scenarios::SEQUENCE;
use scenarios::answers::{CheckOff, FaultAnswer, FaultClass, Left};
use scenarios::stops::{DETECTORS, WORDS};

use crate::coverage::OUT_OF_REACH;
use crate::sources;

const HEAD: &str = "# Every check can fail\n\n\
<!-- Rendered by tests/matrix/sensitivity.rs from the faults that it runs; INSTA_UPDATE=always writes it anew. -->\n\n\
Each fault is put into the mock lab and the whole smoke is run on it, with the ENI's source/dest check on before the\n\
run and with it off, and again where the manifest has the instances stopped or keeps them. Exactly what is listed here\n\
turns, and nothing else. `lab-smoke run --inject NAME` shows it, `--inject teardown=keep` the other teardowns.\n\
Where the instances stay, what is left on a node is listed as residue (6) in place of having gone with it (1, 4).\n";

/// The whole document.
pub fn render() -> String {
    let count = |class| list_faults().filter(|fault| fault.class == class).count();
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "\n{} faults: {} are caught, {} are tolerated.",
        list_faults().count(),
        count(FaultClass::Caught),
        count(FaultClass::Tolerated)
    );
    by_assertion(&mut text);
    by_detector(&mut text);
    by_fault(&mut text);
    by_source(&mut text);
    text
}

fn names(faults: impl Iterator<Item = &'static KnownFault>) -> String {
    let names: Vec<String> = faults.map(|fault| format!("`{}`", fault.name)).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn by_assertion(text: &mut String) {
    text.push_str(
        "\n## Assertions\n\n| assertion | is the first to say | says as well |\n|---|---|---|\n",
    );
    for id in SEQUENCE.iter().flat_map(|scenario| scenario.asserts) {
        let first = list_faults().filter(|fault| fault.primary.assertion() == Some(id));
        let also = list_faults().filter(|fault| fault.primary.assertion() != Some(id));
        let also = also.filter(|fault| answers(fault).any(|answer| answer.also.contains(id)));
        let _ = writeln!(text, "| `{id}` | {} | {} |", names(first), names(also));
    }
}

fn answers(fault: &KnownFault) -> impl Iterator<Item = FaultAnswer> {
    let other = |otherwise| match otherwise {
        CheckOff::Differs(answer) => Some(answer),
        CheckOff::Same | CheckOff::WithoutMeaning(_) => None,
    };
    let others = [fault.check_off, fault.stopped, fault.kept].map(other);
    [Some(fault.answer)].into_iter().chain(others).flatten()
}

fn by_detector(text: &mut String) {
    text.push_str("\n## Hard stops\n\n| stop | detector | trips first for | trips as well for |\n|---|---|---|---|\n");
    for detector in DETECTORS {
        let name = detector.name;
        let first = list_faults().filter(|fault| fault.primary.stop() == Some(name));
        let also = list_faults().filter(|fault| fault.primary.stop() != Some(name));
        let also = also.filter(|fault| answers(fault).any(|it| it.stops.contains(&name)));
        let why = OUT_OF_REACH.iter().find(|(other, _)| *other == name);
        let first =
            why.map_or_else(|| names(first), |(_, why)| format!("not reachable yet: {why}"));
        let words = WORDS[usize::from(detector.stop) - 1];
        let _ = writeln!(
            text,
            "| {} {words} | `{name}`: {} | {first} | {} |",
            detector.stop,
            detector.what,
            names(also)
        );
    }
}

fn by_fault(text: &mut String) {
    text.push_str("\n## Faults\n\n| fault | breaks | first answer | exit | with it | left as it is | from |\n|---|---|---|---|---|---|---|\n");
    for fault in list_faults() {
        row(text, fault, fault.answer, "");
        otherwise(text, fault, fault.check_off, ", check off before");
        otherwise(text, fault, fault.stopped, ", instances stopped");
        otherwise(text, fault, fault.kept, ", instances kept");
    }
}

fn otherwise(text: &mut String, fault: &KnownFault, otherwise: CheckOff, when: &str) {
    match otherwise {
        CheckOff::Same => {}
        CheckOff::Differs(answer) => row(text, fault, answer, when),
        CheckOff::WithoutMeaning(why) => {
            let _ = writeln!(text, "| `{}`{when} | no fault: {why} | | | | | |", fault.name);
        }
    }
}

fn by_source(text: &mut String) {
    text.push_str(
        "\n## Where they come from\n\n\
        What real smokes ran into (`contract F…`), the AWS SDK's pitfalls and the translations that the kernel lab\n\
        measured: each is covered by a fault, or it is said why it cannot occur in a smoke.\n\n\
        | source | what was found | faults |\n|---|---|---|\n",
    );
    for source in sources::all() {
        let faults = source
            .why_absent()
            .map_or_else(|| names(source.faults()), |why| format!("none: {why}"));
        let _ = writeln!(text, "| {} | {} | {faults} |", source.name, source.what);
    }
}

fn row(text: &mut String, fault: &KnownFault, answer: FaultAnswer, when: &str) {
    let argument = fault.argument.map(|it| format!("={it}")).unwrap_or_default();
    let list = |words: &[&str]| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    let stops: Vec<&str> =
        fault.primary.stop().into_iter().chain(answer.stops.iter().copied()).collect();
    let mut with = list(answer.also);
    if !stops.is_empty() {
        let before = if with.is_empty() { "" } else { "; " };
        let _ = write!(with, "{before}stop {}", list(&stops));
    }
    let left: Vec<&str> = answer.left.iter().copied().map(left_word).collect();
    let _ = writeln!(
        text,
        "| `{}{argument}`{when} | {} | `{}` | {} | {with} | {} | {}, {} |",
        fault.name,
        fault.breaks,
        fault.primary.as_str(),
        answer.exit_code,
        left.join(", "),
        fault.runbook,
        fault.source
    );
}

fn left_word(left: Left) -> &'static str {
    match left {
        Left::Interface => "the ENI",
        Left::Lock => "the lock",
        Left::ChangeSet => "the change set",
        Left::Instances => "an instance",
        Left::Addresses => "an elastic IP address",
        Left::Volumes => "a volume",
    }
}
