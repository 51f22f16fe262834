//! Tests of what a run does once the operator's credentials cannot be renewed, and that it keeps what the
//! lab itself has to say.

use reports::record::{AddressRead, OperatorLost};

use super::super::pending::before_the_gate;
use super::super::*;
use super::stage::{Stage, play};

fn losses(stage: &Stage<'_>) -> Vec<OperatorLost> {
    let all = stage.records().into_iter().filter_map(|record| match record.kind {
        Kind::OperatorLost(lost) => Some(lost),
        _ => None,
    });
    all.collect()
}

#[test]
fn nothing_more_is_begun_and_the_commands_are_told() {
    for (burnt, command) in [(false, "lab-smoke resume"), (true, "lab-smoke recover")] {
        play(async |stage: &Stage<'_>| {
            stage.engine.run.state.borrow_mut().burnt = burnt;
            stage.engine.lab.operator.lost("RequestExpired: it ended".to_owned());
            stage.engine.forward(before_the_gate()).await;
            assert!(stage.engine.run.brake.pulled());
            assert!(stage.engine.ended.borrow().is_empty(), "no scenario was begun");
            stage.engine.hear_from_below();
            let [lost] = &losses(stage)[..] else { panic!("said once: {:?}", losses(stage)) };
            assert_eq!(lost.why, "RequestExpired: it ended");
            assert!(lost.owner_commands[1].starts_with(command), "{:?}", lost.owner_commands);
            let judged = stage.engine.journal.with_records(judge_ending);
            assert_eq!(judged.exit_code, ExitCode::Unknown.number());
            let told = judged.reasons.iter().any(|it| it.contains("RequestExpired: it ended"));
            assert!(told, "{:?}", judged.reasons);
        });
    }
}

#[test]
fn what_the_lab_has_to_say_is_in_the_journal() {
    play(async |stage: &Stage<'_>| {
        let read = AddressRead {
            node: "routerd-cloud".to_owned(),
            instance_id: "i-0a1b2c3d4e5f60718".to_owned(),
            reach: "public".to_owned(),
            address: Some("203.0.113.7".to_owned()),
            state: "running".to_owned(),
        };
        stage.engine.lab.notices.add(Kind::AddressRead(read.clone()));
        stage.engine.hear_from_below();
        let records = stage.records();
        assert!(records.iter().any(|it| it.kind == Kind::AddressRead(read.clone())));
        assert!(stage.engine.lab.notices.take().is_empty());
    });
}
