//! What routerd did on the lab's ENI and its journal does not know: a dirty fabric beside a fresh
//! database; and rows of what it did elsewhere: the database is another fabric's. Upstream supports it as
//! little as we do: an undo could take away what another daemon, with another database, goes on using.

use std::net::Ipv4Addr;

use lab::Lab;
use lab::ec2::NetworkInterface;
use lab::routerd::{Row, RowStatus};
use serde_json::{Value, json};

use super::CAPTURES;
use super::cloud::Cloud;
use crate::context::{Context, How, Ruling};
use crate::stops;

pub fn judge(lab: &Lab, ctx: &mut Context<'_>, cloud: Option<&Cloud>, rows: Option<&[Row]>) {
    let expected = json!({ "unknown_to_routerd": [], "rows_of_another_fabric": [] });
    let how =
        How::words("ec2 DescribeNetworkInterfaces and DescribeRouteTables; routerctl action list");
    let (Some(cloud), Some(rows)) = (cloud, rows) else {
        let why = "the ENI, its routes or routerd's rows are not known";
        return ctx.check(CAPTURES).expects(expected).seen(how).skipped(Value::Null, why);
    };
    let eni = &cloud.interface;
    let id = &eni.network_interface_id;
    let region = &lab.manifest.aws.region;
    let unknown = find_unknown_captures(lab, eni, &cloud.route_table.routes, rows);
    let commands: Vec<String> = unknown
        .iter()
        .map(|capture| capture.owner_command(id, &cloud.route_table.route_table_id, region))
        .collect();
    let shown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let not_of_here = (!unknown.is_empty()).then(|| {
        format!(
            "{id} has {}, and no row of routerd's journal knows it: the database is fresh and the fabric \
             is not. Put that database back, or name it in teardown.keep, or take it away: {}",
            shown.join(", "),
            commands.join("; ")
        )
    });
    let elsewhere = find_rows_of_elsewhere(lab, rows);
    let of_elsewhere = (!elsewhere.is_empty()).then(|| {
        format!(
            "routerd's journal has {}: it is the journal of another fabric. Put this node's own database \
             there, or name that interface in teardown.keep",
            elsewhere.join(", ")
        )
    });
    let said: Vec<String> = not_of_here.into_iter().chain(of_elsewhere).collect();
    let message = (!said.is_empty()).then(|| said.join("; "));
    let observed = json!({ "unknown_to_routerd": shown, "rows_of_another_fabric": elsewhere });
    let ruling = Ruling::unless(message.clone());
    ctx.check(CAPTURES).expects(expected).seen(how).comes_to(observed, ruling);
    ctx.stop(&stops::UNKNOWN_CAPTURE, message, id);
}

/// A trace of an action that nobody's journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum UnknownCapture {
    /// A secondary address of the ENI.
    Address(Ipv4Addr),
    /// A route of the subnet's table for one address alone, to the ENI.
    HostRoute(String),
}

impl UnknownCapture {
    fn owner_command(&self, eni: &str, table: &str, region: &str) -> String {
        match self {
            Self::Address(address) => format!(
                "aws ec2 unassign-private-ip-addresses --network-interface-id {eni} \
                 --private-ip-addresses {address} --region {region}"
            ),
            Self::HostRoute(cidr) => format!(
                "aws ec2 delete-route --route-table-id {table} --destination-cidr-block {cidr} --region {region}"
            ),
        }
    }
}

impl std::fmt::Display for UnknownCapture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "the secondary address {address}"),
            Self::HostRoute(cidr) => write!(f, "a route for {cidr}"),
        }
    }
}

/// The captured address itself is judged by itself: nobody may have it, known or not.
fn find_unknown_captures<'a>(
    lab: &Lab,
    eni: &NetworkInterface,
    routes: impl IntoIterator<Item = (&'a String, &'a String)>,
    rows: &[Row],
) -> Vec<UnknownCapture> {
    let id = &eni.network_interface_id;
    let captured = lab.manifest.capture.address.addr();
    let kept = |address: &str| lab.manifest.teardown.keep.iter().any(|it| it == address);
    let strange = |address: &Ipv4Addr| {
        let text = address.to_string();
        *address != captured && !kept(&text) && !is_known(rows, id, &text)
    };
    let addresses = eni.secondary_addresses.iter().copied().filter(strange);
    let host_routes = routes.into_iter().filter_map(|(cidr, target)| {
        let address: Ipv4Addr = cidr.strip_suffix("/32")?.parse().ok()?;
        (target == id && strange(&address)).then(|| UnknownCapture::HostRoute(cidr.clone()))
    });
    addresses.map(UnknownCapture::Address).chain(host_routes).collect()
}

