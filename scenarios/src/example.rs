//! Helpers with which the tests of several scenarios begin.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use lab::Lab;
use lab::act::Acted;
use lab::change_set::ChangeSet;
use lab::ec2::{Answer, Instance, InstanceState, Tags};
use lab::node::{Node, Output};
use lab::permit::Brake;
use lab::shell::{Failure, NodeAnswer, Observe, ShellError};
use reports::go::Expectation;
use reports::journal::Writer;
use reports::record::{Assertion, AssertionStatus, Kind, Outcome, Record};
use reports::redact::Form;

use crate::baseline::Baseline;
use crate::capture::capture_steps;
use crate::context::{Context, Finished};
use crate::run::{Go, GoSource, PlanSource, Run, RunState};
use crate::sequence::{Scenario, find_scenario};

pub fn change_set() -> ChangeSet {
    ChangeSet {
        run_id: "run-1".to_owned(),
        provider: "aws".to_owned(),
        provider_ref: "aws-lab".to_owned(),
        network_interface_id: "eni-1".to_owned(),
        region: "eu-central-1".to_owned(),
        address: "10.88.60.9/32".parse().expect("an address"),
        allow_reassignment: false,
        ttl: "2h".to_owned(),
    }
}

/// An ENI without secondary addresses, no nodes, and one row of an earlier run.
pub fn example_baseline() -> Baseline {
    let baseline = serde_json::json!({
        "interface": {
            "network_interface_id": "eni-1", "owner_id": "123456789012", "vpc_id": "vpc-1",
            "subnet_id": "subnet-1", "mac_address": "02:00:00:00:00:01",
            "source_dest_check": true, "primary_address": "10.88.60.4",
            "secondary_addresses": [], "security_groups": [], "instance_id": null, "tags": {},
        },
        "nodes": {},
        "rows": [1],
    });
    serde_json::from_value(baseline).expect("a baseline")
}

/// A small one, in no VPC and without tags.
pub fn example_instance(id: &str, state: &str) -> Instance {
    Instance {
        instance_id: id.to_owned(),
        state: InstanceState::parse(state),
        instance_type: "t3.micro".to_owned(),
        vpc_id: None,
        subnet_id: None,
        network_interface_ids: Vec::new(),
        block_devices: Vec::new(),
        instance_profile: None,
        lifecycle: None,
        root_device_type: Some("ebs".to_owned()),
        launched_at: None,
        tags: Tags::new(),
    }
}

struct NoGo;

impl GoSource for NoGo {
    fn go<'a>(&'a self, _expected: &'a Expectation) -> LocalBoxFuture<'a, Option<Go>> {
        Box::pin(std::future::ready(None))
    }
}

/// The records that a scenario wrote, and how it ended.
pub struct Judged {
    pub finished: Finished,
    pub records: Vec<Record>,
}

impl Judged {
    pub fn assertion(&self, id: &str) -> &Assertion {
        let made = self.records.iter().rev().find_map(|record| match &record.kind {
            Kind::AssertionMade(made) if made.id == id => Some(made),
            _ => None,
        });
        made.unwrap_or_else(|| panic!("{id} was not judged"))
    }

    pub fn status(&self, id: &str) -> AssertionStatus {
        self.assertion(id).status
    }

    pub fn message(&self, id: &str) -> &str {
        self.assertion(id).message.as_deref().unwrap_or_default()
    }
}

/// Runs `body` as the scenario of that name, on a mock lab to which nothing was done yet.
pub fn judge_as_scenario(name: &str, body: impl AsyncFnOnce(&mut Lab, &mut Context<'_>)) -> Judged {
    judged_as(find_scenario(name).expect("a scenario"), body)
}

pub fn judged_as(
    scenario: &'static Scenario,
    body: impl AsyncFnOnce(&mut Lab, &mut Context<'_>),
) -> Judged {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let options = lab_mock::MockLabOptions { seed: 1, ..lab_mock::MockLabOptions::default() };
        let mut mock = lab_mock::open_mock_lab(&options).expect("a mock lab");
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Writer::create(folder.path()).expect("a journal");
        let mut asked = change_set();
        if scenario.name == "preflight" {
            // It asks the lab's own executor what it would do to the lab's own ENI.
            asked.network_interface_id = mock.lab.manifest.capture.network_interface_id.clone();
            asked.region = mock.lab.manifest.aws.region.clone();
        }
        let run = Run {
            id: "run-1".to_owned(),
            steps: capture_steps(&asked),
            change_set: asked,
            plan_source: PlanSource::Planner,
            brake: Brake::default(),
            #[cfg(feature = "sabotage")]
            detector_off: None,
            go: Rc::new(NoGo),
            state: RefCell::new(RunState::default()),
        };
        let mut context = Context::begin(scenario, mock.lab.clock, &journal, &run);
        body(&mut mock.lab, &mut context).await;
        let finished = context.finish();
        let records = journal.with_records(<[Record]>::to_vec);
        Judged { finished, records }
    })
}

/// A command's answer.
#[expect(clippy::unnecessary_wraps, reason = "as an answer is handed on")]
pub fn example_answer(code: i32, stdout: &str, stderr: &str) -> NodeAnswer {
    let value = Output { code, stdout: stdout.into(), stderr: stderr.into() };
    let call = "routerd-cloud$ command".to_owned();
    Ok(Answer { value, call, raw: vec![stdout.into()], form: Form::Text, attempts: 1 })
}

/// The same answer, as that command reads it.
pub fn read_by<T>(command: &Observe<T>, told: NodeAnswer) -> Result<Answer<T>, ShellError> {
    told.map(|answer| {
        let Answer { value, call, raw, form, attempts } = answer;
        Answer { value: command.read(value), call, raw, form, attempts }
    })
}

/// A command that nobody answered.
pub fn example_silence() -> NodeAnswer {
    let why = Failure::TimedOut(Duration::from_secs(30));
    Err(ShellError { node: Node::RouterdCloud, command: "command".to_owned(), why })
}

/// The result of a mutation.
pub fn example_acted<T>(outcome: Outcome, value: T) -> Acted<T> {
    Acted { outcome, detail: "as it was seen".to_owned(), samples: Vec::new(), value }
}
