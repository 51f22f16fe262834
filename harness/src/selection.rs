//! Which scenarios are judged, and why others run beside them. A filter selects what is judged;
//! it never leaves out what that needs, nor what must follow a mutation.

use libtest_mimic::{Arguments, Completion, Trial};
use reports::record::Part;
use scenarios::{Leg, SEQUENCE, Scenario, list_prerequisites};

use crate::engine::Selection;

/// Nothing would be judged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`-- {0}` selects no scenario; `lab-smoke list` names them")]
pub struct NothingMatches(String);

/// By libtest-mimic's own rules for filter, `--exact` and `--skip`.
pub fn select_scenarios(arguments: &Arguments) -> Result<Selection, NothingMatches> {
    let judged = |scenario: &Scenario| is_judged(arguments, scenario.name);
    let needed: Vec<&str> = SEQUENCE
        .iter()
        .filter(|scenario| judged(scenario))
        .flat_map(|scenario| list_prerequisites(scenario.name))
        .collect();
    let gated = SEQUENCE.iter().any(|scenario| {
        scenario.name == GATE && (judged(scenario) || needed.contains(&scenario.name))
    });
    let part = |scenario: &Scenario| {
        if judged(scenario) {
            Part::Judged
        } else if gated && scenario.leg == Leg::Back {
            Part::Followup
        } else if needed.contains(&scenario.name) {
            Part::Prerequisite
        } else {
            Part::Excluded
        }
    };
    let parts: Vec<_> = SEQUENCE.iter().map(|scenario| (scenario.name, part(scenario))).collect();
    let words = filter_words(arguments);
    if parts.iter().all(|(_, part)| *part != Part::Judged) {
        return Err(NothingMatches(words));
    }
    let whole = parts.iter().all(|(_, part)| *part == Part::Judged);
    Ok(Selection { filter: (!whole).then_some(words), parts })
}

/// From here on something may have been changed that has to be taken back.
const GATE: &str = "gate";

fn is_judged(arguments: &Arguments, name: &str) -> bool {
    let trial = Trial::ignorable_test(name, || Ok(Completion::Completed));
    !arguments.is_filtered_out(&trial) && !arguments.is_ignored(&trial)
}

/// The part of the arguments that selects, as it would be typed.
fn filter_words(arguments: &Arguments) -> String {
    let mut words: Vec<String> = Vec::new();
    let flags = [
        (arguments.exact, "--exact"),
        (arguments.ignored, "--ignored"),
        (arguments.bench, "--bench"),
    ];
    words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
    words.extend(arguments.skip.iter().map(|skip| format!("--skip {skip}")));
    words.extend(arguments.filter.clone());
    words.join(" ")
}

/// Notes that a reader must know before the first scenario: who else runs, and why.
pub fn explain_selection(selection: &Selection) -> Vec<String> {
    let names = |wanted: Part| -> Vec<&str> {
        let parts = selection.parts.iter().filter(|(_, part)| *part == wanted);
        parts.map(|(name, _)| *name).collect()
    };
    let mut notes = Vec::new();
    let (prerequisites, followups) = (names(Part::Prerequisite), names(Part::Followup));
    if !prerequisites.is_empty() {
        let names = prerequisites.join(", ");
        notes.push(format!("prerequisite: {names} (run because what is judged needs them)"));
    }
    if !followups.is_empty() {
        let names = followups.join(", ");
        notes.push(format!("followup: {names} (run because the gate is passed)"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn selected(words: &str) -> Result<Selection, NothingMatches> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        select_scenarios(&cli::parse_libtest_arguments(&words).expect("libtest words"))
    }

    /// One letter for each scenario, in order.
    fn letters(words: &str) -> String {
        let parts = selected(words).expect("something matches").parts;
        parts
            .iter()
            .map(|(_, part)| match part {
                Part::Judged => 'J',
                Part::Prerequisite => 'p',
                Part::Followup => 'f',
                Part::Excluded => '.',
            })
            .collect()
    }

    #[test]
    fn what_is_judged_brings_what_it_needs_and_what_must_follow() {
        // preflight undo-plan gate plan import approve dry-run execute, eleven acceptances,
        // undo restored teardown residue.
        for (words, expected) in [
            ("", "JJJJJJJJ JJJJJJJJJJJ JJJJ"),
            ("ping", "pppppppp .....J..... ffff"),
            ("preflight", "J....... ........... ...."),
            ("undo-plan", "pJ...... ........... ...."),
            ("plan", "pJpJ.... ........... ffff"),
            ("plan --exact", "pppJ.... ........... ffff"),
            ("gate --exact", "ppJ..... ........... ffff"),
            ("undo --exact", "ppp..... ........... Jfff"),
            ("residue", "ppp..... ........... fffJ"),
            ("--skip plan", "JpJpJJJJ JJJJJJJJJJJ JJJJ"),
            ("--skip gate", "JJpJJJJJ JJJJJJJJ.JJ JJJJ"),
            ("--skip undo --exact", "JJJJJJJJ JJJJJJJJJJJ fJJJ"),
            ("preflight --skip gate", "J....... ........... ...."),
            ("--skip no-such-scenario", "JJJJJJJJ JJJJJJJJJJJ JJJJ"),
        ] {
            assert_eq!(letters(words), expected.replace(' ', ""), "-- {words}");
        }
    }

    #[test]
    fn a_run_is_filtered_where_something_is_not_judged() {
        for (words, filter) in [
            ("", None),
            ("--skip no-such-scenario", None),
            ("ping", Some("ping")),
            ("ssh --exact --skip ping", Some("--exact --skip ping ssh")),
        ] {
            assert_eq!(selected(words).expect("matches").filter.as_deref(), filter, "{words}");
        }
    }

    #[test]
    fn a_filter_that_matches_nothing_is_refused() {
        for words in ["pong", "pin --exact", "ping --skip ping", "--ignored", "--bench"] {
            let error = selected(words).expect_err(words);
            assert!(error.to_string().contains("lab-smoke list"), "{error}");
        }
    }

    #[test]
    fn a_reader_is_told_who_else_runs() {
        assert_eq!(explain_selection(&selected("").expect("all")), Vec::<String>::new());
        let notes = explain_selection(&selected("plan --exact").expect("one"));
        assert_eq!(
            notes,
            [
                "prerequisite: preflight, undo-plan, gate (run because what is judged needs them)",
                "followup: undo, restored, teardown, residue (run because the gate is passed)",
            ]
        );
    }
}
