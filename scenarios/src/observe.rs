//! Reads that several scenarios make: each answers the fact, how it was seen, or why it is not
//! known.

use lab::Lab;
use lab::ec2::{Answer, NetworkInterface};
use lab::node::{Node, Output};
use lab::routerd::{AnswerError, Part, Refusal, Routerctl, Row};
use lab::shell::Observe;

use crate::context::{Context, How};

/// A fact with how it was seen; or why it is not known, with what was seen of it.
pub type Fact<T> = Result<(T, How), (String, How)>;

/// The lab's ENI as EC2 shows it now.
pub async fn interface(lab: &Lab, ctx: &mut Context<'_>) -> Fact<NetworkInterface> {
    let id = &lab.manifest.capture.network_interface_id;
    match lab.reader.network_interface(id).await {
        Ok(answer) => {
            let how = ctx.seen(&answer);
            answer.value.map(|eni| (eni, how.clone())).ok_or((format!("{id} is gone"), how))
        }
        Err(error) => Err((error.to_string(), ctx.seen_error(&error))),
    }
}

/// A read-only command, whatever its exit code.
pub async fn output(
    lab: &Lab,
    ctx: &mut Context<'_>,
    node: Node,
    observe: &Observe,
) -> Fact<Output> {
    let answer = lab.shell.observe(node, observe).await;
    told(ctx, answer)
}

/// Keeps the answer of a command.
pub fn told(
    ctx: &mut Context<'_>,
    answer: Result<Answer<Output>, lab::shell::ShellError>,
) -> Fact<Output> {
    match answer {
        Ok(answer) => {
            let how = ctx.seen(&answer);
            Ok((answer.value, how))
        }
        Err(error) => Err((error.to_string(), ctx.seen_shell_error(&error))),
    }
}

/// The standard output of a command that ended with exit code 0.
pub fn succeeded(output: &Output, how: &How) -> Fact<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.code == 0 {
        Ok((text(&output.stdout), how.clone()))
    } else {
        let why = format!(
            "`{}` ended with exit code {}: {}",
            how.how,
            output.code,
            text(&output.stderr).trim()
        );
        Err((why, how.clone()))
    }
}

/// All rows of routerd's journal.
pub async fn rows(lab: &Lab, ctx: &mut Context<'_>) -> Fact<Vec<Row>> {
    let routerd = &lab.manifest.routerd;
    let (output, how) = output(lab, ctx, Node::RouterdCloud, &Observe::rows(routerd)).await?;
    rows_in(lab, &output, how)
}

/// The rows that `action list` shows. Before the first planner or import routerd has no database,
/// and so no row.
pub fn rows_in(lab: &Lab, output: &Output, how: How) -> Fact<Vec<Row>> {
    match Routerctl::new(&lab.manifest.routerd).list().read(output) {
        Ok(rows) => Ok((rows, how)),
        Err(error) if no_database(&error) => Ok((Vec::new(), how)),
        Err(error) => Err((error.to_string(), how)),
    }
}

/// The parts of one source with their plans, as `dynamic describe` shows them; none where routerd
/// has no database.
pub fn parts_of(
    lab: &Lab,
    ctx: &mut Context<'_>,
    source: &str,
    answer: Result<Answer<Output>, lab::shell::ShellError>,
) -> Fact<Vec<Part>> {
    let (output, how) = told(ctx, answer)?;
    match Routerctl::new(&lab.manifest.routerd).dynamic_describe(source).read(&output) {
        Ok(parts) => Ok((parts, how)),
        Err(error) if no_database(&error) => Ok((Vec::new(), how)),
        Err(error) => Err((error.to_string(), how)),
    }
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
    use super::*;
    use crate::example::judged;

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
        judged("import", async |lab, _| {
            for (code, stdout, stderr, expected) in table {
                let output = Output { code, stdout: stdout.into(), stderr: stderr.into() };
                let rows = rows_in(lab, &output, How::default());
                let given = rows.map(|(rows, _)| rows.len()).map_err(|_| ());
                assert_eq!(given, expected, "{stdout}{stderr}");
            }
        });
    }
}
