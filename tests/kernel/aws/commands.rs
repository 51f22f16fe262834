//! Every command of a run, as an ordinary user and by the rendered policies alone: parked and gone on with,
//! refused by its owner, and in one command to the end of the lab.

use std::collections::BTreeSet;
use std::process::Stdio;

use lab::manifest::Reach;
use lab::node::Node;
use lab_mock::cloud::{InstanceState, OperatorsPolicies};
use lab_mock::faults::inject_fault;
use lab_mock::world::World;
use reports::evidence::Evidence;
use reports::record::{IdentityLink, Renewal, Verdict};

use super::place::{AwsPlace, CallingAs};
use crate::netns::place::words;

pub fn use_every_command() -> Result<(), String> {
    let aws = AwsPlace::new(CallingAs::Ordinary, |manifest| {
        if let Some(client) = manifest.nodes.get_mut(&Node::CloudClient) {
            client.reach = Some(Reach::Public);
        }
    })?;
    by_the_policies_alone(&aws)?;
    aws.call("lab check lab.toml", 0)?;
    aws.call("doctor --lab lab.toml", 0)?;
    // Parked, granted and gone on with.
    aws.call("preflight --lab lab.toml --out first", 3)?;
    aws.call("resume first", 3)?;
    aws.grant("first")?;
    // How a node is reached is the operator's own: the go is for the lab.
    aws.edit(|manifest| {
        let client = manifest.nodes.get_mut(&Node::CloudClient).ok_or("no client")?;
        client.port = Some(2022);
        Ok(())
    })?;
    aws.call("resume first", 0)?;
    let evidence = aws.evidence("first")?;
    was_asked_as_described(&evidence, Verdict::Pass)?;
    was_found_at_its_new_address(&evidence)?;
    aws.call("report first", 0)?;
    // A lab on AWS grants itself nothing: that is a preflight, and its owner says no. What is about to run
    // is waited for and stopped.
    aws.call("run --lab lab.toml --out second", 3)?;
    aws.change(|world| enters(world, InstanceState::Pending))?;
    aws.call("recover second", 0)?;
    was_asked_as_described(&aws.evidence("second")?, Verdict::Interrupted)?;
    all_are(&aws, InstanceState::Stopped)?;
    in_one_command(&aws)
}

/// What is still stopping is woken once it rests; in the end all of it goes, though EC2 says at first that
/// the volume is in use.
fn in_one_command(aws: &AwsPlace) -> Result<(), String> {
    aws.edit(|manifest| {
        manifest.consent.start_instances = true;
        manifest.teardown = aws.ends.clone();
        Ok(())
    })?;
    aws.change(|world| {
        inject_fault(world, "volume-lingers=2").map_err(|_| "no such fault")?;
        enters(world, InstanceState::Stopping)
    })?;
    waits_for_the_go(aws)?;
    let evidence = aws.evidence("third")?;
    was_asked_as_described(&evidence, Verdict::Pass)?;
    all_are(aws, InstanceState::Terminated)?;
    let cloud = aws.world()?.cloud;
    let volume = |id: &String| cloud.volumes.contains_key(id);
    let address = |id: &String| cloud.addresses.contains_key(id);
    let ends = &aws.ends;
    if ends.delete_volumes.is_empty() || ends.release_addresses.is_empty() {
        return Err("nothing outlives the instances".to_owned());
    }
    if ends.delete_volumes.iter().any(volume) || ends.release_addresses.iter().any(address) {
        return Err(format!("something of it is left: {ends:?}"));
    }
    Ok(())
}

/// The operator has the two policies that the program writes for him, and the role has its one.
fn by_the_policies_alone(aws: &AwsPlace) -> Result<(), String> {
    let mut policies = aws.rendered_policies()?;
    aws.change(|world| {
        let cloud = &mut world.cloud;
        cloud.options.operators_policies = OperatorsPolicies::Asked;
        let executor = policies.remove("executor").ok_or("no policy for the executor")?;
        let role = cloud.iam.roles.values_mut().next().ok_or("no role")?;
        role.attached_policies.clear();
        role.inline_policies = [("executor".to_owned(), executor.to_string())].into();
        let arn = &cloud.operator.arn;
        let user = cloud.iam.users.values_mut().find(|it| it.arn == *arn).ok_or("no operator")?;
        user.attached_policies.clear();
        user.inline_policies =
            policies.into_iter().map(|(name, it)| (name, it.to_string())).collect();
        Ok(())
    })
}

/// Puts the instances into a state, from which they go on by themselves.
fn enters(world: &mut World, state: InstanceState) -> Result<(), &'static str> {
    let now = lab::clock::Clock::System.now();
    world.cloud.instances.values_mut().for_each(|instance| instance.enter(state, now));
    if world.cloud.instances.is_empty() { Err("no instance") } else { Ok(()) }
}

fn all_are(aws: &AwsPlace, wanted: InstanceState) -> Result<(), String> {
    let world = aws.world()?;
    let now = lab::clock::Clock::System.now();
    let states: Vec<_> = world.cloud.instances.values().map(|it| it.state_at(now)).collect();
    if states.iter().all(|it| *it == wanted) { Ok(()) } else { Err(format!("{states:?}")) }
}

fn waits_for_the_go(aws: &AwsPlace) -> Result<(), String> {
    let mut command = aws.command("run --lab lab.toml --out third --wait-go 5m");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(words)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(words)? {
            break status;
        }
        if aws.grant("third").is_ok() {
            break child.wait().map_err(words)?;
        }
    };
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}

/// A stop takes the public address away, and a start gives another.
fn was_found_at_its_new_address(evidence: &Evidence) -> Result<(), String> {
    let client = evidence.addresses.iter().filter(|it| it.node == "cloud-client");
    let seen: BTreeSet<_> = client.filter_map(|it| it.address.as_ref()).collect();
    if seen.len() > 1 { Ok(()) } else { Err(format!("its addresses: {:?}", evidence.addresses)) }
}

/// The operator, the endpoints and the addresses stand in the evidence, and that this was not AWS.
fn was_asked_as_described(evidence: &Evidence, verdict: Verdict) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {:?} {:?}", evidence.operator, evidence.verdict));
    let Some(operator) = &evidence.operator else { return wrong("nobody asked") };
    if (operator.link, operator.renewal) != (IdentityLink::Ambient, Renewal::NotNeeded) {
        return wrong("another identity");
    }
    if operator.elsewhere.len() != 3 || !operator.caller.starts_with("arn:aws:") {
        return wrong("another endpoint, or nobody");
    }
    let shortened = evidence.facts.as_ref().map(|facts| facts.shortened_waits.len());
    if shortened != Some(3) {
        return wrong("the owner was not told of the shorter waits");
    }
    let signed = evidence.facts.as_ref().map(|facts| facts.elsewhere.len());
    if signed != Some(3) {
        return wrong("the owner was not told of the endpoints");
    }
    if !evidence.addresses.iter().any(|it| it.node == "routerd-cloud" && it.address.is_some()) {
        return wrong("no address was read");
    }
    let said = evidence.verdict.reasons.iter().any(|it| it.starts_with("this was not AWS: "));
    if !said || evidence.verdict.verdict != verdict {
        return wrong("another verdict");
    }
    Ok(())
}
