//! Changes that `restored` finds on the nodes and in routerd's journal, each with the commands that
//! make it as it was. They are the owner's to run: whoever changed it, this run cannot prove that it
//! was its own.

use std::collections::BTreeMap;

use lab::manifest::Routerd;
use lab::node::Node;
use lab::quote_for_shell;
use lab::routerd::{Routerctl, Row, RowStatus};
use reports::record::ResidueItem;
use serde_json::{Value, json};

use crate::baseline;

/// Something that is not as before the run.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The node that has it; none for the ENI.
    pub node: Option<Node>,
    pub item: ResidueItem,
}

impl Changed {
    pub fn on(
        node: Node,
        resource: &str,
        id: &str,
        why: String,
        owner_commands: Vec<String>,
    ) -> Self {
        let (resource, id) = (resource.to_owned(), id.to_owned());
        let item = ResidueItem { resource, id, why, costs_money: false, owner_commands };
        Self { node: Some(node), item }
    }

    /// A change of the node itself; none where nothing is to be done.
    fn of_node(node: Node, what: &str, commands: Vec<String>) -> Option<Self> {
        let why = format!("its {what} are not as before the run");
        (!commands.is_empty()).then(|| Self::on(node, "node", node.as_str(), why, commands))
    }
}

type Addresses = BTreeMap<String, Vec<String>>;

pub fn find_left_addresses(node: Node, before: &Addresses, now: &Addresses) -> Option<Changed> {
    let only = |of: &Addresses, not_in: &Addresses, verb: &str| -> Vec<String> {
        let had = |dev: &String, address| not_in.get(dev).is_some_and(|it| it.contains(address));
        of.iter()
            .flat_map(|(dev, all)| all.iter().map(move |address| (dev, address)))
            .filter(|(dev, address)| !had(dev, address))
            .map(|(dev, address)| {
                format!("sudo ip addr {verb} {address} dev {}", quote_for_shell(dev))
            })
            .collect()
    };
    let commands = [only(now, before, "del"), only(before, now, "add")].concat();
    Changed::of_node(node, "addresses", commands)
}

/// Tables that were not there go; one that was and is another is put back whole, in one transaction.
pub fn find_left_rules(node: Node, before: &[Value], now: &[Value]) -> Option<Changed> {
    let (before, now) = (tables(before), tables(now));
    let added = now.keys().filter(|table| !before.contains_key(*table));
    let delete = added.map(|(family, name)| {
        format!("sudo nft delete table {} {}", quote_for_shell(family), quote_for_shell(name))
    });
    let other = before.iter().filter(|(table, items)| {
        let bare = |items: &[Value]| baseline::without_counts(json!(items));
        now.get(*table).is_none_or(|now| bare(now) != bare(items.as_slice()))
    });
    let restore = other.map(|((family, name), items)| {
        let table = json!({ "table": { "family": family, "name": name } });
        let clear = [json!({ "add": table }), json!({ "delete": table })];
        let add = items.iter().map(|item| json!({ "add": item }));
        let all: Vec<Value> = clear.into_iter().chain(add).collect();
        let ruleset = json!({ "nftables": all }).to_string();
        format!("printf %s {} | sudo nft -j -f -", quote_for_shell(&ruleset))
    });
    Changed::of_node(node, "rules", delete.chain(restore).collect())
}

/// By family and name, what each table holds, itself first.
fn tables(items: &[Value]) -> BTreeMap<(String, String), Vec<Value>> {
    let mut tables: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for item in items {
        let Some((kind, of)) = item.as_object().and_then(|it| it.iter().next()) else { continue };
        let name = if kind == "table" { &of["name"] } else { &of["table"] };
        if let (Some(family), Some(name)) = (of["family"].as_str(), name.as_str()) {
            let table = (family.to_owned(), name.to_owned());
            tables.entry(table).or_default().push(item.clone());
        }
    }
    tables
}

