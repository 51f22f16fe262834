//! A small run for tests: four scenarios that were judged, one mutation that was undone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::effect::{Effect, Goal};
use crate::record::{
    Assertion, AssertionStatus, Attachment, Calls, Class, CostRecorded, Datagrams, Duty, Facts,
    FactsRecorded, FlowOutage, GoBurnt, GoRefused, GoVerified, Intent, Kind, LabDeclared, LabFacts,
    LabIdentity, LabKind, LabTarget, LockReleased, LockTaken, Operation, Outage, OutageRecorded,
    Outcome, OutcomeRecorded, Part, Permit, Phase, Program, Record, ResidueItem, ResidueListed,
    Retried, RoleFacts, RouterYamlFacts, RowsRecorded, RunFinished, RunStarted, SCHEMA_VERSION,
    ScenarioDeclared, ScenarioFinished, ScenarioStarted, ScenarioStatus, StateRecorded,
    StopChecked, StopDeclared, TargetNode, UndoPlanned, UndoStep,
};
use crate::verdict::judge_ending;

/// The records of a run, to which more can be added.
#[derive(Clone, Debug)]
pub struct Sample(Vec<Record>);

/// The time of the first record; each one after it is a second later.
pub fn start_time() -> DateTime<Utc> {
    "2026-10-01T12:00:00Z".parse().expect("a time")
}

impl Sample {
    /// Appends a record that is chained to the one before.
    pub fn push(&mut self, kind: Kind) {
        let seq = self.0.len() as u64;
        let last = self.0.last().map(|record| serde_json::to_string(record).expect("JSON"));
        let prev = last.map_or_else(Digest::zero, Digest::of);
        let seconds = i64::try_from(seq).expect("small");
        self.0.push(Record { seq, prev, at: start_time() + TimeDelta::seconds(seconds), kind });
    }

    /// Starts a scenario.
    pub fn start(&mut self, scenario: &str) {
        self.push(Kind::ScenarioStarted(ScenarioStarted { scenario: scenario.into() }));
    }

    /// Makes an assertion; unless it passed it has a message.
    pub fn assert(&mut self, scenario: &str, id: &str, status: AssertionStatus) {
        self.push(Kind::AssertionMade(Assertion {
            scenario: scenario.into(),
            id: id.into(),
            status,
            expected: json!(true),
            observed: json!(status == AssertionStatus::Passed),
            how: "cloud-client$ ping -c 3 10.88.60.9".into(),
            raw: vec![Digest::of("raw")],
            message: (status != AssertionStatus::Passed).then(|| "look at the route".into()),
        }));
    }

    /// Ends a scenario; one that did not run to its end has a reason.
    pub fn finish(&mut self, scenario: &str, status: ScenarioStatus) {
        let reason = match status {
            ScenarioStatus::Passed | ScenarioStatus::Failed | ScenarioStatus::Unknown => None,
            _ => Some("a reason".to_owned()),
        };
        let calls = Calls { ec2: 1, node: 2 };
        let finished = ScenarioFinished { scenario: scenario.into(), status, reason, calls };
        self.push(Kind::ScenarioFinished(finished));
    }

    /// Leaves the scenario as if it had been started again and not ended.
    pub fn unfinish(&mut self, scenario: &str) {
        self.start(scenario);
    }

    /// The effect is the one that is called `what`.
    pub fn intent(&mut self, id: &str, permit: Permit, what: &str) {
        let mut effect = crate::effect::tests::each().into_iter().find(|it| it.what() == what);
        let address = std::net::Ipv4Addr::new(10, 88, 60, 9);
        match &mut effect {
            Some(Effect::ExecuteAction { goal, .. }) => *goal = Goal::Assigned(address),
            Some(Effect::RollBackAction { goal, .. } | Effect::UndoByExecutor { goal, .. }) => {
                *goal = Goal::Unassigned(address);
            }
            _ => {}
        }
        self.push(Kind::Intent(Intent {
            id: id.into(),
            scenario: "execute".into(),
            permit,
            effect: effect.unwrap_or_else(|| panic!("no effect is called {what}")),
            undo: (permit != Permit::Cost).then(|| "undo.address".into()),
        }));
    }

