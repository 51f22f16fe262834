//! The proof that a go was given for a run that died, and used by it: asked again by whoever brings
//! the run to its end, since a journal alone may have been written by anybody.

use reports::digest::Digest;
use reports::go::{AllowedSigners, Expectation, Verified, read_kept, verify_go};
use reports::journal::Writer;
use reports::record::{
    Effect, FactsRecorded, Kind, Operation, Permit, ProofOutcome, Record, UndoPlanned,
};
use reports::shown::{Burnt, read_shown};

use super::Burn;
use super::files::burn_path;
use crate::Lab;
use crate::ec2::{Answer, Sighted};
use crate::node::Node;
use crate::permit::Proof;
use crate::shell::Observe;

/// The answer to the question whether the run's go was given and used.
#[derive(Clone, Debug)]
pub enum Proving {
    Proved(Proof, ProofOutcome),
    /// The go is good, and the node says that nobody used it: nothing was begun with it.
    NeverBurnt,
    /// With the reason.
    NotProved(String),
}

impl Proving {
    /// The outcome of the proof, as recovery records it.
    pub fn outcome(&self) -> ProofOutcome {
        match self {
            Self::Proved(_, outcome) => *outcome,
            Self::NeverBurnt => ProofOutcome::NeverBurnt,
            Self::NotProved(_) => ProofOutcome::None,
        }
    }
}

/// The go and the plan that the journal says were granted and used, with the signature verified.
struct Granted {
    go: Verified,
    plan: UndoPlanned,
    burn: Burn,
    path: String,
    /// Whether the journal has something that was begun with the go.
    begun: bool,
}

impl Lab {
    /// Verifies the go that lies in the journal's folder as of the time of its burn, against the
    /// signers of the lab's manifest or the lab's own key, and looks for the burn on the node.
    pub async fn prove_go(&self, journal: &Writer) -> Proving {
        let granted = match self.granted(journal) {
            Ok(granted) => granted,
            Err(why) => return Proving::NotProved(why),
        };
        let proof = Proof::of(&granted.go);
        let command = Observe::burn(&granted.path);
        let unseen = match self.shell.observe(Node::RouterdCloud, &command).await {
            Ok(Answer { value: Ok(found), .. }) => {
                return if found.is_some_and(|burn| burn == granted.burn) {
                    Proving::Proved(proof, ProofOutcome::SignatureAndBurn)
                } else {
                    let path = &granted.path;
                    Proving::NotProved(format!("{path} on routerd-cloud is of another burn"))
                };
            }
            Ok(Answer { value: Err(unread), .. }) => {
                let said = unread.into_words();
                if said.contains("No such file") {
                    return never_burnt(&granted);
                }
                said
            }
            Err(error) => error.to_string(),
        };
        match self.ended_by_the_plan(journal, &granted.plan).await {
            Ok(()) => Proving::Proved(proof, ProofOutcome::SignatureAlone),
            Err(why) => Proving::NotProved(format!(
                "the burn on routerd-cloud was not read: {unseen}; {why}"
            )),
        }
    }

    /// Proves as much as can be proved without the node.
    fn granted(&self, journal: &Writer) -> Result<Granted, String> {
        let kept = read_kept(&journal.dir());
        let kept = kept.map_err(|error| format!("the go in the run's folder: {error}"))?;
        let kept = kept.ok_or("the run's folder has no go.json with its go.json.sig")?;
        let signature = String::from_utf8(kept.signature).map_err(|_| "go.json.sig is not text")?;
        let head = journal.head();
        journal.with_records(|records| {
            let shown = read_shown(records).map_err(|differs| differs.to_string())?;
            let burnt = shown.burnt.ok_or("the journal has no burnt go")?;
            let (facts, verified) = shown.facts.zip(shown.verified).ok_or("no go was verified")?;
            let plan = shown.granted_plan().ok_or("the journal has no undo plan")?;
            self.is_the_lab_of(facts)?;
            let expected = Expectation {
                run_id: run_id(records).ok_or("the journal says nothing of a run")?,
                facts_digest: facts.facts_digest.clone(),
                change_set: facts.change_set.clone(),
                undo_plan_digest: plan.digest.clone(),
                lab_fingerprint: facts.lab_fingerprint.clone(),
                lab_kind: self.manifest.lab.kind,
            };
            let signers = self.signers(verified.self_granted)?;
            let at = burnt.record.at;
            let go = verify_go(&kept.document, &signature, &signers, &expected, at)
                .map_err(|refused| refused.to_string())?;
            is_the_burnt(go.digest(), &burnt.go.go_digest)?;
            let record = line_of(records, burnt, head);
            let burn = Burn { run_id: expected.run_id, record };
            let path = burn_path(go.digest());
            Ok(Granted { go, plan: plan.clone(), burn, path, begun: begun(records, burnt) })
        })
    }

