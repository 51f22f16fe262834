//! The runbook as one table.

use futures::future::LocalBoxFuture;
use lab::Lab;
use reports::record::{Chapter, Class, Duty};

use crate::context::Context;
use crate::{
    approve, claim_ready, cloud_unchanged, default_gateway, doctor, dry_run, eni_address, execute,
    gate, import, no_nat, node_unchanged, os_address, ping, plan, preflight, residue, restored,
    source_dest_check, ssh, teardown, undo, undo_plan,
};

/// One scenario.
pub struct Scenario {
    pub name: &'static str,
    /// The section of the runbook.
    pub section: &'static str,
    /// The question that it answers, for people.
    pub question: &'static str,
    pub class: Class,
    /// The scenarios that must have passed before.
    pub needs: &'static [&'static str],
    pub leg: Leg,
    /// For what the verdict asks it, beside its assertions.
    pub duty: Option<Duty>,
    /// Every assertion that it makes; one that it does not come to is never taken for passed.
    pub asserts: &'static [&'static str],
    /// The reasons for which it may be not applicable.
    pub not_applicable: &'static [&'static str],
    pub run: RunFn,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Scenario {
    /// The part of a run that people look for it in.
    pub fn chapter(&self) -> Chapter {
        match (self.leg, self.duty, self.name) {
            (Leg::Forward, Some(Duty::Decides), _) | (Leg::Forward, _, "gate") => Chapter::Before,
            (Leg::Forward, ..) => Chapter::Change,
            (Leg::Acceptance, ..) => Chapter::Proof,
            (Leg::Back, ..) => Chapter::Back,
        }
    }
}

type RunFn = for<'a> fn(&'a Lab, &'a mut Context<'_>) -> LocalBoxFuture<'a, ()>;

/// Which part of a run a scenario belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// One after the other; the first that does not pass ends them.
    Forward,
    /// All at the same time.
    Acceptance,
    /// Whatever happened, once the go is burnt.
    Back,
}

macro_rules! scenario {
    ($name:literal, $section:literal, $question:literal, $class:ident, $leg:ident, needs $needs:expr, $module:ident) => {
        scenario!($name, $section, $question, $class, $leg, needs $needs, $module, None)
    };
    ($name:literal, $section:literal, $question:literal, $class:ident, $leg:ident, needs $needs:expr, $module:ident, that $duty:ident) => {
        scenario!($name, $section, $question, $class, $leg, needs $needs, $module, Some(Duty::$duty))
    };
    ($name:literal, $section:literal, $question:literal, $class:ident, $leg:ident, needs $needs:expr, $module:ident, $duty:expr) => {
        Scenario {
            name: $name,
            section: $section,
            question: $question,
            class: Class::$class,
            needs: $needs,
            leg: Leg::$leg,
            duty: $duty,
            asserts: $module::ASSERTS,
            not_applicable: $module::NOT_APPLICABLE,
            run: |lab, ctx| Box::pin($module::run(lab, ctx)),
        }
    };
}

