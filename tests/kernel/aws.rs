//! A manifest of kind `aws` on a kernel lab: its nodes over ssh by a proxy, its EC2, STS and IAM over TCP
//! with every request signed, and a go of an owner's own key. Nothing of the lab is built in for it.

mod commands;
mod place;
mod policies;
mod roles;

use lab_netns::probe::probe_host;
use libtest_mimic::{Completion, Failed, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_lab_that_a_manifest_describes_is_used_by_every_command",
            commands::use_every_command,
        ),
        trial("an_operator_takes_a_role_that_trusts_him", roles::take_a_role),
        trial("without_any_statement_of_a_policy_a_call_is_refused", policies::miss_each_statement),
    ]
}

fn trial(name: &str, run: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("aws::{name}"), move || {
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
