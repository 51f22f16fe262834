//! The eight hard stops of the runbook's §8, and what detects them.

use std::fmt::Write as _;

/// One way to see that a stop is reached.
#[derive(Debug)]
pub struct Detector {
    /// 1 to 8.
    pub stop: u8,
    /// Stable, as `foreign-holder`.
    pub name: &'static str,
    /// The scenarios in which it looks.
    pub checked: &'static [&'static str],
    pub what: &'static str,
}

/// The runbook's words, by number.
pub const WORDS: [&str; 8] = [
    "Credentials would pass through routerd core",
    "The action would affect a non-lab resource",
    "More than one provider is in play",
    "Rollback / cleanup is not describable beforehand",
    "The provider API returns an ambiguous / partial success",
    "A cost-bearing resource would be left running without an active test",
    "Waiting more than 10 minutes for a human decision while cloud resources are running",
    "Any command implies a production or shared mutation",
];

/// The consequence of a stop that trips, by number, beside the end of all forward work.
const DONE: [&str; 8] = [
    TAKEN_BACK,
    TAKEN_BACK,
    TAKEN_BACK,
    TAKEN_BACK,
    "the state is read back to a deadline, with all samples kept; what is then known to be this run's is undone, the rest is listed with the command that settles it; teardown follows",
    "what this run began is undone, teardown ends what the plan names; what else costs money is listed with the owner's commands",
    "the instances are stopped where the manifest consents and the tag proves them, and the run is parked (exit 3): `resume` starts them and repeats preflight; without consent or tag the run exits 6 with the commands; one that could not be stopped is found before anything is started or waited for, and nothing is begun; where the process dies, a dead man's switch on each instance that it may stop powers it off twelve minutes after the wait began",
    TAKEN_BACK,
];

const TAKEN_BACK: &str = "what this run began and can prove to be its own is undone from the undo plan, then teardown; before the go was burnt the instances are stopped instead; the rest is listed with the owner's commands";

/// The thing to do once a stop has tripped, by number, before the smoke is run again.
pub const REMEDIES: [&str; 8] = [
    "Take the credentials out of router.yaml, of routerd's unit and of whatever hands them to a plugin, and give routerd-cloud's instance the executor's profile alone; then run preflight again.",
    "Find out whose the resource is, and either take the address off it or correct the manifest; touch nothing that is not the lab's, then run preflight again.",
    "Leave one provider, aws, in router.yaml, and settle the open rows of every other; then run preflight again.",
    "Bring the lab to a state that undo can restore: the address off the ENI, undo allowed in the policy, every id of the teardown there; then run preflight again.",
    "Look at the ENI and at the row in routerd's journal, settle each with the command that is listed with it, and run again only once both show the same.",
    "End what is listed with its command, or name it under teardown.keep if it is meant to stay; raise limits.max_instance_seconds only if the run may cost that much.",
    "Decide sooner, or let the run stop the instances (consent.stop_instances and the right to do so); then `lab-smoke resume`, which starts them and repeats preflight.",
    "Use a lab that is nobody else's: correct the manifest, or take out what is shared; then run preflight again.",
];

macro_rules! detectors {
    ($($constant:ident = $stop:literal $name:literal in $checked:expr, $what:literal;)*) => {
        $(pub const $constant: Detector =
            Detector { stop: $stop, name: $name, checked: $checked, what: $what };)*
        /// All of them, in the order of the stops.
        pub const DETECTORS: &[&Detector] = &[$(&$constant),*];
    };
}

const PREFLIGHT: &[&str] = &["preflight"];
/// While these run the watchdog looks.
pub const WATCHED: &[&str] = &["gate", "plan", "import", "approve", "dry-run", "execute"];
const WATCHED_AND_RESIDUE: &[&str] =
    &["gate", "plan", "import", "approve", "dry-run", "execute", "residue"];
const WATCHED_AND_RESTORED: &[&str] =
    &["gate", "plan", "import", "approve", "dry-run", "execute", "restored"];

