//! The client's own rules, beyond what was recorded.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::manifest::Routerd;
use crate::node::Output;

fn lab() -> Routerd {
    Routerd {
        config: "/etc/r.yaml".into(),
        state_file: "/var/r.db".into(),
        routerctl: "/usr/bin/routerctl".into(),
        planner: "lab-planner".into(),
        planner_sha256: "0".repeat(64),
    }
}

fn answered(code: i32, stdout: &str, stderr: &str) -> Output {
    Output { code, stdout: stdout.into(), stderr: stderr.into() }
}

fn is_ambiguous<T>(answer: &Result<T, AnswerError>) -> bool {
    matches!(answer, Err(AnswerError::Ambiguous { .. }))
}

#[test]
fn argument_lists() {
    let lab = lab();
    let routerctl = Routerctl::new(&lab);
    let (c, s) = ("--config=/etc/r.yaml", "--state-file=/var/r.db");
    let table = [
        (
            routerctl.plugin_run("lab-planner").argv,
            format!("plugin run lab-planner {c} {s} -o json"),
        ),
        (routerctl.dynamic_list().argv, format!("dynamic list {s} -o json")),
        (
            routerctl.dynamic_describe("Plugin/p").argv,
            format!("dynamic describe Plugin/p {s} -o json"),
        ),
        (routerctl.import().argv, format!("action import {s}")),
        (routerctl.list().argv, format!("action list {s} -o json")),
        (routerctl.show(7).argv, format!("action show 7 {s} -o json")),
        (routerctl.approve(7, "owner").argv, format!("action approve 7 --by=owner {s}")),
        (routerctl.execute_dry_run(7).argv, format!("action execute 7 --dry-run {c} {s}")),
        (routerctl.execute(7).argv, format!("action execute 7 --approved {c} {s}")),
        (routerctl.rollback_dry_run(7).argv, format!("action rollback 7 --dry-run {c} {s}")),
        (routerctl.rollback(7).argv, format!("action rollback 7 --approved {c} {s}")),
        (routerctl.doctor("hybrid").argv, format!("doctor hybrid {c} {s} -o json")),
        (routerctl.get("MobilityPool").argv, "get MobilityPool -o json".to_owned()),
        (
            routerctl.describe("MobilityPool", "smoke").argv,
            "describe MobilityPool/smoke -o json".to_owned(),
        ),
        (routerctl.mobility_owners().argv, format!("mobility owners {s} -o json")),
    ];
    for (argv, expected) in table {
        assert_eq!(argv.join(" "), format!("sudo -n /usr/bin/routerctl {expected}"));
    }
}

#[test]
fn a_name_with_spaces_stays_one_argument() {
    let lab = lab();
    let argv = Routerctl::new(&lab).approve(1, "the owner (me)").argv;
    assert!(argv.contains(&"--by=the owner (me)".to_owned()));
    let said = answered(0, "action 1 approved by the owner (me) (status now approved)\n", "");
    let approved = Routerctl::new(&lab).approve(1, "the owner (me)").read(&said).unwrap();
    assert_eq!((approved.by.as_str(), approved.status), ("the owner (me)", RowStatus::Approved));
}

#[test]
fn what_is_no_answer_of_routerctl_is_ambiguous() {
    let executed =
        |code, stdout, stderr| answers::read_executed("c", &answered(code, stdout, stderr));
    let done = "action 1 executed: status now succeeded (assigned)\n";
    let table = [
        ("lost connection", executed(255, "", "Connection to 192.0.2.10 closed by remote host.\n")),
        ("killed", executed(137, "", "")),
        ("silent success", executed(0, "", "")),
        ("silent failure", executed(1, "", "")),
        ("sudo", executed(1, "", "sudo: a password is required\n")),
        ("no such program", executed(127, "", "sh: 1: routerctl: not found\n")),
        ("success printed, failure returned", executed(1, done, "")),
        ("line cut", executed(0, "action 1 executed: status now succ", "")),
        ("message cut", executed(0, "action 1 executed: status now succeeded (assig\n", "")),
        ("no number", executed(0, "action x executed: status now succeeded\n", "")),
        (
            "another command's line",
            executed(0, "action 1 rolled back: status now rolledBack\n", ""),
        ),
        ("unknown refusal", executed(1, "", "the moon is in the wrong phase\n")),
    ];
    for (why, answer) in &table {
        assert!(is_ambiguous(answer), "{why}: {answer:?}");
    }
}

#[test]
fn an_error_names_the_command_what_was_expected_and_what_came() {
    let lab = lab();
    let long = "x".repeat(1000);
    let error = Routerctl::new(&lab).show(3).read(&answered(0, &long, "")).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("sudo -n /usr/bin/routerctl action show 3 "), "{text}");
    assert!(text.contains("expected one row of routerd's journal"), "{text}");
    assert!(text.contains(&format!("{}…", "x".repeat(200))) && !text.contains(&"x".repeat(201)));
}

