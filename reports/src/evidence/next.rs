//! What somebody has to do next, as commands that can be run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::back::{Change, ChangeState, TeardownState, TornDown};
use crate::fold::Gathered;
use crate::operation::shell_word;
use crate::record::{Record, ResidueItem};
use crate::standing::{Standing, read_standing};

/// The word that stands for the run's folder, which evidence does not know.
pub const RUN_PLACEHOLDER: &str = "RUN";

/// The node that files and routerd are on.
const ROUTERD_NODE: &str = "routerd-cloud";

/// One thing that somebody has to do, or may do, next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextStep {
    /// Whose it is.
    pub who: Who,
    /// The node on which the command is run; null where it is run beside the run's folder, or wherever the
    /// AWS CLI is.
    pub node: Option<String>,
    /// The command, word for word, for no shell. `RUN` stands for the run's folder, `KEY` for the file of
    /// the owner's key, and `NAME` for a principal where the manifest has no plain one.
    pub argv: Vec<String>,
    /// Why, in words for people.
    pub why: String,
    /// Whether money is spent until it is done.
    pub costs_money: bool,
}

/// Somebody who has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Whoever grants the go, and may change the lab by hand.
    Owner,
    /// Whoever runs `lab-smoke`.
    Operator,
}

impl NextStep {
    /// The words of the command for a run's folder.
    pub fn argv_for(&self, folder: &str) -> Vec<String> {
        let word = |it: &String| if it == RUN_PLACEHOLDER { folder } else { it }.to_owned();
        self.argv.iter().map(word).collect()
    }

    /// The command as a shell takes it, with the folder as a shell takes it.
    pub fn command(&self, folder_in_a_shell: &str) -> String {
        let word = |it: &String| match it.as_str() {
            RUN_PLACEHOLDER => folder_in_a_shell.to_owned(),
            it => shell_word(it),
        };
        self.argv.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// The commands that somebody types next, in their order; none where nothing is to be done.
pub fn list_next_steps(records: &[Record]) -> Vec<NextStep> {
    let run = crate::fold::gather_records(records);
    let (changes, teardown) = (super::back::changes(records, &run), super::back::teardown(&run));
    next(records, &run, &changes, &teardown)
}

pub(super) fn next(
    records: &[Record],
    run: &Gathered<'_>,
    changes: &[Change],
    teardown: &[TornDown],
) -> Vec<NextStep> {
    match read_standing(records) {
        Standing::Empty => Vec::new(),
        Standing::Dead => {
            let running = super::course::running(records, run);
            let costs = running.iter().any(|it| it.state.may_cost());
            vec![ours("recover", &[], "to bring the lab back", costs)]
        }
        standing @ (Standing::AwaitingGo | Standing::Parked) => {
            let costs = standing == Standing::AwaitingGo;
            let name = principal(run).unwrap_or("NAME");
            let words = ["--key", "KEY", "--by", name, "--expires", "2h"];
            let go =
                NextStep { who: Who::Owner, ..ours("go", &words, "the owner grants it", costs) };
            let mut steps = stops_of_cost(run);
            steps.push(go);
            steps.push(ours("resume", &[], "then it goes on", costs));
            steps.push(ours("recover", &[], "or it is refused", costs));
            steps
        }
        Standing::Ended => after_the_end(run, changes, teardown),
    }
}

fn ours(command: &str, words: &[&str], why: &str, costs_money: bool) -> NextStep {
    let argv = ["lab-smoke", command, RUN_PLACEHOLDER].into_iter().chain(words.iter().copied());
    NextStep {
        who: Who::Operator,
        node: None,
        argv: argv.map(str::to_owned).collect(),
        why: why.to_owned(),
        costs_money,
    }
}

fn stops_of_cost(run: &Gathered<'_>) -> Vec<NextStep> {
    let all = run.residue.iter().flat_map(|(listed, _)| &listed.items);
    let to_stop = |step| NextStep { why: "to stop the cost".to_owned(), ..step };
    all.flat_map(settle).map(to_stop).collect()
}

/// What settles what is left, and what is not known to be taken back or ended.
fn after_the_end(run: &Gathered<'_>, changes: &[Change], torn: &[TornDown]) -> Vec<NextStep> {
    let left = run.residue.iter().flat_map(|(listed, _)| &listed.items);
    let mut steps: Vec<NextStep> = left.flat_map(settle).collect();
    if run.lab_gone.is_none() {
        let open = open_steps(changes, torn);
        let plan = run.undo_plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
        for (id, why) in open {
            let Some(step) = plan.iter().find(|it| it.id == id) else { continue };
            let argv = split_command(&step.operation.owner_command());
            if !steps.iter().any(|it| it.argv == argv) {
                let costs_money = step.operation.torn().is_some();
                steps.push(NextStep { who: Who::Owner, node: None, argv, why, costs_money });
            }
        }
    }
    if let Some((lost, _)) = run.operator_lost {
        let why = "the operator's credentials could not be renewed";
        steps.extend(lost.owner_commands.iter().map(|command| NextStep {
            who: Who::Operator,
            node: None,
            argv: split_command(command),
            why: why.to_owned(),
            costs_money: false,
        }));
    }
    steps
}

fn open_steps<'a>(changes: &'a [Change], torn: &'a [TornDown]) -> Vec<(&'a str, String)> {
    let open = changes.iter().filter_map(|it| match it.state {
        ChangeState::NotTakenBack => Some((it.step.as_str(), "it was not taken back")),
        ChangeState::Made => Some((it.step.as_str(), "it was not seen to be taken back")),
        ChangeState::Unknown => Some((it.step.as_str(), "whether it was taken back is not known")),
        ChangeState::NotBegun | ChangeState::TakenBack => None,
    });
    let ends = torn.iter().filter_map(|it| match it.state {
        TeardownState::NotDone => Some((it.step.as_str(), "it was not ended")),
        TeardownState::Unknown => Some((it.step.as_str(), "whether it was ended is not known")),
        TeardownState::Planned | TeardownState::Done => None,
    });
    open.chain(ends).map(|(step, why)| (step, why.to_owned())).collect()
}

fn settle(item: &ResidueItem) -> impl Iterator<Item = NextStep> {
    item.owner_commands.iter().map(|command| NextStep {
        who: Who::Owner,
        node: node_of(item, command),
        argv: split_command(command),
        why: format!("{} {}: {}", item.resource, item.id, item.why),
        costs_money: item.costs_money,
    })
}

/// The AWS CLI is wherever the owner has it; all else is done on a node.
fn node_of(item: &ResidueItem, command: &str) -> Option<String> {
    let anywhere = ["aws ", "lab-smoke "].iter().any(|it| command.starts_with(it));
    let node = if item.resource == "node" { item.id.as_str() } else { ROUTERD_NODE };
    (!anywhere).then(|| node.to_owned())
}

/// The only name that the manifest's allowed signers have, where it is a plain one.
fn principal<'a>(run: &Gathered<'a>) -> Option<&'a str> {
    let name = run.target()?.principals.first()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
    name.chars().all(plain).then_some(name.as_str())
}

