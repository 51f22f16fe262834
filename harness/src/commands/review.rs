//! `lab-smoke review RUN`: what `go` would sign, in people's words, without signing anything.

use std::path::Path;

use reports::evidence::{Attribute, Change, Evidence, fold_records};
use reports::folder::RunFolder;
use reports::journal::read_file;
use reports::verdict::ExitCode;

use super::go::{GrantRefusal, read_asked};
use super::refuse;
use crate::engine;
use crate::terminal::{Terminal, in_one_line};

pub fn review_request(run: &Path, terminal: &Terminal) -> u8 {
    match describe(run) {
        Ok(text) => {
            terminal.out(&text);
            ExitCode::Pass.number()
        }
        Err(refusal) => refuse(ExitCode::Usage, refusal, terminal),
    }
}

fn describe(run: &Path) -> Result<String, GrantRefusal> {
    let folder = RunFolder::resolve(Path::new(""), run)?;
    let chain = read_file(folder.path())?;
    let name = engine::in_a_command(folder.path());
    let asked = read_asked(&chain.records)?.ok_or(GrantRefusal::NotPending(name.clone()))?;
    let evidence = fold_records(&chain.records, &chain.head);
    let mut lines = place(&evidence);
    lines.extend(changes(&evidence));
    lines.extend(ends(&evidence));
    lines.push("Nothing else of the lab may change.".to_owned());
    // The same three as on the page and in what `go` shows.
    lines.push(format!("facts:     {}", asked.facts.facts_digest));
    lines.push(format!("undo plan: {}", asked.plan.digest));
    lines.push(format!("lab:       {}", asked.facts.lab_fingerprint));
    let principals = evidence.target.as_ref().map(|it| it.principals.join(", "));
    let principals = principals.filter(|it| !it.is_empty());
    lines.push(format!(
        "Who may say yes: {}",
        principals.as_deref().unwrap_or("nobody that the journal names")
    ));
    lines.push("Nothing was signed, and nothing was written.".to_owned());
    let by = principals.as_deref().filter(|it| !it.contains([',', '*', '?', ' ']));
    lines.push(format!(
        "to say yes: lab-smoke go {name} --key KEY --by {} --expires 2h --facts {}",
        by.unwrap_or("NAME"),
        asked.facts.facts_digest
    ));
    lines.push(format!("to say no:  lab-smoke recover {name}"));
    Ok(lines.iter().map(|line| in_one_line(line) + "\n").collect())
}

fn place(evidence: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(run) = &evidence.run {
        lines.push(format!("The run {} asks for your go.", run.id));
    }
    if let Some(it) = &evidence.target {
        lines.push(format!(
            "It acts in the account {}, region {}, {}, on {} alone.",
            it.account_id, it.region, it.vpc_id, it.network_interface_id
        ));
    }
    lines
}

fn changes(evidence: &Evidence) -> Vec<String> {
    let count = count_in_words(evidence.changes.len(), "change");
    let mut lines =
        vec![format!("You allow {count}, which are taken back once they were looked at:")];
    lines.extend(evidence.changes.iter().map(change));
    lines
}

fn change(it: &Change) -> String {
    let word = |value: Option<bool>| match (it.attribute, value) {
        (_, None) => "not known",
        (Attribute::SourceDestCheck, Some(true)) => "on",
        (Attribute::SourceDestCheck, Some(false)) => "off",
        (Attribute::Address, Some(true)) => "there",
        (Attribute::Address, Some(false)) => "not there",
    };
    let what = match (it.attribute, &it.address) {
        (Attribute::Address, Some(address)) => format!("{address} on {}", it.resource),
        (Attribute::Address, None) => format!("the address on {}", it.resource),
        (Attribute::SourceDestCheck, _) => format!("source/destination check of {}", it.resource),
    };
    let (before, during, after) = (word(it.before), word(Some(it.during)), word(it.after));
    format!("  ~ {what}: {before} before, {during} meanwhile, {after} afterwards")
}

fn ends(evidence: &Evidence) -> Vec<String> {
    let (for_good, stopped): (Vec<_>, Vec<_>) =
        evidence.teardown.iter().partition(|it| it.for_good);
    let mut lines = Vec::new();
    if for_good.is_empty() {
        lines.push("Nothing is ended for good.".to_owned());
    } else {
        let (these, are) = if for_good.len() == 1 { ("this", "is") } else { ("these", "are") };
        let count = count_in_words(for_good.len(), "thing");
        lines.push(format!("Then {these} {count} {are} ended for good:"));
        lines.extend(for_good.iter().map(|it| format!("  - {}: {}", it.resource, it.what)));
    }
    lines.extend(
        stopped.iter().map(|it| format!("  {}: {}, it can be started again", it.resource, it.what)),
    );
    lines
}

fn count_in_words(count: usize, noun: &str) -> String {
    const WORDS: [&str; 4] = ["no", "one", "two", "three"];
    let number = WORDS.get(count).map_or_else(|| count.to_string(), |&word| word.to_owned());
    if count == 1 { format!("{number} {noun}") } else { format!("{number} {noun}s") }
}