/// Rows of what was done, and not taken back, on an interface that is not the lab's.
fn find_rows_of_elsewhere(lab: &Lab, rows: &[Row]) -> Vec<String> {
    let own = &lab.manifest.capture.network_interface_id;
    let keep = &lab.manifest.teardown.keep;
    let stands = |row: &&Row| matches!(row.status, RowStatus::Succeeded | RowStatus::Failed);
    let elsewhere = |row: &Row| {
        let mut named = row.target.values().filter(|value| value.starts_with("eni-"));
        let other = named.find(|id| *id != own && !keep.contains(id))?;
        Some(format!("row {} ({}) of {} on {other}", row.id, row.status, row.action))
    };
    rows.iter().filter(stands).filter_map(elsewhere).collect()
}

/// Whether a row did it, or may have: one that was rolled back, or never executed, says the contrary.
fn is_known(rows: &[Row], eni: &str, address: &str) -> bool {
    let acted = |status: &RowStatus| {
        matches!(status, RowStatus::Succeeded | RowStatus::Failed | RowStatus::Running)
    };
    let names = |row: &Row| {
        let mut values = row.target.values();
        let on_it = row.target.values().any(|value| value == eni);
        on_it && values.any(|value| value.strip_suffix("/32").unwrap_or(value) == address)
    };
    rows.iter().any(|row| acted(&row.status) && names(row))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use super::*;
    use crate::example::{example_baseline, judge_as_scenario};

    const OTHER: &str = "10.88.60.50";

    fn row(status: &str, eni: &str, address: &str) -> Row {
        let target = json!({ "address": address, "nicRef": eni }).to_string();
        let row = json!({
            "id": 1, "idempotencyKey": "k", "provider": "aws", "action": "assign-secondary-ip",
            "status": status, "targetJSON": target,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(row).expect("a row")
    }

    #[test]
    fn what_is_on_the_eni_is_some_rows_or_nobodys() {
        let table = [
            (None, &[][..], 2, 0),
            (Some(("succeeded", "eni-1", "10.88.60.50/32")), &[], 0, 0),
            (Some(("failed", "eni-1", OTHER)), &[], 0, 0),
            (Some(("rolledBack", "eni-1", OTHER)), &[], 2, 0),
            (Some(("pending", "eni-1", OTHER)), &[], 2, 0),
            (Some(("succeeded", "eni-2", OTHER)), &[], 2, 1),
            (Some(("failed", "eni-2", OTHER)), &[], 2, 1),
            (Some(("rolledBack", "eni-2", OTHER)), &[], 2, 0),
            (Some(("succeeded", "eni-2", OTHER)), &["eni-2"], 2, 0),
            (Some(("succeeded", "eni-1", "10.88.60.5/32")), &[], 2, 0),
            (None, &[OTHER], 0, 0),
        ];
        judge_as_scenario("preflight", async |lab, _| {
            let mut eni = example_baseline().interface;
            let captured = lab.manifest.capture.address.addr();
            Rc::make_mut(&mut lab.manifest).capture.network_interface_id = "eni-1".to_owned();
            eni.secondary_addresses = vec![captured, OTHER.parse().expect("an address")];
            let routes: BTreeMap<String, String> = [
                ("10.88.60.50/32", "eni-1"),
                ("10.88.60.51/32", "eni-2"),
                ("10.99.0.0/24", "eni-1"),
                ("0.0.0.0/0", "igw-1"),
            ]
            .map(|(cidr, target)| (cidr.to_owned(), target.to_owned()))
            .into();
            for (known, keep, unknown, elsewhere) in table {
                let keep = keep.iter().map(|&it| it.to_owned()).collect();
                Rc::make_mut(&mut lab.manifest).teardown.keep = keep;
                let rows: Vec<Row> = known.iter().map(|(s, eni, at)| row(s, eni, at)).collect();
                let found = find_unknown_captures(lab, &eni, &routes, &rows);
                assert_eq!(found.len(), unknown, "{known:?}: {found:?}");
                let found = find_rows_of_elsewhere(lab, &rows);
                assert_eq!(found.len(), elsewhere, "{known:?}: {found:?}");
            }
        });
    }
}