#[test]
fn refusals_that_were_not_recorded() {
    let preview =
        "policy gate denied dry-run of action 4: maxActionsPerRun is 0: no actions permitted";
    let ambiguous_executor = "resolve executor for provider \"aws\": ambiguous executor for provider \"aws\": 2 executors";
    let table = [
        (
            preview,
            RefusalEffect::Nothing,
            "the policy denies action 4: maxActionsPerRun is 0: no actions permitted",
        ),
        (
            "execute action 2: action in unexpected status \"failed\"",
            RefusalEffect::Nothing,
            "action 2 is failed",
        ),
        (
            "dry-run action 2: action was rolled back",
            RefusalEffect::Nothing,
            "action 2 is rolledBack",
        ),
        (ambiguous_executor, RefusalEffect::Nothing, ambiguous_executor),
        (
            "rollback action 2 refused: undo has no action",
            RefusalEffect::Nothing,
            "action 2 is not undone: its plan has no undo",
        ),
        (
            "rollback action 2: executor failed: executor /p timed out after 1s",
            RefusalEffect::Unknown,
            "the executor gave no result for the undo of action 2: executor failed: executor /p timed out after 1s",
        ),
        (
            "rollback action 2: executor reported \"failed\": aws ec2 x: exit status 254:\nAn error occurred",
            RefusalEffect::Unknown,
            "the executor answered failed to the undo of action 2: \"aws ec2 x: exit status 254:\\nAn error occurred\"",
        ),
        (
            "sudo: unable to resolve host lab\naction 9 not found",
            RefusalEffect::Nothing,
            "there is no action 9",
        ),
    ];
    for (stderr, effect, shown) in table {
        let answer = answers::rolled_back("c", &answered(1, "", &format!("{stderr}\n")));
        let error = answer.unwrap_err();
        let refusal = error.refusal().unwrap_or_else(|| panic!("ambiguous: {stderr}"));
        assert_eq!((refusal.effect(), refusal.to_string().as_str()), (effect, shown));
    }
}

const ROW: &str = r#"{"id":1,"idempotencyKey":"k","provider":"aws","action":"a","status":"pending",
    "approvedAt":"0001-01-01T00:00:00Z","executedAt":"0001-01-01T00:00:00Z",
    "createdAt":"2026-11-22T00:28:54.017862951Z","updatedAt":"2026-11-22T00:28:54Z"}"#;

#[test]
fn a_newer_routerd_may_add_keys_and_words_but_not_drop_any() {
    let row = |text: &str| answers::read_action_row("c", &answered(0, text, ""));
    assert_eq!(row(ROW).unwrap().status, RowStatus::Pending);
    assert!(row(&ROW.replace("{\"id\"", "{\"lease\":{},\"id\"")).is_ok());
    let unknown = row(&ROW.replace("pending", "fenced")).unwrap().status;
    assert_eq!(unknown, RowStatus::Unknown("fenced".into()));
    for key in ["id", "idempotencyKey", "provider", "action", "status", "createdAt", "updatedAt"] {
        let without = ROW.replace(&format!("\"{key}\""), &format!("\"x-{key}\""));
        assert!(is_ambiguous(&row(&without)), "without {key}");
    }
    let not_json_inside = ROW.replace("\"action\"", "\"targetJSON\":\"{\",\"action\"");
    assert!(is_ambiguous(&row(&not_json_inside)));
    assert!(is_ambiguous(&row(&format!("{ROW} {ROW}"))), "two rows are not one");
}

#[test]
fn a_doctor_that_contradicts_itself_is_ambiguous() {
    let text = |overall: &str, pass: u8, fail: u8, status: &str| {
        format!(
            r#"{{"summary":{{"overall":"{overall}","pass":{pass},"warn":0,"fail":{fail},"skip":0}},
               "checks":[{{"area":"sam","name":"MobilityPool/x","status":"{status}"}}]}}"#
        )
    };
    let report = |code, text: &str| answers::read_doctor_report("c", &answered(code, text, ""));
    assert!(report(0, &text("pass", 1, 0, "pass")).is_ok());
    assert!(report(1, &text("fail", 0, 1, "fail")).is_ok());
    assert!(is_ambiguous(&report(0, &text("fail", 0, 1, "fail"))), "a failure that exits with 0");
    assert!(is_ambiguous(&report(1, &text("pass", 1, 0, "pass"))), "passes, and exits with 1");
    assert!(is_ambiguous(&report(0, &text("pass", 2, 0, "pass"))), "counts what is not there");
    assert!(is_ambiguous(&report(0, &text("pass", 1, 0, "great"))), "an unknown word");
}

#[test]
fn a_plan_keeps_the_keys_that_nobody_knows() {
    let plan =
        r#"{"name":"n","provider":"aws","action":"a","target":{"nicRef":"eni-1"},"surprise":1}"#;
    let plan: Plan = serde_json::from_str(plan).unwrap();
    assert_eq!(plan.other["surprise"], 1);
}
