//! `docs/CRASH-MATRIX.md`, from the tables that the tests go through.

use std::fmt::Write as _;

use lab_mock::faults::{Befall, EffectKind};

use crate::invariants::INVARIANTS;

const HEAD: &str = "# Whatever befalls a run, it can be finished\n\n\
<!-- Rendered by tests/matrix/crash.rs; INSTA_UPDATE=always writes it anew. -->\n\n\
`tests/matrix/crash.rs` takes every EC2 call, node command and journal append of a whole run, with the ENI's source/dest check\n\
on before it and off, and lets each of these befall it (a read, in one of the two); a run that died is recovered. Recoveries of six kinds of dead\n\
runs die in their turn, at every call, command and append; in one of them, with all in place, something else befalls\n\
each effect, of all kinds in turn. `tests/matrix/explore.rs` does several of them at once, from a seed,\n\
among other people's hands. After each the same invariants hold.\n\n\
Who is killed tidies nothing up: the journal so far and the lab as it is are all that is left. So deaths are not played one\n\
by one: while one process runs to its end, both are kept at every place where it could die, deaths between which nothing\n\
happened are one state, and each state is recovered. For some of them, drawn evenly, a process is killed there for\n\
real and must have left the same, byte for byte. `tests/program/recover.rs` kills the real program with signal 9 besides.\n\
The dead man's switch is among the effects of a run, as it is armed; as it is renewed and disarmed, and as a recovery wakes\n\
what it has stopped, `tests/program/corners.rs` goes through it.\n";

fn kind_in_words(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::ApiRead => "the harness reads EC2, STS, IAM",
        EffectKind::ApiChange => "the harness changes EC2",
        EffectKind::ExecutorRead => "the executor reads EC2",
        EffectKind::ExecutorChange => "the executor changes the ENI",
        EffectKind::NodeRead => "a command looks",
        EffectKind::NodeChange => "a command changes files or routerd's database",
        EffectKind::NodeAction => "a command executes or rolls back",
    }
}

fn befall_in_words(what: Befall) -> &'static str {
    match what {
        Befall::KilledBefore => "killed before it",
        Befall::KilledAfter => "killed after it, before its record",
        Befall::KilledMeanwhile => "killed, and it lands 40 s later",
        Befall::ReplyLost => "reply lost, done",
        Befall::RequestLost => "reply lost, not done",
        Befall::Throttled => "throttled",
        Befall::Stale => "a stale read",
        Befall::Garbage => "garbage",
        Befall::Hang => "hanging",
    }
}

/// The whole document.
pub fn render() -> String {
    let mut text = format!("{HEAD}\n| |");
    for what in Befall::ALL {
        let _ = write!(text, " {} |", befall_in_words(what));
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(Befall::ALL.len()));
    for kind in EffectKind::ALL {
        let _ = write!(text, "| {} |", kind_in_words(kind));
        for what in Befall::ALL {
            let applies = if kind.befalls().contains(&what) { "yes" } else { "–" };
            let _ = write!(text, " {applies} |");
        }
        text.push('\n');
    }
    text.push_str(
        "\nA read is stale only after the first change of EC2. A journal append is killed before it, in the middle of its\n\
         line and after it, or finds the disk full but for what is reserved, or the journal moved away by somebody: of the appends\n\
         between two effects the first and the last do, since nothing is asked for between them.\n\n## Invariants\n\n",
    );
    for (name, _) in INVARIANTS {
        let _ = writeln!(text, "- {name}");
    }
    text.push_str("\n`tests/matrix/invariants.rs` breaks the harness once for each, on purpose, and each complains.\n");
    text
}
