//! Reads that several scenarios make: each answers the fact, how it was seen, or why it is not
//! known.

use std::time::Duration;

use lab::Lab;
use lab::ec2::{Answer, NetworkInterface, ReadError};
use lab::node::Node;
use lab::routerd::{AnswerError, Refusal, Row};
use lab::shell::{NodeAnswer, Observe, ShellError, Unread};
use serde::Serialize;

use crate::context::{Context, How};
use crate::twice::{self, LookPace, LooksInARow};

/// A fact with how it was seen; or why it is not known, with what was seen of it.
pub type Fact<T> = Result<(T, How), (String, How)>;

/// An answer of routerctl, read.
pub type Readout<T> = Result<Answer<Result<T, AnswerError>>, ShellError>;

/// The lab's ENI as EC2 shows it now.
pub async fn observe_interface(lab: &Lab, ctx: &mut Context<'_>) -> Fact<NetworkInterface> {
    let id = &lab.manifest.capture.network_interface_id;
    match lab.reader.network_interface(id).await {
        Ok(answer) => {
            let how = ctx.seen(&answer);
            answer.value.map(|eni| (eni, how.clone())).ok_or((format!("{id} is gone"), how))
        }
        Err(error) => Err((error.to_string(), ctx.seen_error(&error))),
    }
}

/// One look at the lab's ENI.
pub type InterfaceLook = Result<Answer<Option<NetworkInterface>>, ReadError>;

/// How long EC2 may go on showing what was before, now and then.
const PACE: LookPace =
    LookPace { pause: Duration::from_millis(500), limit: Duration::from_secs(15) };

/// Looks at the lab's ENI until two looks in a row show that it is so, or the limit is over: EC2's reads
/// are not monotonic, and one of them may be older than the one before. Answers all looks; one that could
/// not be made is the last.
pub async fn look_until_twice(
    lab: &Lab,
    so: impl Fn(&NetworkInterface) -> bool,
) -> LooksInARow<InterfaceLook> {
    let id = &lab.manifest.capture.network_interface_id;
    let seen = |look: &InterfaceLook| look.as_ref().ok()?.value.as_ref().map(&so);
    let is_enough = |before: Option<&InterfaceLook>, last: &InterfaceLook| match seen(last) {
        None => true,
        Some(is_so) => is_so && before.and_then(seen) == Some(true),
    };
    twice::look_until(lab, PACE, async || lab.reader.network_interface(id).await, is_enough).await
}

/// Keeps all looks: the last one is judged, and what each showed stands beside it.
pub fn keep_looks<T: Serialize>(
    lab: &Lab,
    ctx: &mut Context<'_>,
    looks: LooksInARow<InterfaceLook>,
    shown: impl Fn(&NetworkInterface) -> T,
) -> Fact<(NetworkInterface, Vec<T>)> {
    let id = &lab.manifest.capture.network_interface_id;
    let (mut how, mut all, mut last) = (How::default(), Vec::new(), None);
    for look in looks {
        match look {
            Ok(answer) => {
                how = how.and(ctx.seen(&answer));
                all.extend(answer.value.as_ref().map(&shown));
                last = answer.value;
            }
            Err(error) => {
                how = how.and(ctx.seen_error(&error));
                return Err((error.to_string(), how));
            }
        }
    }
    match last {
        Some(eni) => Ok(((eni, all), how)),
        None => Err((format!("{id} is gone"), how)),
    }
}

/// Keeps the answer of a command.
pub fn keep_answer<T>(ctx: &mut Context<'_>, answer: Result<Answer<T>, ShellError>) -> Fact<T> {
    match answer {
        Ok(answer) => {
            let how = ctx.seen(&answer);
            Ok((answer.value, how))
        }
        Err(error) => Err((error.to_string(), ctx.seen_shell_error(&error))),
    }
}

/// All rows of routerd's journal.
pub async fn observe_rows(lab: &Lab, ctx: &mut Context<'_>) -> Fact<Vec<Row>> {
    let asked = lab.shell.observe(Node::RouterdCloud, &Observe::rows(&lab.manifest.routerd)).await;
    keep_list(ctx, asked)
}

/// Keeps routerctl's answer, and what it lists: rows, or parts.
pub fn keep_list<T>(ctx: &mut Context<'_>, asked: Readout<Vec<T>>) -> Fact<Vec<T>> {
    let (read, how) = keep_answer(ctx, asked)?;
    read_list(read, how)
}

/// The list that routerd gives. Before the first planner or import it has no database, and so nothing
/// in it.
pub fn read_list<T>(read: Result<Vec<T>, AnswerError>, how: How) -> Fact<Vec<T>> {
    match read {
        Ok(all) => Ok((all, how)),
        Err(error) if no_database(&error) => Ok((Vec::new(), how)),
        Err(error) => Err((error.to_string(), how)),
    }
}

/// Keeps the answer of a command, and what was read of it.
pub fn keep_reading<T>(ctx: &mut Context<'_>, answer: NodeAnswer<Result<T, Unread>>) -> Fact<T> {
    let (read, how) = keep_answer(ctx, answer)?;
    read_reading(read, how)
}

/// A reading as a fact, seen so.
pub fn read_reading<T>(read: Result<T, Unread>, how: How) -> Fact<T> {
    match read {
        Ok(value) => Ok((value, how)),
        Err(Unread::Ended { code, said }) => Err((ended(&how, code, &said), how)),
        Err(why) => Err((why.to_string(), how)),
    }
}

fn ended(how: &How, code: i32, said: &str) -> String {
    format!("`{}` ended with exit code {code}: {said}", how.how)
}

/// Whether routerd has not made its database yet.
pub fn no_database(error: &AnswerError) -> bool {
    error.refusal().is_some_and(Refusal::is_absence)
}

/// A row by its id.
pub fn row_with(rows: &[Row], id: u64) -> Option<&Row> {
    rows.iter().find(|row| row.id == id)
}

#[cfg(test)]
mod tests {
    use lab::node::Output;

    use super::*;
    use crate::example::judge_as_scenario;

    /// Before the first import routerd has no database; any other refusal is no empty journal.
    #[test]
    fn only_a_database_that_is_not_there_has_no_rows() {
        let absent = "open state database /var/lib/routerd/state.db: unable to open database file";
        let locked = "open state database /var/lib/routerd/state.db: database is locked";
        let table = [
            (1, "", absent, Ok(0)),
            (1, "", locked, Err(())),
            (1, "", "what?", Err(())),
            (0, "[]", "", Ok(0)),
            (0, "not JSON", "", Err(())),
        ];
        judge_as_scenario("import", async |lab, _| {
            for (code, stdout, stderr, expected) in table {
                let output = Output { code, stdout: stdout.into(), stderr: stderr.into() };
                let read = Observe::rows(&lab.manifest.routerd).read(output);
                let rows = read_list(read, How::default());
                let given = rows.map(|(rows, _)| rows.len()).map_err(|_| ());
                assert_eq!(given, expected, "{stdout}{stderr}");
            }
        });
    }
}
