//! `routerctl get` and `describe`: they ask a daemon over its status socket, and there is none.

use std::path::Path;

use super::not_here;
use crate::routerctl::go::flags::FlagSet;
use crate::routerctl::paths::STATUS_SOCKET;
use crate::routerctl::{CommandResult, RouterctlCall};
use lab::golang::quote;

const API: &str = "http://routerd/api/control.routerd.net/v1alpha1";

pub fn run_get(call: &RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let subject = target("get requires <subject> or <kind>/<name>", args)?;
    ask(call, "get", &[("events-limit", "10"), ("limit", "100"), ("subject", &subject)])
}

pub fn run_describe(call: &RouterctlCall<'_>, args: &[String]) -> CommandResult {
    let target = target("describe requires <kind>/<name>", args)?;
    ask(call, "describe", &[("events-limit", "10"), ("target", &target)])
}

/// The one argument.
fn target(missing: &str, args: &[String]) -> Result<String, String> {
    match &FlagSet::new().output().parse_anywhere(args)?.rest[..] {
        [target] => Ok(target.clone()),
        _ => Err(missing.to_owned()),
    }
}

fn ask(call: &RouterctlCall<'_>, verb: &str, query: &[(&str, &str)]) -> CommandResult {
    if call.host.file_mode(Path::new(STATUS_SOCKET)).is_ok() {
        return not_here(&format!("speaking to the daemon at {STATUS_SOCKET}"));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let url = quote(&format!("{API}/{verb}?{query}"));
    Err(format!("Get {url}: dial unix {STATUS_SOCKET}: connect: no such file or directory"))
}