    /// Records what came of an intent.
    pub fn outcome(&mut self, intent: &str, outcome: Outcome) {
        let outcome = OutcomeRecorded::of(intent, outcome);
        self.push(Kind::Outcome(OutcomeRecorded { detail: "read back".to_owned(), ..outcome }));
    }

    /// Declares the run to be filtered by these words.
    pub fn filter(&mut self, words: &str) {
        self.started().filter = Some(words.into());
    }

    /// Declares a scenario to be this part of the run.
    pub fn part(&mut self, scenario: &str, part: Part) {
        let mut scenarios = self.started().scenarios.iter_mut();
        scenarios.find(|it| it.name == scenario).expect("declared").part = part;
    }

    /// Changes the run as if it had been declared without anybody for this.
    pub fn relieve(&mut self, duty: Duty) {
        let scenarios = self.started().scenarios.iter_mut();
        scenarios.filter(|it| it.duty == Some(duty)).for_each(|it| it.duty = None);
    }

    fn started(&mut self) -> &mut RunStarted {
        match &mut self.0[0].kind {
            Kind::RunStarted(started) => started,
            other => panic!("the first record is {other:?}"),
        }
    }

    /// Without an end.
    pub fn records(&self) -> Vec<Record> {
        self.0.clone()
    }

    /// The records, and an end with the verdict that is theirs.
    pub fn records_with_end(mut self) -> Vec<Record> {
        let judged = judge_ending(&self.0);
        let (verdict, exit_code, reasons) = (judged.verdict, judged.exit_code, judged.reasons);
        self.push(Kind::RunFinished(RunFinished { verdict, exit_code, reasons }));
        self.0
    }

    /// Starts and ends a scenario with one assertion, all of which passes.
    pub fn scenario(&mut self, name: &str, assertion: &str) {
        self.start(name);
        self.assert(name, assertion, AssertionStatus::Passed);
        self.finish(name, ScenarioStatus::Passed);
    }
}

fn facts() -> Facts {
    Facts {
        lab: LabFacts { kind: LabKind::Mock, name: "mock".into() },
        account_id: "123456789012".into(),
        region: "ap-northeast-1".into(),
        vpc: json!({"vpc_id": "vpc-0a"}),
        subnet: json!({}),
        route_table: json!({}),
        interface: json!({"network_interface_id": "eni-0a"}),
        instances: vec![],
        captured_address: "10.88.60.9/32".into(),
        captured_address_holders: vec![],
        role: RoleFacts {
            name: "role".into(),
            documents: json!([]),
            granted_by: json!({}),
            notes: vec![],
        },
        cloud_state: None,
        nodes: [].into(),
        router_yaml: RouterYamlFacts { sha256: Digest::of("yaml"), policies: json!([]) },
        programs: vec![],
        rows_of_earlier_runs: vec![],
        elsewhere: Vec::new(),
        shortened_waits: [].into(),
    }
}

/// Up to the owner's go.
pub fn pending_run() -> Sample {
    let mut run = Sample(vec![]);
    run.push(Kind::RunStarted(started()));
    run.push(Kind::AttachmentStored(Attachment {
        digest: Digest::of("raw"),
        bytes: 3,
        original_sha256: None,
        media_type: "application/json".into(),
        source: "ec2 DescribeNetworkInterfaces".into(),
    }));
    run.scenario("preflight", "preflight.eni");
    run.push(Kind::FactsRecorded(Box::new(FactsRecorded {
        facts: facts(),
        facts_digest: Digest::of_json(&json!(facts())),
        lab: identity(),
        lab_fingerprint: Digest::of_json(&json!(identity())),
        change_set: json!({"address": "10.88.60.9"}),
        programs: vec![program("routerctl")],
    })));
    run.push(rows(Phase::Baseline, json!([])));
    run.push(state(Phase::Baseline));
    run.push(Kind::StopChecked(StopChecked {
        stop: 2,
        detector: "foreign-address-on-eni".into(),
        scenario: "preflight".into(),
    }));
    run.scenario("undo-plan", "undo-plan.complete");
    run.push(Kind::UndoPlanned(UndoPlanned {
        digest: Digest::of_json(&json!(steps())),
        steps: steps(),
    }));
    run
}

