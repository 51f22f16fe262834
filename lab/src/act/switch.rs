//! The dead man's switch of the instances: armed, renewed and disarmed over ssh, with a permit for cost
//! alone. It holds the clock where no process does any more, and needs no right on AWS.

use std::time::Duration;

use reports::journal::Writer;
use reports::record::{Effect, Outcome};

use super::{Acted, Finding, Mutation, NotTried, record_outcome};
use crate::Lab;
use crate::ec2::Instance;
use crate::node::Node;
use crate::permit::{Cost, PermitRefused, PowerChange};
use crate::shell::{Action, Observe, SWITCH, SwitchSeen};

/// The deadlines of the switch, and how often the timer looks at them. Seconds in a test of the kernel
/// lab; see [`Lab::with_switch_times`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchTimes {
    /// From the beginning of a wait for the owner's go, never renewed: hard stop 7, and two minutes in
    /// which whoever waits does it himself.
    pub waiting: Duration,
    /// From each renewal while a run works.
    pub working: Duration,
    /// How often the timer looks.
    pub every: Duration,
}

impl Default for SwitchTimes {
    fn default() -> Self {
        Self {
            waiting: Duration::from_mins(12),
            working: Duration::from_mins(10),
            every: Duration::from_secs(30),
        }
    }
}

/// The switch of one instance that the run may stop.
#[derive(Debug)]
pub struct Switch {
    node: Node,
    permit: Cost,
}

impl Switch {
    /// The node that it powers off.
    pub fn node(&self) -> Node {
        self.node
    }

    /// The instance that the node is.
    pub fn instance_id(&self) -> &str {
        self.permit.instance_id()
    }

    /// The command with which the owner disarms it, on its node.
    pub fn owner_command(&self) -> String {
        format!("sudo systemctl stop {}.timer && sudo rm -f {}", SWITCH.name, SWITCH.path)
    }
}

impl Lab {
    /// The deadlines of the dead man's switch.
    pub fn switch_times(&self) -> SwitchTimes {
        self.switch_times
    }

    /// The same lab, with other deadlines of the switch.
    #[must_use]
    pub fn with_switch_times(mut self, switch_times: SwitchTimes) -> Self {
        self.switch_times = switch_times;
        self
    }

    /// The switch of this instance, which is none where it is no node of the manifest. Fails where the run
    /// may not stop it.
    pub fn switch_of(&self, instance: &Instance) -> Result<Option<Switch>, PermitRefused> {
        let is = |id: &Option<String>| id.as_ref() == Some(&instance.instance_id);
        let mut nodes = self.manifest.nodes.iter();
        let Some((node, _)) = nodes.find(|(_, entry)| is(&entry.instance_id)) else {
            return Ok(None);
        };
        let permit = Cost::to_switch(&self.manifest, instance)?;
        Ok(Some(Switch { node: *node, permit }))
    }

    /// Arms the switch, or renews the one that is armed there, once the machine itself says that it is
    /// this instance.
    pub async fn arm_switch(
        &self,
        switch: &Switch,
        journal: &Writer,
        scenario: &'static str,
        deadline: Duration,
    ) -> Result<Acted<()>, NotTried> {
        let effect = Effect::ArmSwitch {
            node: switch.node.to_string(),
            instance_id: switch.instance_id().to_owned(),
            unit: SWITCH.name.to_owned(),
            path: SWITCH.path.to_owned(),
            deadline_seconds: deadline.as_secs(),
        };
        let every = self.switch_times.every;
        let action = Action::arm_switch(switch.instance_id(), &SWITCH, deadline, every);
        self.switch(switch, journal, scenario, effect, &action).await
    }

    /// Renews the switch by one atomic write. `not-done` where its timer is gone: it is armed anew then.
    pub async fn renew_switch(
        &self,
        switch: &Switch,
        journal: &Writer,
        scenario: &'static str,
        deadline: Duration,
    ) -> Result<Acted<()>, NotTried> {
        let effect = Effect::RenewSwitch {
            node: switch.node.to_string(),
            instance_id: switch.instance_id().to_owned(),
            unit: SWITCH.name.to_owned(),
            path: SWITCH.path.to_owned(),
            deadline_seconds: deadline.as_secs(),
        };
        let action = Action::renew_switch(&SWITCH, deadline);
        self.switch(switch, journal, scenario, effect, &action).await
    }

