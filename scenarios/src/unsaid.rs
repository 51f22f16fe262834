//! Things in the lab of a run whose journal says that it never used its go: a journal that lost its
//! end is a whole one to whoever reads it, and the lab knows better.

use lab::Lab;
use reports::record::ResidueItem;

use crate::baseline::{Baseline, describe_changed_interface};
use crate::left;
use crate::run::Run;

const WHY: &str = "this run's journal does not say that it used its go: it has lost its end";

/// Lists what the ENI and routerd-cloud say that this run has begun, with what settles it. What cannot
/// be asked says nothing.
pub async fn list_unsaid_items(lab: &Lab, run: &Run) -> Vec<ResidueItem> {
    let files = lab.files_of(&run.id, &run.change_set).await.unwrap_or_default();
    let mut items: Vec<ResidueItem> = files
        .iter()
        .map(|path| ResidueItem { why: WHY.to_owned(), ..left::describe_left_file(path).item })
        .collect();
    if let Some(baseline) = run.baseline() {
        items.extend(interface(lab, &baseline).await);
    }
    items
}

async fn interface(lab: &Lab, baseline: &Baseline) -> Option<ResidueItem> {
    let before = &baseline.interface;
    let answer = lab.reader.network_interface(&before.network_interface_id).await.ok()?;
    let changed =
        describe_changed_interface(&lab.manifest.aws.region, before, answer.value.as_ref())?;
    Some(ResidueItem { why: format!("{}, and {WHY}", changed.why), ..changed })
}