/// The words of a command for a shell; where a shell is needed for it, the shell and the command.
pub fn split_command(command: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                let mut closed = false;
                for quoted in rest.by_ref() {
                    closed = quoted == '\'';
                    if closed {
                        break;
                    }
                    word.push(quoted);
                }
                if !closed {
                    return by_a_shell(command);
                }
            }
            '\\' => match rest.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return by_a_shell(command),
            },
            c if c.is_whitespace() => words.extend(word.take()),
            c if "|&;<>()$`\"*?[]#~!{}".contains(c) && !is_plain_in(command, c) => {
                return by_a_shell(command);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The AWS CLI's shorthand has braces and brackets that no shell expands without a comma or a file.
fn is_plain_in(command: &str, c: char) -> bool {
    command.starts_with("aws ") && "{}[]".contains(c) && !command.contains("..")
}

fn by_a_shell(command: &str) -> Vec<String> {
    ["sh", "-c", command].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_splits_it_or_given_to_one() {
        let table: [(&str, &[&str]); 7] = [
            (
                "aws ec2 stop-instances --instance-ids i-1",
                &["aws", "ec2", "stop-instances", "--instance-ids", "i-1"],
            ),
            (r"sudo rm -f '/p/it'\''s here'", &["sudo", "rm", "-f", "/p/it's here"]),
            ("a ''  b", &["a", "", "b"]),
            ("a && b", &["sh", "-c", "a && b"]),
            ("a \"b c\"", &["sh", "-c", "a \"b c\""]),
            ("a 'b", &["sh", "-c", "a 'b"]),
            ("", &[]),
        ];
        for (command, words) in table {
            assert_eq!(split_command(command), words, "{command}");
        }
    }

    #[test]
    fn the_folder_is_put_in_where_it_belongs() {
        let step = ours("resume", &["--go", "a file"], "then it goes on", false);
        assert_eq!(step.command("'my runs/1'"), "lab-smoke resume 'my runs/1' --go 'a file'");
        assert_eq!(step.argv_for("my runs/1")[2..], ["my runs/1", "--go", "a file"]);
    }
}