/// The run's own row that no command of routerctl moves any more (contract §1.8).
pub fn wedged_row(routerd: &Routerd, row: &Row) -> Changed {
    let why = "it is running, and routerctl cannot move it any more".to_owned();
    of_row(row, why, vec![set_status(routerd, row.id, &row.status, "rolledBack")])
}

/// The run's own, which was approved and not executed. Once it is rolled back no import opens it again.
pub fn approved_row(routerd: &Routerd, id: u64) -> ResidueItem {
    let why = format!(
        "it is approved: `routerctl action execute {id} --approved` would change the ENI without a \
         go, and no command of routerctl withdraws it"
    );
    row_item(id, why, vec![set_status(routerd, id, &RowStatus::Approved, "rolledBack")])
}

/// The run's own, which nobody approved.
pub fn pending_row(routerd: &Routerd, id: u64) -> ResidueItem {
    let why = "it is pending: nobody approved it, and no command of routerctl withdraws it";
    let commands = vec![set_status(routerd, id, &RowStatus::Pending, "rolledBack")];
    row_item(id, why.to_owned(), commands)
}

/// Somebody else's, made during or after the run: to be looked at before it is taken back.
pub fn strangers_row(routerd: &Routerd, row: &Row) -> Changed {
    let call = Routerctl::new(routerd);
    let words =
        |argv: &[String]| argv.iter().map(|it| quote_for_shell(it)).collect::<Vec<_>>().join(" ");
    let show = words(&call.show(row.id).argv);
    let settles = match row.status {
        RowStatus::Succeeded => Some(words(&call.rollback(row.id).argv)),
        RowStatus::Pending | RowStatus::Approved | RowStatus::Running => {
            Some(set_status(routerd, row.id, &row.status, "skipped"))
        }
        _ => None,
    };
    let why = format!("somebody made it, {}, and it is {}", row.idempotency_key, row.status);
    of_row(row, why, [show].into_iter().chain(settles).collect())
}

fn of_row(row: &Row, why: String, commands: Vec<String>) -> Changed {
    Changed { node: Some(Node::RouterdCloud), item: row_item(row.id, why, commands) }
}

fn row_item(id: u64, why: String, owner_commands: Vec<String>) -> ResidueItem {
    let (resource, id) = ("row of routerd's journal".to_owned(), id.to_string());
    ResidueItem { resource, id, why, costs_money: false, owner_commands }
}

fn set_status(routerd: &Routerd, id: u64, from: &RowStatus, to: &str) -> String {
    let sql = format!(
        "UPDATE action_executions SET status='{to}', \
         updated_at=strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE id={id} AND status='{from}'"
    );
    format!("sudo sqlite3 {} \"{sql}\"", quote_for_shell(&routerd.state_file))
}

/// One that is beside the run's own, or could not be removed.
pub fn describe_left_file(path: &str) -> Changed {
    let why = "it was not there before the run".to_owned();
    let remove = format!("sudo rm -f {}", quote_for_shell(path));
    Changed::on(Node::RouterdCloud, "file on routerd-cloud", path, why, vec![remove])
}

/// One of the programs under test.
///
/// `before` is [`lab::shell::HashedFile::contents`].
pub fn describe_left_program(path: &str, before: &str) -> Changed {
    let why = format!("it is not what preflight hashed: put back the one with {before}");
    let path_quoted = quote_for_shell(path);
    let look = format!("sudo sha256sum {path_quoted} && sudo stat -c '%a %u:%g' {path_quoted}");
    Changed::on(Node::RouterdCloud, "file on routerd-cloud", path, why, vec![look])
}

/// The change of router.yaml. Its text before is not kept: it may hold what no evidence may hold.
pub fn router_yaml(path: &str, before: &Value) -> Changed {
    let before = before.as_str().unwrap_or("unknown");
    let why = format!("it is not what preflight read: put back the one whose sha256 is {before}");
    let look = format!("sudo sha256sum {}", quote_for_shell(path));
    Changed::on(Node::RouterdCloud, "file on routerd-cloud", path, why, vec![look])
}

#[cfg(test)]
mod tests;
