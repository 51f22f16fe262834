//! The proof that a node cannot change the host's files: every mount that it sees is read-only, or its
//! own.

use std::io;

/// The name by which `node.sh` calls the mounts that it makes.
const OWN: &str = "lab-smoke";

/// # Errors
/// Where a node could write to files of the host, with the paths.
pub fn must_be_closed(mountinfo: &str) -> io::Result<()> {
    let open: Vec<&str> = mountinfo.lines().filter_map(open_at).collect();
    if open.is_empty() {
        return Ok(());
    }
    let words = format!(
        "a node could change the host's files at {}: this machine does not let them be mounted read-only",
        open.join(", ")
    );
    Err(io::Error::other(words))
}

/// Where this mount leads to files of the host that could be written to: the fields are those of
/// proc(5), with the kind and the source of the file system behind a lone dash.
fn open_at(line: &str) -> Option<&str> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let (at, options) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, source) = (after.next()?, after.next()?);
    let read_only = options.split(',').any(|option| option == "ro");
    let own = source == OWN
        // Processes, and the settings of the node's own network.
        || kind == "proc" && ["/proc", "/proc/sys/net"].contains(&at)
        // A device is no file of the host's: the folder is the node's own, and node.sh says which there are.
        || at.starts_with("/dev/");
    (!read_only && !own).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_nodes_own_may_be_written() {
        let table = [
            ("1 0 0:40 / / rw,relatime - tmpfs lab-smoke rw", None),
            ("2 1 0:41 / /etc rw - overlay lab-smoke rw,lowerdir=/run/skeleton/etc:/etc", None),
            ("3 1 0:5 / /proc rw,nosuid shared:1 - proc proc rw", None),
            ("3 1 0:5 /sys /proc/sys ro,nosuid - proc proc rw", None),
            ("3 1 0:5 /sys/net /proc/sys/net rw - proc proc rw", None),
            ("4 1 0:5 /irq /proc/irq rw - proc proc rw", Some("/proc/irq")),
            ("5 1 0:6 /null /dev/null rw - devtmpfs udev rw", None),
            ("6 1 0:6 / /dev rw - devtmpfs udev rw", Some("/dev")),
            ("7 1 254:0 /x/in /run/lab-smoke/in rw - ext4 /dev/vda rw", Some("/run/lab-smoke/in")),
            ("8 1 254:0 /usr/bin/x /run/lab-smoke/program ro - ext4 /dev/vda rw", None),
            ("9 1 254:0 /mnt /run/host/mnt rw,relatime - ext4 /dev/vda rw", Some("/run/host/mnt")),
            ("10 1 0:44 / /run/host/srv rw - tmpfs tmpfs rw", Some("/run/host/srv")),
            ("11 1 0:45 / /a ro,nodev master:2 - ext4 /dev/vdb rw", None),
        ];
        for (line, expected) in table {
            assert_eq!(open_at(line), expected, "{line}");
        }
        let all = table.map(|(line, _)| line).join("\n");
        let said = must_be_closed(&all).expect_err("it is open").to_string();
        assert!(
            said.contains(" at /proc/irq, /dev, /run/lab-smoke/in, /run/host/mnt, /run/host/srv: "),
            "{said}"
        );
    }
}
