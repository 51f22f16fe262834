//! A command's words as fault rules name them: a row of routerd's journal by what it does and not
//! by its number, which is another one wherever somebody had rows before.

use std::io::Cursor;

use rusqlite::{Connection, MAIN_DB, OptionalExtension as _};

use super::events::DATABASE;
use crate::world::World;
use lab::node::Node;

/// A command of the operator, as `routerctl action execute assign-secondary-ip --approved`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    /// The number that the row's action stands for.
    row: Option<u64>,
}

/// Stands in a rule's answer for the number of the row that the command is about.
const ROW: &str = "{row}";

impl Line {
    /// The line as the mock has it, which looks into routerd's database.
    pub fn of(world: &World, argv: &[String]) -> Self {
        Self::named(argv, |id| action_of(world, id))
    }

    /// The line as somebody has it who knows what a row does.
    pub fn named(argv: &[String], action_of: impl Fn(u64) -> Option<String>) -> Self {
        let mut words = argv.to_vec();
        let row = row_of(argv);
        if let Some((at, id)) = row
            && let Some(action) = action_of(id)
        {
            words[at] = action;
        }
        let line = words.join(" ");
        let text = line.strip_prefix("sudo -n ").map_or(line.clone(), str::to_owned);
        Self { text, row: row.map(|(_, id)| id) }
    }

    /// A rule's answer, with the row's number in it.
    pub fn fill(&self, answer: &str) -> String {
        match self.row {
            Some(row) => answer.replace(ROW, &row.to_string()),
            None => answer.to_owned(),
        }
    }
}

/// Where `action approve|execute|rollback N` has its number.
fn row_of(argv: &[String]) -> Option<(usize, u64)> {
    let at = argv.windows(3).position(|words| {
        words[0] == "action" && ["approve", "execute", "rollback"].contains(&words[1].as_str())
    })?;
    Some((at + 2, argv[at + 2].parse().ok()?))
}

/// The action of a row of routerd's journal; none where there is no such row, or no journal.
fn action_of(world: &World, id: u64) -> Option<String> {
    let stored = world.machines.get(Node::RouterdCloud).files.contents(DATABASE)?;
    let mut connection = Connection::open_in_memory().ok()?;
    connection.deserialize_read_exact(MAIN_DB, Cursor::new(stored), stored.len(), false).ok()?;
    let id = i64::try_from(id).ok()?;
    let sql = "SELECT action FROM action_executions WHERE id=?1";
    connection.query_row(sql, [id], |row| row.get(0)).optional().ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::events::run_sql;
    use crate::faults::hand::strangers_row;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_row_is_named_by_what_it_does() {
        let mut world = crate::world_of(1, crate::start_time(1));
        let line = "sudo -n routerctl action execute 1 --approved";
        let none = Line::of(&world, &words(line));
        assert_eq!(none.text, "routerctl action execute 1 --approved", "there is no row yet");
        run_sql(&mut world, &strangers_row("rolledBack")).expect("a database");
        let named = Line::of(&world, &words(line));
        assert_eq!(named.text, "routerctl action execute assign-secondary-ip --approved");
        assert_eq!(named.fill("action {row} executed"), "action 1 executed");
        let other = Line::of(&world, &words("sudo -n routerctl action list -o json"));
        assert_eq!(other.text, "routerctl action list -o json");
    }
}