/// The order is the runbook's.
pub static SEQUENCE: &[Scenario] = &[
    scenario!("preflight", "§4", "Is this the lab in the manifest, and is nothing in the way?", ReadOnly, Forward, needs & [], preflight, that Decides),
    scenario!("undo-plan", "§6", "Is every step back written down beforehand?", ReadOnly, Forward, needs & ["preflight"], undo_plan, that Decides),
    scenario!(
        "gate",
        "§9",
        "Did an allowed owner say go, for exactly this?",
        Node,
        Forward,
        needs & ["undo-plan"],
        gate
    ),
    scenario!(
        "plan",
        "§7.1",
        "Does routerd plan exactly the granted changes?",
        Node,
        Forward,
        needs & ["gate"],
        plan
    ),
    scenario!(
        "import",
        "§7.2",
        "Are these, and only these, in routerd's journal?",
        Node,
        Forward,
        needs & ["plan"],
        import
    ),
    scenario!(
        "approve",
        "§7.3",
        "Are all of them approved, as granted?",
        Node,
        Forward,
        needs & ["import"],
        approve
    ),
    scenario!(
        "dry-run",
        "§2",
        "Does the preview change nothing?",
        Node,
        Forward,
        needs & ["approve"],
        dry_run
    ),
    scenario!(
        "execute",
        "§7.4",
        "Were the changes made, in the journal and on the interface?",
        Mutating,
        Forward,
        needs & ["dry-run"],
        execute
    ),
    scenario!(
        "eni-address",
        "§7",
        "Does AWS show the address on the interface, and nothing else?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        eni_address
    ),
    scenario!(
        "source-dest-check",
        "§7",
        "Is the source/destination check off, as AWS sees it?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        source_dest_check
    ),
    scenario!(
        "os-address",
        "§7",
        "Did the router's own system leave the address alone?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        os_address
    ),
    scenario!(
        "claim-ready",
        "§7",
        "Is routerd's own claim ready?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        claim_ready
    ),
    scenario!(
        "doctor",
        "§7",
        "Is routerd's own diagnosis clean?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        doctor
    ),
    scenario!(
        "ping",
        "§7",
        "Do the two clients reach each other?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        ping
    ),
    scenario!(
        "ssh",
        "§7",
        "Can they log in to each other, and does a payload arrive whole?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        ssh
    ),
    scenario!(
        "no-nat",
        "§7",
        "Does nobody translate addresses on the way?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        no_nat
    ),
    scenario!(
        "default-gateway",
        "§7",
        "Are all default routes unchanged?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        default_gateway
    ),
    scenario!(
        "node-state",
        "§7",
        "Is all else on the nodes unchanged?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        node_unchanged
    ),
    scenario!(
        "cloud-state",
        "§7",
        "Is all else in the cloud unchanged?",
        ReadOnly,
        Acceptance,
        needs & ["execute"],
        cloud_unchanged
    ),
    scenario!(
        "undo",
        "§6.1",
        "Were the changes taken back?",
        Mutating,
        Back,
        needs & ["gate"],
        undo
    ),
    scenario!("restored", "§6.1", "Is the lab as it was before?", ReadOnly, Back, needs & ["undo"], restored, that Restores),
    scenario!(
        "teardown",
        "§6.3",
        "Is ended what the manifest ends?",
        Destructive,
        Back,
        needs & ["restored"],
        teardown
    ),
    scenario!("residue", "§8.6", "Is nothing left that costs money?", ReadOnly, Back, needs & ["teardown"], residue, that Accounts),
];

/// By name.
pub fn find_scenario(name: &str) -> Option<&'static Scenario> {
    SEQUENCE.iter().find(|scenario| scenario.name == name)
}

/// Everything that `name` needs, directly or not, in the order of the sequence.
pub fn list_prerequisites(name: &str) -> Vec<&'static str> {
    let mut wanted: Vec<&'static str> = Vec::new();
    let mut open: Vec<&'static str> =
        find_scenario(name).map(|s| s.needs.to_vec()).unwrap_or_default();
    while let Some(next) = open.pop() {
        if !wanted.contains(&next) {
            wanted.push(next);
            open.extend(find_scenario(next).map(|s| s.needs.to_vec()).unwrap_or_default());
        }
    }
    SEQUENCE.iter().map(|s| s.name).filter(|name| wanted.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_point_backwards_and_names_are_unique() {
        for (index, scenario) in SEQUENCE.iter().enumerate() {
            for need in scenario.needs {
                let at = SEQUENCE.iter().position(|other| other.name == *need);
                assert!(at.is_some_and(|at| at < index), "{} needs {need}", scenario.name);
            }
            let same = SEQUENCE.iter().filter(|other| other.name == scenario.name).count();
            assert_eq!(same, 1, "{}", scenario.name);
        }
    }

    #[test]
    fn every_scenario_asks_a_question_of_its_own() {
        for scenario in SEQUENCE {
            assert!(scenario.question.ends_with('?'), "{} asks nothing", scenario.name);
            let same = SEQUENCE.iter().filter(|other| other.question == scenario.question).count();
            assert_eq!(same, 1, "{}", scenario.question);
        }
    }

    #[test]
    fn every_assertion_is_named_after_its_scenario() {
        for scenario in SEQUENCE {
            assert!(!scenario.asserts.is_empty(), "{} cannot fail", scenario.name);
            for id in scenario.asserts {
                let prefix = format!("{}.", scenario.name);
                assert!(id.starts_with(&prefix), "{id} in {}", scenario.name);
            }
        }
    }

    /// The verdict asks these and knows no name of a scenario.
    #[test]
    fn each_duty_is_somebodys() {
        let with = |duty| -> Vec<_> {
            SEQUENCE.iter().filter(|it| it.duty == Some(duty)).map(|it| it.name).collect()
        };
        assert_eq!(with(Duty::Decides), list_prerequisites("gate"));
        assert_eq!(with(Duty::Restores), ["restored"]);
        assert_eq!(with(Duty::Accounts), ["residue"]);
    }

    #[test]
    fn a_scenario_is_shown_by_its_name() {
        assert_eq!(format!("{:?}", find_scenario("ping")), "Some(ping)");
    }

    #[test]
    fn ping_needs_all_that_leads_to_execute() {
        let needed = list_prerequisites("ping");
        assert_eq!(
            needed,
            ["preflight", "undo-plan", "gate", "plan", "import", "approve", "dry-run", "execute"]
        );
    }
}
