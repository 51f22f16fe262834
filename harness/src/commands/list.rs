//! Tables of what this build knows: its scenarios and its faults.

use reports::record::Class;
use reports::verdict::ExitCode;
use scenarios::SEQUENCE;
use serde::Serialize;

use crate::cli::Format;
use crate::faults::{KnownFault, list_faults};
use crate::terminal::Terminal;

#[derive(Serialize)]
struct ScenarioRow {
    name: &'static str,
    section: &'static str,
    class: Class,
    needs: &'static [&'static str],
}

pub fn print_scenarios(format: Format, terminal: &Terminal) -> u8 {
    let row = |it: &scenarios::Scenario| ScenarioRow {
        name: it.name,
        section: it.section,
        class: it.class,
        needs: it.needs,
    };
    let rows: Vec<ScenarioRow> = SEQUENCE.iter().map(row).collect();
    terminal.out(&match format {
        Format::Json => json(&rows),
        Format::Human => {
            let cells = rows.iter().map(|row| {
                let needs = if row.needs.is_empty() { "-".into() } else { row.needs.join(", ") };
                [row.name.into(), row.section.into(), class_word(row.class).into(), needs]
            });
            table(["scenario", "section", "class", "needs"], cells)
        }
    });
    ExitCode::Pass.number()
}

pub fn print_faults(format: Format, terminal: &Terminal) -> u8 {
    let faults: Vec<&KnownFault> = list_faults().collect();
    terminal.out(&match format {
        Format::Json => json(&faults),
        Format::Human => {
            let cells = faults.iter().map(|fault| {
                let argument = fault.argument.map(|it| format!("={it}"));
                let name = format!("{}{}", fault.name, argument.unwrap_or_default());
                let labs = fault.labs.join(", ");
                [name, labs, fault.primary.as_str().into(), fault.breaks.into()]
            });
            table(["fault", "labs", "turns", "what"], cells)
        }
    });
    ExitCode::Pass.number()
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::ReadOnly => "read-only",
        Class::Node => "node",
        Class::Mutating => "mutating",
        Class::Destructive => "destructive",
    }
}

fn json(rows: &impl Serialize) -> String {
    // Plain data of strings: there is nothing in it that JSON cannot say.
    serde_json::to_string_pretty(rows).map(|text| text + "\n").unwrap_or_default()
}

/// Columns as wide as their widest cell; the last one ends where its text ends.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::tests::Kept;

    #[test]
    fn scenarios_are_listed_for_people_and_for_programs() {
        let list = |format| {
            let kept = Kept::default();
            print_scenarios(
                format,
                &Terminal::new(Box::new(kept.clone()), Box::new(Kept::default())),
            );
            kept.text()
        };
        insta::assert_snapshot!(list(Format::Human));
        let rows: Vec<serde_json::Value> = serde_json::from_str(&list(Format::Json)).expect("JSON");
        assert_eq!(rows.len(), SEQUENCE.len());
        assert_eq!(
            rows[2],
            serde_json::json!({
                "name": "gate", "section": "§9", "class": "node", "needs": ["undo-plan"],
            })
        );
    }
}