fn steps() -> Vec<UndoStep> {
    vec![UndoStep {
        id: "undo.address".into(),
        section: "§6".into(),
        operation: Operation::UnassignAddress {
            network_interface_id: "eni-0a".into(),
            address: "10.88.60.9".parse().expect("an address"),
            region: "eu-central-1".into(),
        },
        restores: json!({ "secondary_addresses": [] }),
    }]
}

fn identity() -> LabIdentity {
    LabIdentity {
        kind: LabKind::Mock,
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        vpc_id: "vpc-0a".into(),
        network_interface_id: "eni-0a".into(),
        instance_ids: vec!["i-0a".into()],
        host_keys: vec![("routerd-cloud".into(), "ssh-ed25519 AAAA".into())],
    }
}

/// Everything but the end record; it passes.
pub fn whole_run() -> Sample {
    let mut run = pending_run();
    let path = "/var/lib/lab-smoke/lock".to_owned();
    run.push(verified_go());
    let lease_until = start_time() + TimeDelta::hours(1);
    run.push(Kind::LockTaken(LockTaken { path: path.clone(), lease_until }));
    let burn = "/var/lib/lab-smoke/burnt".to_owned();
    run.push(Kind::GoBurnt(GoBurnt { go_digest: Digest::of("go"), path: burn }));
    run.start("execute");
    run.intent("seize", Permit::Forward, "routerctl action execute");
    run.outcome("seize", Outcome::Done);
    run.assert("execute", "execute.succeeded", AssertionStatus::Passed);
    run.push(measured_outage());
    run.finish("execute", ScenarioStatus::Passed);
    run.start("ping");
    run.push(Kind::Retried(Retried {
        scenario: "ping".into(),
        call: "ec2 DescribeNetworkInterfaces".into(),
        attempts: 2,
        error: "RequestLimitExceeded".into(),
    }));
    run.assert("ping", "ping.answers", AssertionStatus::Passed);
    run.finish("ping", ScenarioStatus::Passed);
    run.intent("undo-seize", Permit::Undo, "routerctl action rollback");
    run.outcome("undo-seize", Outcome::Done);
    run.push(not_measured());
    run.scenario("restored", "restored.eni");
    run.push(rows(Phase::Final, json!([{"id": 1}])));
    run.push(state(Phase::Final));
    run.push(Kind::LockReleased(LockReleased { path }));
    run.push(no_residue());
    run.push(Kind::CostRecorded(CostRecorded {
        instance_seconds: 40,
        max_instance_seconds: None,
        instance_seconds_by_type: [("t3.small".to_owned(), 40)].into(),
        address_seconds: 20,
        volume_seconds: 60,
    }));
    run.scenario("residue", "residue.none");
    run
}

fn started() -> RunStarted {
    let scenario = |name: &str, section: &str, class, duty: Option<Duty>| ScenarioDeclared {
        name: name.into(),
        section: section.into(),
        class,
        needs: vec![],
        part: Part::Judged,
        duty,
        chapter: None,
        question: None,
    };
    let stop = |number: u8| StopDeclared {
        number,
        words: format!("hard stop {number}"),
        armed: number != 7,
        reason: (number == 7).then(|| "--leave-running".into()),
        remedy: String::new(),
    };
    RunStarted {
        schema_version: SCHEMA_VERSION,
        run_id: "run-1".into(),
        tool: program("lab-smoke"),
        lab: LabDeclared {
            kind: LabKind::Mock,
            name: "mock".into(),
            manifest: "[lab]\n".into(),
            target: Some(target()),
        },
        seed: Some(1),
        faults: vec![],
        filter: None,
        scenarios: vec![
            scenario("preflight", "§4", Class::ReadOnly, Some(Duty::Decides)),
            scenario("undo-plan", "§6", Class::ReadOnly, Some(Duty::Decides)),
            scenario("execute", "§7.4", Class::Mutating, None),
            scenario("ping", "§7", Class::ReadOnly, None),
            scenario("restored", "§6", Class::ReadOnly, Some(Duty::Restores)),
            scenario("residue", "§8", Class::ReadOnly, Some(Duty::Accounts)),
        ],
        stops: (1..=8).map(stop).collect(),
    }
}