    /// Disarms the switch of an instance that is to go on running.
    pub async fn disarm_switch(
        &self,
        switch: &Switch,
        journal: &Writer,
        scenario: &'static str,
    ) -> Result<Acted<()>, NotTried> {
        let effect = Effect::DisarmSwitch {
            node: switch.node.to_string(),
            instance_id: switch.instance_id().to_owned(),
            unit: SWITCH.name.to_owned(),
            path: SWITCH.path.to_owned(),
        };
        let action = Action::disarm_switch(&SWITCH);
        self.switch(switch, journal, scenario, effect, &action).await
    }

    async fn switch(
        &self,
        switch: &Switch,
        journal: &Writer,
        scenario: &'static str,
        effect: Effect,
        action: &Action,
    ) -> Result<Acted<()>, NotTried> {
        switch.permit.is_to(PowerChange::Switch)?;
        let wanted = WantedSwitch::of(&effect);
        let intent =
            Mutation { scenario, effect, undo: None }.begin(self, &switch.permit, journal)?;
        let (outcome, detail) = match self.shell.act(switch.node, action).await {
            Ok(output) if output.code == 0 => {
                let said = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
                let said = said.trim();
                (Outcome::Done, if said.is_empty() { "disarmed" } else { said }.to_owned())
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                (Outcome::NotDone, said)
            }
            Err(error) if error.why.never_sent() => (Outcome::NotDone, error.to_string()),
            Err(error) => {
                let (outcome, seen) = self.look_at_switch(switch.node, wanted).await;
                (outcome, format!("{error}; {seen}"))
            }
        };
        let acted = Acted { outcome, detail, samples: Vec::new(), value: () };
        Ok(record_outcome(self, journal, &intent, acted))
    }

    /// The node's word on its switch.
    async fn look_at_switch(&self, node: Node, wanted: WantedSwitch) -> (Outcome, String) {
        let seen = match self.shell.observe(node, &Observe::switch(&SWITCH)).await {
            Ok(answer) => answer.value.map_err(|why| why.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match seen {
            Ok(seen) => {
                let is = wanted.is_met(seen);
                let left = seen.left_seconds.map_or_else(
                    || "nothing says when".to_owned(),
                    |left| format!("off in {left} s"),
                );
                let timer = if seen.active { "runs" } else { "does not run" };
                let outcome = if is { Outcome::Done } else { Outcome::NotDone };
                (outcome, format!("the timer {timer}, {left}"))
            }
            Err(why) => (Outcome::Unknown, why),
        }
    }

    /// Reads a switch back: where its node does not answer, its instance may be off, and the timer with it.
    pub(super) async fn find_switch(&self, effect: &Effect) -> Finding {
        let Some(id) = effect.switched_instance() else {
            return (Outcome::Unknown, "it is about no switch".to_owned(), Vec::new());
        };
        let mut nodes = self.manifest.nodes.iter();
        let Some((node, _)) = nodes.find(|(_, entry)| entry.instance_id.as_deref() == Some(id))
        else {
            let why = format!("{id} is no node of the manifest");
            return (Outcome::Unknown, why, Vec::new());
        };
        let wanted = WantedSwitch::of(effect);
        let found = self.find_instances(&[id.to_owned()]).await;
        let rests = found.as_ref().is_ok_and(|found| {
            let mut found = found.value.iter().filter(|it| it.instance_id == id);
            found.next().is_some_and(|it| !it.state.costs())
        });
        if rests {
            let outcome = match wanted {
                WantedSwitch::Armed => Outcome::NotDone,
                WantedSwitch::Disarmed => Outcome::Done,
            };
            return (outcome, format!("{id} is off, and its timer with it"), Vec::new());
        }
        let (outcome, detail) = self.look_at_switch(*node, wanted).await;
        (outcome, detail, Vec::new())
    }
}

/// How a switch is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WantedSwitch {
    Armed,
    Disarmed,
}

impl WantedSwitch {
    fn of(effect: &Effect) -> Self {
        if effect.powers_off_after().is_some() { Self::Armed } else { Self::Disarmed }
    }

    fn is_met(self, seen: SwitchSeen) -> bool {
        match self {
            Self::Armed => seen.active && seen.left_seconds.is_some(),
            Self::Disarmed => !seen.active,
        }
    }
}
