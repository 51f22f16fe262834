//! `lab list`: which kernel labs there are, and what each is still good for.

use ::lab::clock::Clock;
use chrono::TimeDelta;
use lab_netns::{Condition, KernelLab};

/// A line for each: id, age, state, the run that was begun on it last, and when it ends.
pub(super) async fn list_kernel_labs() -> std::io::Result<String> {
    let labs = lab_netns::list_labs(&lab_netns::find_home())?;
    let now = Clock::System.now();
    let asked = futures::future::join_all(labs.iter().map(async |lab| {
        let condition = lab_netns::read_condition(&lab.folder).await.ok();
        line(lab, condition.as_ref(), lab.folder.last_run().as_deref(), now - lab.made_at)
    }));
    Ok(asked.await.concat())
}

fn line(
    lab: &KernelLab,
    condition: Option<&Condition>,
    run: Option<&str>,
    age: TimeDelta,
) -> String {
    let (id, age, ends_at) = (&lab.id, age_of(age), lab.ends_at.format("%Y-%m-%dT%H:%M:%SZ"));
    // It may have ended since it was listed.
    let state = condition.map_or_else(|| "silent".to_owned(), ToString::to_string);
    let text = format!("{id}  {age}  {state}  {}  until {ends_at}", run.unwrap_or("-"));
    match (condition, run) {
        (Some(Condition::Terminated(_)), Some(run)) => {
            format!("{text}  (terminated by {run}: lab-smoke lab down --id {id})\n")
        }
        _ => text + "\n",
    }
}

/// The largest unit that it has.
fn age_of(age: TimeDelta) -> String {
    let seconds = age.num_seconds().max(0);
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use ::lab::node::Node;
    use lab_netns::Folder;

    use super::*;

    #[test]
    fn a_lab_is_told_with_its_age_its_state_and_its_run() {
        let made_at = chrono::DateTime::UNIX_EPOCH;
        let ends_at = made_at + TimeDelta::hours(1);
        let lab =
            KernelLab { id: "a1".to_owned(), folder: Folder::at("/tmp/a1"), made_at, ends_at };
        let over = Condition::Terminated(vec![Node::RouterdCloud]);
        let stopped = Condition::Stopped(vec![Node::RouterdCloud]);
        let table = [
            (
                Some(&Condition::Running),
                None,
                59,
                "a1  59s  running  -  until 1970-01-01T01:00:00Z\n",
            ),
            (
                Some(&stopped),
                Some("smoke-1"),
                60,
                "a1  1m  stopped  smoke-1  until 1970-01-01T01:00:00Z\n",
            ),
            (
                Some(&over),
                Some("smoke-1"),
                7300,
                "a1  2h  terminated  smoke-1  until 1970-01-01T01:00:00Z  (terminated by smoke-1: \
                 lab-smoke lab down --id a1)\n",
            ),
            (None, None, 200_000, "a1  2d  silent  -  until 1970-01-01T01:00:00Z\n"),
        ];
        for (condition, run, seconds, expected) in table {
            let age = TimeDelta::seconds(seconds);
            assert_eq!(line(&lab, condition, run, age), expected);
        }
    }
}