fn target() -> LabTarget {
    let node = |name: &str, address: &str, instance: Option<&str>| TargetNode {
        name: name.into(),
        address: address.into(),
        instance_id: instance.map(str::to_owned),
    };
    LabTarget {
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        vpc_id: "vpc-0a".into(),
        subnet_id: "subnet-0a".into(),
        network_interface_id: "eni-0a".into(),
        address: "10.88.60.9/32".into(),
        nodes: vec![node("routerd-cloud", "10.88.60.4", Some("i-0a"))],
        max_instance_seconds: Some(7200),
        principals: vec!["owner@example.com".into()],
    }
}

fn program(name: &str) -> Program {
    Program { name: name.into(), version: Some("0.1.0".into()), path: None, digest: None }
}

fn rows(phase: Phase, rows: Value) -> Kind {
    Kind::RowsRecorded(RowsRecorded { phase, rows })
}

fn state(phase: Phase) -> Kind {
    Kind::StateRecorded(StateRecorded { phase, state: json!({"source_dest_check": true}) })
}

/// A go that was verified, granted by the lab itself.
pub fn verified_go() -> Kind {
    Kind::GoVerified(GoVerified {
        go_digest: Digest::of("go"),
        principal: "lab-itself".into(),
        key_fingerprint: "SHA256:abc".into(),
        not_before: start_time(),
        not_after: start_time() + TimeDelta::hours(1),
        undo_plan_digest: Digest::of_json(&json!(steps())),
        self_granted: true,
    })
}

/// A go that was refused because it has expired.
pub fn refused_go() -> Kind {
    let (rule, reason) = ("expired".to_owned(), "it was good until noon".to_owned());
    Kind::GoRefused(GoRefused { rule, reason })
}

/// The outage as a lab with a probe says it.
pub fn measured_outage() -> Kind {
    let flow = FlowOutage {
        source: "10.88.60.7".into(),
        destination: "10.88.60.9".into(),
        resolution_us: 1000,
        noise_floor_us: Some(2100),
        control: Some(Datagrams { sent: 250, received: 250 }),
        change: Datagrams { sent: 310, received: 178 },
        outage_us: Some(0),
        lost_in_outage: 0,
        reachable_after_us: Some(131_700),
        unreachable_after_us: None,
    };
    let outage = Outage::Measured { flows: vec![flow] };
    Kind::OutageRecorded(OutageRecorded {
        scenario: "execute".into(),
        outage,
        raw: vec![Digest::of("probe")],
    })
}

/// An outage that a lab without a probe has not measured.
pub fn not_measured() -> Kind {
    let reason = "the manifest has no nodes.cloud-client.outage_probe".to_owned();
    Kind::OutageRecorded(OutageRecorded {
        scenario: "undo".into(),
        outage: Outage::NotMeasured { reason },
        raw: vec![],
    })
}

/// A list of residue with nothing in it.
pub fn no_residue() -> Kind {
    Kind::ResidueListed(ResidueListed { items: vec![], kept: vec![] })
}

/// A list of residue with one running instance in it.
pub fn listed_residue(id: &str) -> Kind {
    let item = ResidueItem {
        resource: "instance".into(),
        id: id.into(),
        why: "it is running".into(),
        costs_money: true,
        owner_commands: vec![format!("aws ec2 stop-instances --instance-ids {id}")],
    };
    Kind::ResidueListed(ResidueListed { items: vec![item], kept: vec![] })
}
