//! Each command is the whole way back, and none is given where nothing has changed.

use super::*;
use crate::example::judge_as_scenario;

fn commands(changed: Option<Changed>) -> Vec<String> {
    changed.map(|it| it.item.owner_commands).unwrap_or_default()
}

#[test]
fn addresses_go_and_come_back_by_interface() {
    let of = |pairs: &[(&str, &[&str])]| -> Addresses {
        let own = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        pairs.iter().map(|(dev, list)| ((*dev).to_owned(), own(list))).collect()
    };
    let before = of(&[("ens5", &["10.88.60.4/24"]), ("lo", &["127.0.0.1/8"])]);
    let more = of(&[("ens5", &["10.88.60.4/24", "10.88.60.9/32"]), ("lo", &["127.0.0.1/8"])]);
    let moved = of(&[("ens6", &["10.88.60.4/24"]), ("lo", &["127.0.0.1/8"])]);
    let table: [(&Addresses, &[&str]); 3] = [
        (&before, &[]),
        (&more, &["sudo ip addr del 10.88.60.9/32 dev ens5"]),
        (
            &moved,
            &["sudo ip addr del 10.88.60.4/24 dev ens6", "sudo ip addr add 10.88.60.4/24 dev ens5"],
        ),
    ];
    for (now, expected) in table {
        assert_eq!(commands(find_left_addresses(Node::CloudClient, &before, now)), expected);
    }
}

#[test]
fn tables_that_are_new_go_and_changed_ones_are_put_back_whole() {
    let table = json!({ "table": { "family": "ip", "name": "own" } });
    let chain = json!({ "chain": { "family": "ip", "table": "own", "name": "c" } });
    let rule = |packets: u32, verdict: &str| {
        json!({ "rule": { "family": "ip", "table": "own", "chain": "c",
            "expr": [{ "counter": { "packets": packets, "bytes": 0 } }, { verdict: null }] } })
    };
    let stranger = json!({ "table": { "family": "inet", "name": "somebody" } });
    let before = [table.clone(), chain.clone(), rule(1, "accept")];
    let counted = [table.clone(), chain.clone(), rule(7, "accept")];
    let more = [table.clone(), chain.clone(), rule(1, "accept"), stranger];
    let other = [table.clone(), chain.clone(), rule(1, "drop")];
    let bare = json!({ "table": { "family": "ip", "name": "own" } });
    let whole = json!({ "nftables": [
        { "add": bare }, { "delete": bare },
        { "add": table }, { "add": chain }, { "add": rule(1, "accept") },
    ] });
    let restore = format!("printf %s '{whole}' | sudo nft -j -f -");
    let cases: [(&[Value], &[&str]); 5] = [
        (&before, &[]),
        (&counted, &[]),
        (&more, &["sudo nft delete table inet somebody"]),
        (&other, &[&restore]),
        (&[], &[&restore]),
    ];
    for (now, expected) in cases {
        assert_eq!(commands(find_left_rules(Node::OnpremClient, &before, now)), expected);
    }
}

#[test]
fn a_row_is_settled_by_how_it_stands() {
    let row = |status: &str| -> Row {
        let at = "2026-10-01T12:00:00Z";
        let row = json!({
            "id": 7, "idempotencyKey": "key", "provider": "aws", "action": "any",
            "targetJSON": "{}", "parametersJSON": "{}", "undoJSON": "null",
            "status": status, "createdAt": at, "updatedAt": at,
        });
        serde_json::from_value(row).expect("a row")
    };
    judge_as_scenario("restored", async |lab, _| {
        let routerd = &lab.manifest.routerd;
        let wedged = wedged_row(routerd, &row("running")).item;
        let update = |to: &str, from: &str| {
            format!(
                "sudo sqlite3 {} \"UPDATE action_executions SET status='{to}', \
                 updated_at=strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE id=7 AND status='{from}'\"",
                routerd.state_file
            )
        };
        assert_eq!((wedged.id.as_str(), wedged.owner_commands.len()), ("7", 1));
        assert_eq!(wedged.owner_commands[0], update("rolledBack", "running"));
        let table = [
            ("pending", Some(update("skipped", "pending"))),
            ("approved", Some(update("skipped", "approved"))),
            ("running", Some(update("skipped", "running"))),
            ("succeeded", Some("action rollback 7 --approved".to_owned())),
            ("rolledBack", None),
            ("failed", None),
        ];
        for (status, settles) in table {
            let item = strangers_row(routerd, &row(status)).item;
            assert!(item.owner_commands[0].contains("action show 7"), "{status}");
            let second = item.owner_commands.get(1);
            match (second, &settles) {
                (Some(given), Some(expected)) => assert!(given.contains(expected), "{given}"),
                (given, expected) => assert_eq!(given.is_some(), expected.is_some(), "{status}"),
            }
        }
    });
}