detectors! {
    CREDENTIALS_IN_ROUTER_YAML = 1 "credentials-in-router-yaml" in PREFLIGHT, "router.yaml holds AWS credentials, as a plugin's environment or anywhere else";
    OTHER_IDENTITY = 1 "other-identity" in PREFLIGHT, "routerd-cloud's instance has another instance profile than the executor's, or the profile another role";
    CREDENTIALS_IN_UNIT = 1 "credentials-in-unit" in PREFLIGHT, "routerd's service has AWS credentials in its environment, or in a file of it";
    EXECUTOR_IDENTITY = 1 "executor-identity" in PREFLIGHT, "on the node, with the environment that routerd gives it, the executor would be somebody else than the instance's role";
    EXECUTOR_ENVIRONMENT = 1 "executor-environment" in PREFLIGHT, "router.yaml gives a plugin a variable that is not on the closed list, as another PATH, library or endpoint";
    CREDENTIALS_IN_REQUEST = 1 "credentials-in-request" in &["plan", "approve"], "a plan or row would hand the executor something named like a secret";
    NOT_THE_LABS = 2 "not-the-labs" in &["preflight", "execute"], "the ENI or an instance is not the manifest's, or has not the lab's tag";
    FOREIGN_HOLDER = 2 "foreign-holder" in &["preflight", "gate"], "another ENI holds the address";
    FOREIGN_PLAN = 2 "foreign-plan" in &["plan", "approve", "execute", "undo"], "a plan or row names another ENI, region, address, reassignment or undo than the change set";
    OTHER_PROVIDER = 3 "other-provider" in &["preflight", "plan"], "a policy, plugin, plan or open row of another provider";
    NO_BASELINE = 4 "no-baseline" in PREFLIGHT, "the ENI's state cannot be read, so that nobody could say what undo restores";
    PRE_ASSIGNED = 4 "pre-assigned" in PREFLIGHT, "the address is on the ENI already: undo would remove what the run did not add";
    UNDO_NOT_ALLOWED = 4 "undo-not-allowed" in PREFLIGHT, "the policy does not allow undo";
    UNDO_NOT_PLANNED = 4 "undo-not-planned" in &["undo-plan"], "a step of undo or teardown cannot be written down";
    UNDO_NOT_IN_PLAN = 4 "undo-not-in-plan" in &["plan"], "a plan has not the canonical undo, so that routerd could not roll it back";
    AMBIGUOUS = 5 "ambiguous" in &["execute", "undo"], "row and ENI do not both show that an action succeeded: the row is failed, running or skipped, the two disagree, or one cannot be read";
    CLOCK_SKEW = 5 "clock-skew" in PREFLIGHT, "a node's clock is too far from the harness's for its times to prove anything";
    WOULD_BE_LEFT = 6 "would-be-left" in PREFLIGHT, "an instance, elastic IP address, unattached volume, NAT gateway or endpoint of the lab that no teardown ends and nobody means to keep";
    NEW_COST = 6 "new-cost" in WATCHED, "one of these appeared since preflight";
    CEILING = 6 "ceiling" in WATCHED_AND_RESIDUE, "the instances' running seconds exceed max_instance_seconds";
    LEFT_RUNNING = 6 "left-running" in &["residue"], "something that costs money is left";
    WAITED_TOO_LONG = 7 "waited-too-long" in &["gate"], "ten minutes passed while a decision was pending and instances ran";
    NO_RIGHT_TO_STOP = 7 "no-right-to-stop" in PREFLIGHT, "the operator may not stop an instance that the run would have to stop";
    CANNOT_BE_STOPPED = 7 "cannot-be-stopped" in PREFLIGHT, "an instance that the run could not stop, or not terminate where teardown does: protected, a spot instance, without a root on EBS, or a member of an Auto Scaling group";
    DEFAULT_VPC = 8 "default-vpc" in PREFLIGHT, "the VPC is the account's default one";
    OTHER_ACCOUNT = 8 "other-account" in PREFLIGHT, "the operator's identity is of another account than the manifest's";
    OUTSIDE_MANIFEST = 8 "outside-manifest" in PREFLIGHT, "the ENI, an instance, the subnet or the VPC is of another account, region or VPC than the manifest's, or has not the lab's tag";
    OTHER_HOST = 8 "other-host" in PREFLIGHT, "a node has another hostname or host key than the manifest's";
    SHARED = 8 "shared" in PREFLIGHT, "something else hangs on the lab: another ENI in its security group, a peering, a transit gateway, another subnet on its route table";
    POLICY = 8 "policy" in PREFLIGHT, "the policy is wider than the change set, unreadable, or approves by itself";
    POLICY_CHANGED = 8 "policy-changed" in WATCHED_AND_RESTORED, "router.yaml is not what preflight read: a policy may approve by itself by now";
    OTHER_CONFIG = 8 "other-config" in PREFLIGHT, "routerd's service has another router.yaml or database than the manifest names";
    UNKNOWN_CAPTURE = 8 "unknown-capture" in PREFLIGHT, "the ENI has an address, or the subnet a route to it, that no row of routerd's journal knows: a dirty fabric beside a fresh database";
    ADDRESS_AGENT = 8 "address-agent" in PREFLIGHT, "on routerd-cloud an agent is active that would give its interface the captured address, at a time when nobody looks any more";
    ROLE = 8 "role" in PREFLIGHT, "the executor's role may more, or elsewhere, than the runbook's four actions on the ENI";
    LOCK_LOST = 8 "lock-lost" in &["execute"], "the lab's lock is gone from the node, or another run's: the lab is shared";
    FOREIGN_ROWS = 8 "foreign-rows" in &["preflight", "import", "restored"], "routerd's journal has open rows before the run, or new ones during or after it, that are not the run's";
}

