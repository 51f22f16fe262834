//! `curl -sS -f [-m SECONDS] [-X METHOD] [-H HEADER]… URL`: of the instance's metadata service, the
//! only server that a node has.

use super::{Io, Session};
use crate::ec2::metadata::{self, Query};

const SERVER: &str = "http://169.254.169.254";

pub fn main(session: &Session, args: &[&str], io: &Io) -> i32 {
    let (mut method, mut headers, mut url) = ("GET", Vec::new(), None);
    let mut words = args.iter();
    while let Some(&word) = words.next() {
        match word {
            "-sS" | "-f" => {}
            "-m" => drop(words.next()),
            "-X" => method = words.next().copied().unwrap_or(method),
            "-H" => headers.extend(words.next().and_then(|header| header.split_once(": "))),
            option if option.starts_with('-') => {
                return io.fail(2, &format!("curl: option {option}: is unknown"));
            }
            address => url = Some(address),
        }
    }
    let path = url.and_then(|url| url.strip_prefix(SERVER));
    let instance_id = session.machine(|machine| machine.instance_id.clone());
    let world = session.shared.lock();
    let instance = instance_id.and_then(|id| world.cloud.instances.get(&id));
    let (Some(path), Some(instance)) = (path, instance) else {
        drop(world);
        return io.fail(7, "curl: (7) Failed to connect: No route to host");
    };
    let header = |name: &str| {
        let mut named = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| *value)
    };
    let query = Query {
        method,
        path,
        token: header("X-aws-ec2-metadata-token"),
        ttl_seconds: header("X-aws-ec2-metadata-token-ttl-seconds"),
    };
    let now = session.clock.now();
    let response = metadata::answer_query(&world.cloud, instance, &query, now);
    if response.status >= 400 {
        let status = response.status;
        return io.fail(22, &format!("curl: (22) The requested URL returned error: {status}"));
    }
    io.stdout.write(&response.body);
    0
}
