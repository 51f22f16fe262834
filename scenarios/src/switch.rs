//! The dead man's switch of a run's instances: what arms, renews and disarms all of them at once. It
//! judges nothing; who asks says what becomes of an instance whose switch cannot be armed.

use std::rc::Rc;
use std::time::Duration;

use lab::Lab;
use lab::act::{Acted, LockState, NotTried, Switch};
use lab::ec2::{Instance, InstanceState};
use reports::journal::Writer;
use reports::record::{Outcome, ResidueItem};

use crate::run::Run;

/// Whether the run arms the switch at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarding {
    #[default]
    Armed,
    /// `--leave-running`.
    LeftRunning,
}

/// The result of arming all that may be armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arming {
    /// On these instances.
    Armed(Vec<String>),
    /// There is nothing to arm, with the reason.
    Nothing(&'static str),
    /// Something that the run may stop has no switch, with the reason.
    Failed(String),
    /// Another run has the lab, and guards its instances itself.
    Held(String),
}

impl Run {
    /// Why no switch is armed in this run, where none is.
    fn guards_nothing(&self, lab: &Lab) -> Option<&'static str> {
        if self.state.borrow().guarding == Guarding::LeftRunning {
            Some("--leave-running: no dead man's switch is armed")
        } else if !lab.manifest.consent.stop_instances {
            Some("the manifest does not let the run stop instances (consent.stop_instances)")
        } else if lab.manifest.nodes.values().all(|node| node.instance_id.is_none()) {
            Some("no node is an instance")
        } else {
            None
        }
    }
}

/// Renews what this process has armed; else arms each of the lab's instances that runs, all at once: EC2
/// is asked which are the lab's, and each machine whether it is that instance.
pub async fn guard_run(
    lab: &Lab,
    run: &Run,
    journal: &Writer,
    scenario: &'static str,
    deadline: Duration,
) -> Arming {
    if let Some(why) = run.guards_nothing(lab) {
        return Arming::Nothing(why);
    }
    let armed = !run.state.borrow().switches.is_empty();
    let ids: Vec<String> =
        lab.manifest.nodes.values().filter_map(|node| node.instance_id.clone()).collect();
    let find = async { if armed { None } else { Some(lab.find_instances(&ids).await) } };
    let (lock, found) = futures::join!(lab.lock_state(&run.id), find);
    // Another run's instances are its own to guard.
    if let LockState::Other(holder) = lock {
        return Arming::Held(holder.to_string());
    }
    match found {
        None => renew_all(lab, run, journal, scenario, deadline).await,
        Some(Ok(found)) => arm_these(lab, run, journal, scenario, deadline, &found.value).await,
        Some(Err(error)) => Arming::Failed(error.to_string()),
    }
}

/// Arms these of the lab's instances that run, all at once.
pub async fn arm_these(
    lab: &Lab,
    run: &Run,
    journal: &Writer,
    scenario: &'static str,
    deadline: Duration,
    instances: &[Instance],
) -> Arming {
    if let Some(why) = run.guards_nothing(lab) {
        return Arming::Nothing(why);
    }
    let (mut switches, mut failed) = (Vec::new(), Vec::new());
    for instance in instances.iter().filter(|it| it.state == InstanceState::Running) {
        match lab.switch_of(instance) {
            Ok(switch) => switches.extend(switch.map(Rc::new)),
            Err(refused) => failed.push(format!("{}: {refused}", instance.instance_id)),
        }
    }
    let arms = switches.iter().map(async |switch| {
        let came = lab.arm_switch(switch, journal, scenario, deadline).await;
        (switch.clone(), how(came))
    });
    let came = futures::future::join_all(arms).await;
    // What nobody knows may be armed: it is renewed and disarmed as what is.
    for (switch, _) in came.iter().filter(|(_, it)| it.0 != Outcome::NotDone) {
        run.keep_switch(switch);
    }
    sum_up(failed, came)
}

/// Renews each switch that this process has armed; one whose timer is gone is armed anew.
pub async fn renew_all(
    lab: &Lab,
    run: &Run,
    journal: &Writer,
    scenario: &'static str,
    deadline: Duration,
) -> Arming {
    let switches = run.state.borrow().switches.clone();
    let renewals = switches.iter().map(async |switch| {
        let mut came = how(lab.renew_switch(switch, journal, scenario, deadline).await);
        if came.0 == Outcome::NotDone {
            came = how(lab.arm_switch(switch, journal, scenario, deadline).await);
        }
        (switch.clone(), came)
    });
    sum_up(Vec::new(), futures::future::join_all(renewals).await)
}

/// What came of all of them, with what failed before.
fn sum_up(mut failed: Vec<String>, came: Vec<(Rc<Switch>, (Outcome, String))>) -> Arming {
    let mut armed = Vec::new();
    for (switch, came) in came {
        match came {
            (Outcome::Done, _) => armed.push(switch.instance_id().to_owned()),
            (_, why) => failed.push(format!("{} ({}): {why}", switch.instance_id(), switch.node())),
        }
    }
    if failed.is_empty() { Arming::Armed(armed) } else { Arming::Failed(failed.join("; ")) }
}

/// Disarms the switches of instances that are to go on running, and answers those that could not be: they
/// are left.
pub async fn disarm_all(lab: &Lab, run: &Run, journal: &Writer) -> Vec<ResidueItem> {
    let switches = std::mem::take(&mut run.state.borrow_mut().switches);
    let ends = switches.iter().map(async |switch| {
        let mut came = how(lab.disarm_switch(switch, journal, "teardown").await);
        if came.0 == Outcome::NotDone {
            // What is certainly not done is asked again, once.
            came = how(lab.disarm_switch(switch, journal, "teardown").await);
        }
        (switch, came)
    });
    let mut left = Vec::new();
    for (switch, came) in futures::future::join_all(ends).await {
        if came.0 != Outcome::Done {
            left.push(ResidueItem {
                resource: format!("dead man's switch on {}", switch.node()),
                id: switch.instance_id().to_owned(),
                why: format!("it was not disarmed and powers the instance off: {}", came.1),
                costs_money: false,
                owner_commands: vec![switch.owner_command()],
            });
        }
    }
    left
}

fn how(came: Result<Acted<()>, NotTried>) -> (Outcome, String) {
    match came {
        Ok(acted) => (acted.outcome, acted.detail),
        Err(error) => (Outcome::NotDone, error.to_string()),
    }
}

impl Run {
    fn keep_switch(&self, switch: &Rc<Switch>) {
        let mut state = self.state.borrow_mut();
        state.switches.retain(|it| it.instance_id() != switch.instance_id());
        state.switches.push(switch.clone());
    }
}