const HEAD: &str = "# The hard stops

<!-- Rendered from scenarios/src/stops.rs; INSTA_UPDATE=always writes it anew. -->

The runbook's §8 in its own words, what detects each, where it looks, and what is done. A stop that trips ends the
forward work at once: no effect is begun after it.

Where a detector looks is checked against the records of runs by `tests/matrix/stops.rs`; which fault trips it first stands in
[SENSITIVITY.md](SENSITIVITY.md). While `gate` to `execute` run, the watchdog looks at what costs money and at
router.yaml; it judges what it saw at the end of each of these scenarios, and after each of the two executions.
`recover` runs `undo`, `restored` and `residue`, and their detectors with them.

A look of the watchdog that sees nothing stands in the evidence as a repeated read, and its detector has not looked
then. The next look is the second try; if that sees nothing either, the detector trips.
";

/// Things that can be a sign of a stop and are not looked for, with the reason.
const UNSEEN: &[(u8, &str, &str)] = &[
    (
        1,
        "the environment of a routerd daemon that runs already (`/proc/PID/environ`)",
        "its unit says what the next start would hand it; the runbook's lab runs no daemon, and an executor gets a PATH and its plugin's `spec.env` alone",
    ),
    (
        1,
        "what a program between routerd and its executor might add",
        "routerd starts the executor itself; the executor's file is in the facts by digest",
    ),
    (
        5,
        "what an executor did that EC2's describe does not show",
        "EC2 is the only witness; its answer is read until it settles, and all samples are kept",
    ),
    (
        6,
        "what costs money outside the lab's VPC and without its tag",
        "the operator's identity may not look at everything, and nothing says that it is the lab's",
    ),
    (
        6,
        "a time to live that is written on the resources themselves",
        "the manifest knows no such tag: what limits a lab's life is `max_instance_seconds`",
    ),
    (
        8,
        "a router.yaml that somebody hands to routerctl by hand",
        "the harness gives its own, by the manifest, in every command; another one shows only in the rows that it makes",
    ),
];

