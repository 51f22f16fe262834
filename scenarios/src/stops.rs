//! The eight hard stops of the runbook's §8, and what detects them.

/// One way to see that a stop is reached.
#[derive(Debug)]
pub struct Detector {
    /// 1 to 8.
    pub stop: u8,
    /// Stable, as `foreign-holder`.
    pub name: &'static str,
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

macro_rules! detectors {
    ($($constant:ident = $stop:literal $name:literal $what:literal;)*) => {
        $(pub const $constant: Detector = Detector { stop: $stop, name: $name, what: $what };)*
        /// All of them, in the order of the stops.
        pub const DETECTORS: &[&Detector] = &[$(&$constant),*];
    };
}

detectors! {
    CREDENTIALS_IN_ROUTER_YAML = 1 "credentials-in-router-yaml" "a plugin's environment in router.yaml holds AWS credentials";
    OTHER_IDENTITY = 1 "other-identity" "routerd-cloud's instance has another instance profile than the executor's";
    NOT_THE_LABS = 2 "not-the-labs" "the ENI, its instance, subnet or VPC is not the manifest's, or has not the lab's tag";
    FOREIGN_HOLDER = 2 "foreign-holder" "another ENI holds the address";
    FOREIGN_PLAN = 2 "foreign-plan" "a plan or row names another ENI, region, address or reassignment than the change set";
    OTHER_PROVIDER = 3 "other-provider" "a policy, plugin, plan or row of another provider";
    PRE_ASSIGNED = 4 "pre-assigned" "the address is on the ENI already: undo would remove what the run did not add";
    UNDO_NOT_ALLOWED = 4 "undo-not-allowed" "the policy does not allow undo";
    UNDO_NOT_PLANNED = 4 "undo-not-planned" "a step of undo or teardown cannot be written down";
    AMBIGUOUS = 5 "ambiguous" "row and ENI do not agree that an action succeeded";
    CLOCK_SKEW = 5 "clock-skew" "a node's clock is too far from the harness's for its times to prove anything";
    CEILING = 6 "ceiling" "the instances' running seconds exceed max_instance_seconds";
    LEFT_RUNNING = 6 "left-running" "something that costs money is left";
    WAITED_TOO_LONG = 7 "waited-too-long" "ten minutes passed while a decision was pending and instances ran";
    DEFAULT_VPC = 8 "default-vpc" "the VPC is the account's default one";
    OTHER_ACCOUNT = 8 "other-account" "the operator's identity is of another account than the manifest's";
    POLICY = 8 "policy" "the policy is wider than the change set, unreadable, or approves by itself";
    ROLE = 8 "role" "the executor's role may more, or elsewhere, than the runbook's four actions on the ENI";
    FOREIGN_ROWS = 8 "foreign-rows" "routerd's journal has pending, approved or running rows that are nobody's run";
}

/// The table of `docs/HARD-STOPS.md`.
pub fn markdown() -> String {
    let mut text = "# The hard stops\n\n<!-- Rendered from scenarios/src/stops.rs; \
                    UPDATE_DOCS=1 writes it again. -->\n\n\
                    The runbook's §8 in its own words, and what detects each. A tripped stop ends the \
                    forward work at once; what\nthis run began and can prove to be its own is undone \
                    from the undo plan, teardown follows, and whatever is\nambiguous is left alone \
                    and listed with the owner's commands. Number 7 parks the run instead.\n\n\
                    | stop | the runbook's words | detector | what it sees |\n|---|---|---|---|\n"
        .to_owned();
    let row = |detector: &&Detector| {
        let words = WORDS[usize::from(detector.stop) - 1];
        let (stop, name, what) = (detector.stop, detector.name, detector.what);
        format!("| {stop} | {words} | `{name}` | {what} |\n")
    };
    text.extend(DETECTORS.iter().map(row));
    text.push_str(
        "\nWhich fault trips which detector first stands in [SENSITIVITY.md](SENSITIVITY.md).\n",
    );
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