    fn signers(&self, of_the_lab: bool) -> Result<AllowedSigners, String> {
        let signers = if of_the_lab {
            let own = self.own_signers().ok_or("this lab grants itself no go")?;
            AllowedSigners::of_the_lab(own)
        } else {
            AllowedSigners::parse(&self.manifest.owner.allowed_signers)
        };
        signers.map_err(|error| error.to_string())
    }

    /// The fingerprint that is signed is of the lab that the manifest describes.
    fn is_the_lab_of(&self, facts: &FactsRecorded) -> Result<(), String> {
        let (lab, manifest) = (&facts.lab, &self.manifest);
        let ids = manifest.nodes.values().filter_map(|node| node.instance_id.clone());
        let same = (lab.kind, &lab.account_id, &lab.region, &lab.vpc_id)
            == (
                manifest.lab.kind,
                &manifest.aws.account_id,
                &manifest.aws.region,
                &manifest.aws.vpc_id,
            )
            && lab.network_interface_id == manifest.capture.network_interface_id
            && lab.instance_ids == ids.collect::<Vec<_>>();
        if same { Ok(()) } else { Err("the facts are of another lab".to_owned()) }
    }

    /// Whether this run has itself ended the node that had the burn: the granted plan has it
    /// terminated, the journal began that, and EC2 shows it.
    async fn ended_by_the_plan(&self, journal: &Writer, plan: &UndoPlanned) -> Result<(), String> {
        let router = self.manifest.nodes.get(&Node::RouterdCloud);
        let id = router.and_then(|node| node.instance_id.clone());
        let id = id.ok_or("it is no instance")?;
        let planned = plan.steps.iter().any(|step| {
            matches!(&step.operation,
                Operation::TerminateInstance { instance_id, .. } if *instance_id == id)
        });
        let tried = journal.with_records(|records| {
            records.iter().any(|record| {
                matches!(&record.kind, Kind::Intent(it)
                    if it.permit == Permit::Undo && terminates(&it.effect, &id))
            })
        });
        if !planned || !tried {
            return Err(format!("this run has not ended {id}"));
        }
        let gone =
            journal.with_records(|records| Sighted::of(records).is_gone(&id, self.clock.now()));
        let seen = self.find_instances(std::slice::from_ref(&id)).await;
        match seen.map(|answer| answer.value.first().map(|it| it.state.clone())) {
            Ok(None) if gone == Some(true) => Ok(()),
            Ok(None) => Err(format!("EC2 does not list {id}, and this run did not see it end")),
            Ok(Some(state)) if matches!(state.as_str(), "shutting-down" | "terminated") => Ok(()),
            Ok(Some(state)) => Err(format!("{id} is {state}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn terminates(effect: &Effect, id: &str) -> bool {
    matches!(effect, Effect::Ec2TerminateInstance { instance_id, .. } if instance_id == id)
}

/// No other go of the owner's for this run is good any more.
fn is_the_burnt(go: &Digest, burnt: &Digest) -> Result<(), String> {
    if go == burnt {
        return Ok(());
    }
    Err(format!("this run has burnt the go {burnt}; {go} is another"))
}

/// The node answers that there is no burn. Where something was begun nevertheless, somebody took it
/// away, or wrote the journal.
fn never_burnt(granted: &Granted) -> Proving {
    if granted.begun {
        let path = &granted.path;
        Proving::NotProved(format!("there is no {path} on routerd-cloud, and the go was used"))
    } else {
        Proving::NeverBurnt
    }
}

/// Whether forward work follows the burn, beside the burn itself.
fn begun(records: &[Record], burnt: Burnt<'_>) -> bool {
    let since = records.iter().filter(|record| record.seq > burnt.record.seq);
    since
        .filter_map(|record| match &record.kind {
            Kind::Intent(intent) => Some(intent),
            _ => None,
        })
        .any(|it| it.permit == Permit::Forward && it.scenario != "gate")
}

/// The digest of the line of the burn's record, which stands in the line after it.
fn line_of(records: &[Record], burnt: Burnt<'_>, head: Digest) -> Digest {
    let after = records.iter().find(|record| record.seq == burnt.record.seq + 1);
    after.map_or(head, |after| after.prev.clone())
}

fn run_id(records: &[Record]) -> Option<String> {
    match records.first().map(|record| &record.kind) {
        Some(Kind::RunStarted(started)) => Some(started.run_id.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use reports::record::{GoBurnt, Intent, LabIdentity, LabKind, UndoStep};
    use serde_json::json;

    use super::*;
    use crate::manifest::Manifest;

    #[test]
    fn a_second_go_is_refused_once_one_is_burnt() {
        let (first, second) = (Digest::of("the first go"), Digest::of("another"));
        assert_eq!(is_the_burnt(&first, &first), Ok(()));
        assert!(is_the_burnt(&second, &first).is_err_and(|why| why.ends_with("is another")));
    }

    fn identity(manifest: &Manifest) -> LabIdentity {
        LabIdentity {
            kind: manifest.lab.kind,
            account_id: manifest.aws.account_id.clone(),
            region: manifest.aws.region.clone(),
            vpc_id: manifest.aws.vpc_id.clone(),
            network_interface_id: manifest.capture.network_interface_id.clone(),
            instance_ids: manifest.nodes.values().filter_map(|it| it.instance_id.clone()).collect(),
            host_keys: Vec::new(),
        }
    }

    fn facts(lab: &LabIdentity) -> FactsRecorded {
        let nothing = serde_json::Value::Null;
        serde_json::from_value(json!({
            "facts": {
                "lab": { "kind": "aws", "name": "a-lab" }, "account_id": "", "region": "",
                "vpc": nothing, "subnet": nothing, "route_table": nothing, "interface": nothing,
                "instances": [], "captured_address": "", "captured_address_holders": [],
                "role": { "name": "", "documents": nothing, "granted_by": nothing, "notes": [] },
                "cloud_state": nothing, "nodes": {},
                "router_yaml": { "sha256": Digest::of("yaml"), "policies": nothing },
                "programs": [], "rows_of_earlier_runs": [],
            },
            "facts_digest": Digest::of("facts"), "lab": lab, "lab_fingerprint": Digest::of("lab"),
            "change_set": nothing, "programs": [],
        }))
        .expect("facts")
    }

    /// Facts of another lab are no reason to end anything of this one.
    #[tokio::test(start_paused = true)]
    async fn facts_are_the_labs_in_every_field_or_another_labs() {
        type Change = fn(&mut LabIdentity);
        let lab = crate::deaf::open_deaf_lab();
        let ours = identity(&lab.manifest);
        assert_eq!(lab.is_the_lab_of(&facts(&ours)), Ok(()));
        let changes: [Change; 7] = [
            |it| it.kind = LabKind::Netns,
            |it| it.account_id = "210987654321".to_owned(),
            |it| it.region = "eu-central-1".to_owned(),
            |it| it.vpc_id = "vpc-0000000000000dead".to_owned(),
            |it| it.network_interface_id = "eni-0000000000000dead".to_owned(),
            |it| it.instance_ids = Vec::new(),
            |it| it.instance_ids.reverse(),
        ];
        for change in changes {
            let mut other = ours.clone();
            change(&mut other);
            lab.is_the_lab_of(&facts(&other)).expect_err("another lab");
        }
    }

    fn record(seq: u64, kind: Kind) -> Record {
        let at = DateTime::UNIX_EPOCH;
        Record { seq, prev: Digest::of(format!("line {seq}")), at, kind }
    }

    fn intent(permit: Permit, scenario: &str, effect: Effect) -> Kind {
        let (id, scenario) = ("1".to_owned(), scenario.to_owned());
        Kind::Intent(Intent { id, scenario, permit, effect, undo: None })
    }

    fn burn() -> Kind {
        Kind::GoBurnt(GoBurnt { go_digest: Digest::of("go"), path: "/burnt".to_owned() })
    }

    fn burnt_in(records: &[Record]) -> Burnt<'_> {
        let burnt = records.iter().find_map(|record| match &record.kind {
            Kind::GoBurnt(go) => Some(Burnt { go, record }),
            _ => None,
        });
        burnt.expect("a burn")
    }

    fn put() -> Effect {
        Effect::ReleaseLock { path: "/lock".to_owned() }
    }

    #[test]
    fn a_go_was_begun_with_where_forward_work_follows_its_burn() {
        let work = || intent(Permit::Forward, "execute", put());
        let table = [
            ("nothing", vec![burn()], false),
            ("before it", vec![work(), burn()], false),
            ("after it", vec![burn(), work()], true),
            ("long after it", vec![burn(), intent(Permit::Undo, "undo", put()), work()], true),
            ("the gate's own", vec![burn(), intent(Permit::Forward, "gate", put())], false),
            ("what takes back", vec![burn(), intent(Permit::Undo, "undo", put())], false),
        ];
        for (what, kinds, expected) in table {
            let records: Vec<Record> = (0..).zip(kinds).map(|(seq, it)| record(seq, it)).collect();
            assert_eq!(begun(&records, burnt_in(&records)), expected, "{what}");
        }
    }

    #[test]
    fn the_line_of_the_burn_is_what_the_next_one_stands_on() {
        let head = Digest::of("the last line");
        let records = [record(4, put_back()), record(5, burn()), record(6, put_back())];
        assert_eq!(line_of(&records, burnt_in(&records), head.clone()), Digest::of("line 6"));
        assert_eq!(line_of(&records[..2], burnt_in(&records), head.clone()), head);
    }

    /// A journal that does not begin with its run says nothing of one.
    #[test]
    fn the_run_is_what_the_first_record_says() {
        let started = json!({
            "schema_version": 1, "run_id": "run-7", "tool": { "name": "lab-smoke" },
            "lab": { "kind": "mock", "name": "mock", "manifest": "" },
            "scenarios": [], "stops": [],
        });
        let started = json!({ "kind": "run-started", "data": started });
        let started: Kind = serde_json::from_value(started).expect("a record");
        assert_eq!(run_id(&[record(0, started.clone())]).as_deref(), Some("run-7"));
        assert_eq!(run_id(&[record(0, burn()), record(1, started)]), None);
        assert_eq!(run_id(&[]), None);
    }

    fn put_back() -> Kind {
        intent(Permit::Undo, "undo", put())
    }

    /// Neither the plan alone nor the journal alone says that the node with the burn is gone by this run.
    #[tokio::test(start_paused = true)]
    async fn the_signature_alone_is_good_only_where_the_plan_and_the_journal_have_the_nodes_end() {
        let lab = crate::deaf::open_deaf_lab();
        let region = lab.manifest.aws.region.clone();
        let id = lab.manifest.nodes[&Node::RouterdCloud].instance_id.clone().expect("an instance");
        let plan = |instance_id: &str| UndoPlanned {
            digest: Digest::of("plan"),
            steps: vec![UndoStep {
                id: "teardown".to_owned(),
                section: String::new(),
                operation: Operation::TerminateInstance {
                    instance_id: instance_id.to_owned(),
                    region: region.clone(),
                },
                restores: serde_json::Value::Null,
            }],
        };
        let ends = |permit, instance_id: &str| {
            let (instance_id, before) = (instance_id.to_owned(), "running".to_owned());
            intent(permit, "teardown", Effect::Ec2TerminateInstance { instance_id, before })
        };
        let table = [
            ("i-0", vec![ends(Permit::Undo, &id)], false),
            (id.as_str(), vec![], false),
            (&id, vec![ends(Permit::Undo, "i-0")], false),
            (&id, vec![ends(Permit::Cost, &id)], false),
            (&id, vec![ends(Permit::Undo, &id)], true),
        ];
        for (planned, kinds, asked) in table {
            let folder = tempfile::tempdir().expect("a folder");
            let journal = Writer::create(folder.path()).expect("a journal");
            for kind in kinds {
                journal.append(lab.clock.now(), kind).expect("appended");
            }
            // Nobody answers at this lab, so that EC2 cannot say that it is gone.
            let why = lab.ended_by_the_plan(&journal, &plan(planned)).await.expect_err("not seen");
            assert_eq!(!why.contains("this run has not ended"), asked, "{planned}: {why}");
        }
    }
}