/// The signs that the contract with routerd lists for each stop (§9.4), in its order, and who sees
/// each.
const SIGNS: &[(u8, &str, &[&Detector])] = &[
    (
        1,
        "AWS keys or tokens in a plugin's env, the unit's environment, router.yaml",
        &[&CREDENTIALS_IN_ROUTER_YAML, &CREDENTIALS_IN_UNIT, &EXECUTOR_ENVIRONMENT],
    ),
    (
        1,
        "the executor's identity is not the instance's role",
        &[&OTHER_IDENTITY, &EXECUTOR_IDENTITY],
    ),
    (1, "a request with keys that are named like secrets", &[&CREDENTIALS_IN_REQUEST]),
    (
        2,
        "ENI, instance, subnet or VPC that the manifest does not name, or without the lab's tag",
        &[&NOT_THE_LABS, &OUTSIDE_MANIFEST],
    ),
    (2, "a row with another ENI, region or address", &[&FOREIGN_PLAN]),
    (
        2,
        "allowReassignment, unless it was approved and the address is proved free",
        &[&FOREIGN_PLAN, &FOREIGN_HOLDER],
    ),
    (2, "the address is held by another ENI", &[&FOREIGN_HOLDER]),
    (3, "a plan, row or executor of another provider", &[&OTHER_PROVIDER]),
    (3, "allowedProviders is not aws alone", &[&OTHER_PROVIDER]),
    (3, "pending or approved rows of other providers", &[&OTHER_PROVIDER]),
    (4, "a plan without the canonical undo", &[&UNDO_NOT_IN_PLAN, &UNDO_NOT_PLANNED]),
    (4, "allowUndo is false", &[&UNDO_NOT_ALLOWED]),
    (4, "no baseline; a forwarding undo without a prior that can be read", &[&NO_BASELINE]),
    (4, "the address is assigned already", &[&PRE_ASSIGNED]),
    (5, "failed, running or skipped after an execution", &[&AMBIGUOUS]),
    (5, "an exit code, a lost connection: what came of it is read back", &[&AMBIGUOUS]),
    (5, "journal and describe disagree, or describe cannot be read", &[&AMBIGUOUS]),
    (6, "instances run and nobody tests", &[&CEILING, &WAITED_TOO_LONG]),
    (6, "the run ends with running instances, addresses or volumes", &[&LEFT_RUNNING]),
    (7, "instances run while a decision is pending", &[&WAITED_TOO_LONG]),
    (8, "a host without the lab's mark", &[&OTHER_HOST, &OUTSIDE_MANIFEST]),
    (8, "another account or region", &[&OTHER_ACCOUNT, &OUTSIDE_MANIFEST]),
    (8, "the default VPC", &[&DEFAULT_VPC]),
    (8, "another configuration or database than the lab's", &[&OTHER_CONFIG]),
    (8, "a policy that is wider than the manifest", &[&POLICY, &POLICY_CHANGED]),
];

fn signs(text: &mut String) {
    text.push_str("\n## The contract's signs\n\n| stop | sign | seen by |\n|---|---|---|\n");
    for (stop, sign, by) in SIGNS {
        let by: Vec<_> = by.iter().map(|it| format!("`{}`", it.name)).collect();
        let _ = writeln!(text, "| {stop} | {sign} | {} |", by.join(", "));
    }
}

fn unseen(text: &mut String) {
    text.push_str(
        "\n## What is not seen\n\n| stop | sign | why it is not looked for |\n|---|---|---|\n",
    );
    for (stop, sign, why) in UNSEEN {
        let _ = writeln!(text, "| {stop} | {sign} | {why} |");
    }
}

/// `docs/HARD-STOPS.md`.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for ((words, done), stop) in WORDS.iter().zip(DONE).zip(1..) {
        let _ = write!(
            text,
            "\n## {stop}. {words}\n\nThen {done}.\n\n| detector | it sees | it looks in |\n|---|---|---|\n"
        );
        for detector in DETECTORS.iter().filter(|detector| detector.stop == stop) {
            let places: Vec<_> = detector.checked.iter().map(|it| format!("`{it}`")).collect();
            let (name, what, places) = (detector.name, detector.what, places.join(", "));
            let _ = writeln!(text, "| `{name}` | {what} | {places} |");
        }
    }
    signs(&mut text);
    unseen(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_has_a_detector_and_every_name_is_unique() {
        for stop in 1..=8 {
            assert!(DETECTORS.iter().any(|detector| detector.stop == stop), "stop {stop}");
        }
        let mut names: Vec<_> = DETECTORS.iter().map(|detector| detector.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DETECTORS.len());
    }
}
