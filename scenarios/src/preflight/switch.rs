//! Whether the dead man's switch would do what it is for: an instance that powers itself off is stopped and
//! not terminated, and the lab is still there when the run has ended.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use lab::Lab;
use lab::ec2::{Instance, OnShutdown, Tags};
use lab::manifest::Ceiling;
use serde_json::json;

use super::gather::Read;
use super::{EXPIRY, SHUTDOWN};
use crate::context::{Context, How, Ruling};

/// The tag of a lab that ends by itself, with its end as RFC 3339.
pub const EXPIRES_TAG: &str = "lab-smoke-expires";

/// How long undo, teardown and residue may take after the ceiling.
const UNDO: TimeDelta = TimeDelta::minutes(15);
/// As long as plans are imported: a run without a ceiling ends by then.
const WITHOUT_CEILING: TimeDelta = TimeDelta::hours(2);

/// The fate of each instance that a switch may power off, by its id.
pub type ShutdownReads = Vec<(String, Read<OnShutdown>)>;

pub async fn ask(lab: &Lab) -> ShutdownReads {
    if !lab.manifest.consent.stop_instances {
        return Vec::new();
    }
    let ids = lab.manifest.nodes.values().filter_map(|node| node.instance_id.clone());
    let reads = ids.map(async |id| {
        let read = lab.reader.on_shutdown(&id).await;
        (id, read)
    });
    futures::future::join_all(reads).await
}

pub fn judge(lab: &Lab, ctx: &mut Context<'_>, reads: ShutdownReads, seen: Expiring<'_>) {
    shutdown(ctx, reads);
    expiry(lab, ctx, seen);
}

fn shutdown(ctx: &mut Context<'_>, reads: ShutdownReads) {
    let expected = json!("an instance that powers itself off is stopped");
    if reads.is_empty() {
        let how = How::words("the manifest");
        let observed = json!("no instance has a dead man's switch");
        ctx.check(SHUTDOWN).expects(expected).seen(how).passes(observed);
        return;
    }
    let (mut fates, mut how) = (BTreeMap::new(), None);
    for (id, read) in reads {
        match read {
            Ok(answer) => {
                let seen = ctx.seen(&answer);
                how = Some(match how.take() {
                    None => seen,
                    Some(how) => How::and(how, seen),
                });
                fates.insert(id, answer.value);
            }
            Err(error) => {
                let how = ctx.seen_error(&error);
                ctx.check(SHUTDOWN).expects(expected).seen(how).unknown(error.to_string());
                return;
            }
        }
    }
    let wrong: Vec<String> = fates
        .iter()
        .filter(|(_, fate)| **fate != OnShutdown::Stop)
        .map(|(id, fate)| {
            let word = match fate {
                OnShutdown::Stop => "stopped",
                OnShutdown::Terminate => "terminated",
                OnShutdown::Other(word) => word,
            };
            format!(
                "{id} is {word} when it powers itself off, and this lab is not the run's to end: aws ec2 \
                 modify-instance-attribute --instance-id {id} \
                 --instance-initiated-shutdown-behavior stop"
            )
        })
        .collect();
    let ruling = Ruling::when(wrong.is_empty(), wrong.join("; "));
    let how = how.unwrap_or_else(|| How::words("no instance"));
    ctx.check(SHUTDOWN).expects(expected).seen(how).comes_to(json!(fates), ruling);
}

/// The parts of the lab whose tags may say when it ends.
#[derive(Clone, Copy)]
pub struct Expiring<'a> {
    pub instances: &'a [Instance],
    pub vpc: Option<&'a Tags>,
}

impl Expiring<'_> {
    /// Each that has the tag: its text, and the id.
    fn tags(&self) -> BTreeMap<String, String> {
        let of = |id: &str, tags: &Tags| Some((id.to_owned(), tags.get(EXPIRES_TAG)?.clone()));
        let instances = self.instances.iter().filter_map(|it| of(&it.instance_id, &it.tags));
        instances.chain(self.vpc.and_then(|tags| of("the VPC", tags))).collect()
    }
}

/// The end of the longest run that the manifest allows, with its undo.
fn last_moment(lab: &Lab) -> DateTime<Utc> {
    let nodes = lab.manifest.nodes.values();
    let instances = nodes.filter(|node| node.instance_id.is_some()).count().max(1);
    let ceiling = match lab.manifest.limits.max_instance_seconds {
        Ceiling::Seconds(seconds) => {
            let each = seconds / u64::try_from(instances).unwrap_or(1);
            i64::try_from(each).ok().and_then(TimeDelta::try_seconds)
        }
        Ceiling::Word(_) => None,
    };
    lab.clock.now() + ceiling.unwrap_or(WITHOUT_CEILING).min(TimeDelta::days(7)) + UNDO
}

fn expiry(lab: &Lab, ctx: &mut Context<'_>, seen: Expiring<'_>) {
    let expected = json!({ "expires": "never, or after the run and its undo" });
    let wrong = find_early_ends(lab, seen);
    let how = How::words(format!("the tag {EXPIRES_TAG} of the VPC and its instances"));
    let ruling = Ruling::when(wrong.is_empty(), wrong.join("; "));
    let observed = json!({ "expires": seen.tags() });
    ctx.check(EXPIRY).expects(expected).seen(how).comes_to(observed, ruling);
}

/// What of the lab ends before the run and its undo may, in words.
pub fn find_early_ends(lab: &Lab, seen: Expiring<'_>) -> Vec<String> {
    let needed = last_moment(lab);
    let tags = seen.tags();
    let early = tags.iter().filter_map(|(id, text)| match DateTime::parse_from_rfc3339(text) {
        Ok(at) if at >= needed => None,
        Ok(at) => Some(format!("{id} expires at {at}, and the run may last until {needed}")),
        Err(_) => Some(format!("{id}: the tag {EXPIRES_TAG} is no time: `{text}`")),
    });
    early.collect()
}
