//! The owner's go, end to end on the mock: the way it is meant to be given, and the ways to cheat,
//! each of which is refused by the rule that its table names and mutates nothing.
//!
//! Needs ssh-keygen; without it every trial is ignored with the reason, and fails where
//! `LAB_SMOKE_REQUIRE_FOREIGN=1`.

mod case;
mod cheats;
mod flows;
mod forged;
mod guide;
mod place;
mod sealed;

use std::process::Command;

use cheats::{CHEATS, CHEATS_SEEN_AT_THE_GATE, EDITS, at_the_gate, cheat};
use libtest_mimic::{Completion, Failed, Trial};

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("a_go_that_is_given_is_used_once", flows::given_and_used),
        trial("cheat/two-burnt-goes", flows::two_burnt_goes),
        trial("resume_says_that_stop_7_is_disarmed_or_armed", flows::armed),
        trial("the_wait_ends_with_the_go_the_wait_or_stop_7", flows::waiting),
        trial("without_consent_nothing_is_stopped_and_the_commands_are_said", flows::no_consent),
        trial("a_lab_that_another_run_holds_is_left_alone", flows::held),
        trial("nodes_that_come_up_in_stages_are_what_he_saw", flows::woken_in_stages),
        trial("the_facts_are_the_same_later_and_other_on_a_changed_lab", flows::facts),
        trial("cheat/preflight-repeated-on-a-changed-lab", flows::repeated_on_a_changed_lab),
        trial("a_run_is_resumed_after_the_public_addresses_changed", flows::addresses_changed),
        trial("an_earlier_go_is_kept_beside_the_new_one", flows::given_again),
        trial("a_run_that_awaits_nothing_takes_no_go", flows::not_pending),
        trial("status_says_where_a_run_is", flows::status),
        trial("what_is_printed_runs_as_it_is", flows::printed_commands),
        trial("a_go_can_be_waited_for_by_resume", flows::resume_waits),
        trial("signers_and_consent_are_read_outside_the_folder", flows::manifests),
        trial("an_edited_journal_is_no_run", flows::edited_journal),
        trial("a_signal_while_pending_parks", flows::signal),
        trial("the_owners_guide_shows_what_happens", guide::transcripts),
        trial("a_mock_go_is_not_good_on_a_real_lab", flows::real_lab),
        trial("forged/what_is_shown_is_not_what_is_signed", forged::shown_is_not_signed),
        trial("forged/another_plan_is_shown_and_signed", forged::another_plan_is_signed),
        trial("forged/burnt_by_nobody_ends_nothing", forged::burnt_by_nobody),
        trial("forged/says_nothing_to_the_terminal", forged::says_nothing_to_the_terminal),
        trial("a_go_that_the_node_never_saw_begins_nothing", forged::a_go_that_was_never_burnt),
        trial("a_node_that_the_plan_ended_leaves_the_signature", forged::the_node_is_gone),
        trial("recover_goes_by_the_runs_own_manifest", forged::recovered_with_a_changed_manifest),
        trial("sealed/by_the_operator_and_countersigned", sealed::sealed_and_countersigned),
        trial("sealed/what_fails_changes_nothing", sealed::a_seal_that_fails_changes_nothing),
    ];
    for (name, rule, edit) in EDITS {
        trials.push(trial_of(&format!("edited/{name}/unsigned"), move || {
            cheat("signature", |case| case.edit(*edit).write());
        }));
        trials.push(trial_of(&format!("edited/{name}/signed-again"), move || {
            cheat(rule, |case| case.edit(*edit).sign());
        }));
    }
    for (name, rule, how) in CHEATS {
        trials.push(trial_of(&format!("cheat/{name}"), move || cheat(rule, how)));
    }
    for (name, rule, how) in CHEATS_SEEN_AT_THE_GATE {
        trials.push(trial_of(&format!("at-the-gate/{name}"), move || at_the_gate(rule, *how)));
    }
    trials
}

fn trial(name: &str, body: fn()) -> Trial {
    trial_of(name, body)
}

fn trial_of(name: &str, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("go::{name}"), move || {
        let found = Command::new("ssh-keygen").arg("-?").output().is_ok();
        let required = std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1");
        match (found, required) {
            (true, _) => {
                body();
                Ok(Completion::Completed)
            }
            (false, true) => Err(Failed::from("there is no ssh-keygen")),
            (false, false) => Ok(Completion::ignored_with("there is no ssh-keygen")),
        }
    })
}
