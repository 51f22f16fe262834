//! What is in the lab of a run whose journal says that it never used its go: a journal that lost its
//! end is a whole one to whoever reads it, and the lab knows better.

use lab::Lab;
use reports::record::{Operation, ResidueItem};

use crate::baseline::{Baseline, restorable};
use crate::left;
use crate::run::Run;

const WHY: &str = "this run's journal does not say that it used its go: it has lost its end";

/// What the ENI and routerd-cloud say that this run has begun, with what settles it. What cannot be
/// asked says nothing.
pub async fn items(lab: &Lab, run: &Run) -> Vec<ResidueItem> {
    let files = lab.files_of(&run.id, &run.change_set).await.unwrap_or_default();
    let mut items: Vec<ResidueItem> = files
        .iter()
        .map(|path| ResidueItem { why: WHY.to_owned(), ..left::file(path).item })
        .collect();
    if let Some(baseline) = run.baseline() {
        items.extend(interface(lab, &baseline).await);
    }
    items
}

async fn interface(lab: &Lab, baseline: &Baseline) -> Option<ResidueItem> {
    let before = &baseline.interface;
    let answer = lab.reader.network_interface(&before.network_interface_id).await.ok()?;
    let now = answer.value?;
    if restorable(&now) == restorable(before) {
        return None;
    }
    let (eni, region) =
        (|| before.network_interface_id.clone(), || lab.manifest.aws.region.clone());
    let added = now.secondary_addresses.iter().filter(|it| !before.has(**it));
    let mut owner_commands: Vec<String> = added
        .map(|address| {
            let network_interface_id = eni();
            Operation::UnassignAddress { network_interface_id, address: *address, region: region() }
                .owner_command()
        })
        .collect();
    if now.source_dest_check != before.source_dest_check {
        let source_dest_check = before.source_dest_check;
        let restore = Operation::RestoreSourceDestCheck {
            network_interface_id: eni(),
            source_dest_check,
            region: region(),
        };
        owner_commands.push(restore.owner_command());
    }
    Some(ResidueItem {
        resource: "network interface".to_owned(),
        id: eni(),
        why: format!("it is not as preflight found it, and {WHY}"),
        costs_money: false,
        owner_commands,
    })
}
