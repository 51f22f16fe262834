//! From `NAME=ARG` to a world in which it goes wrong.

use super::fault::Fault;
use super::kernel::{Deed, KernelMeans};
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFault {
    #[error("there is no fault `{0}`; `lab-smoke faults` lists them")]
    Unknown(String),
    #[error("the fault `{0}` takes no argument")]
    NoArgument(&'static str),
    #[error("`{argument}` is no argument of the fault `{name}`: {why}")]
    Argument { name: &'static str, argument: String, why: String },
}

/// Finds the fault, and its argument or its default one.
pub fn parse_fault(text: &str) -> Result<(&'static Fault, String), BadFault> {
    let (name, argument) = match text.split_once('=') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text, None),
    };
    let fault = super::all_faults()
        .find(|fault| fault.name == name)
        .ok_or_else(|| BadFault::Unknown(name.to_owned()))?;
    match (fault.argument, argument) {
        (None, Some(_)) => Err(BadFault::NoArgument(fault.name)),
        (default, given) => Ok((fault, given.or(default).unwrap_or_default().to_owned())),
    }
}

/// Puts a fault into the world.
pub fn inject_fault(world: &mut World, text: &str) -> Result<(), BadFault> {
    let (fault, argument) = parse_fault(text)?;
    let rules = rule_count(world);
    (fault.inject)(world, &argument).map_err(|why| BadFault::Argument {
        name: fault.name,
        argument: argument.clone(),
        why,
    })?;
    if rule_count(world) == rules {
        world.faults.injected.push(fault.name.to_owned());
    }
    Ok(())
}

/// The deeds that are done to the kernel lab's nodes for a fault; none where it has no means there.
///
/// # Errors
/// Where there is no such fault, or it does not take the argument.
pub fn find_deeds(text: &str) -> Result<Option<Vec<Deed>>, BadFault> {
    let (fault, argument) = parse_fault(text)?;
    match fault.kernel {
        KernelMeans::Nothing => Ok(None),
        KernelMeans::World => Ok(Some(Vec::new())),
        KernelMeans::Nodes(deeds) => match deeds(&argument) {
            Ok(deeds) => Ok(Some(deeds)),
            Err(why) => Err(BadFault::Argument { name: fault.name, argument, why }),
        },
    }
}

fn rule_count(world: &World) -> usize {
    world.faults.api.len() + world.faults.commands.len() + world.faults.events.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_by_name_and_takes_its_default_argument() {
        let argument = |text: &str| parse_fault(text).map(|(_, argument)| argument);
        assert_eq!(argument("latency"), Ok("200ms".to_owned()));
        assert_eq!(argument("latency=40ms"), Ok("40ms".to_owned()));
        assert_eq!(argument("sunshine"), Err(BadFault::Unknown("sunshine".to_owned())));
        assert_eq!(argument("pre-assigned=x"), Err(BadFault::NoArgument("pre-assigned")));
    }

    #[test]
    fn every_fault_can_be_injected_with_its_default() {
        for fault in crate::faults::all_faults() {
            let mut world = crate::world_of(1, crate::start_time(1));
            let before = serde_json::to_string(&world).expect("a world is JSON");
            inject_fault(&mut world, fault.name).unwrap_or_else(|error| panic!("{error}"));
            let after = serde_json::to_string(&world).expect("a world is JSON");
            assert_ne!(before, after, "{} changes nothing", fault.name);
        }
    }

    #[test]
    fn names_are_unique_and_an_argument_that_is_nonsense_is_refused() {
        let mut names: Vec<_> = crate::faults::all_faults().map(|fault| fault.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for fault in crate::faults::all_faults().filter(|fault| fault.argument.is_some()) {
            let mut world = crate::world_of(1, crate::start_time(1));
            let text = format!("{}=\u{1}nonsense", fault.name);
            assert!(inject_fault(&mut world, &text).is_err(), "{} takes anything", fault.name);
        }
    }
}
