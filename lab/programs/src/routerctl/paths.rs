//! Where routerd keeps its things on Linux.

pub const CONFIG_FILE: &str = "/usr/local/etc/routerd/router.yaml";
pub const STATE_FILE: &str = "/var/lib/routerd/routerd.db";
pub const STATUS_SOCKET: &str = "/run/routerd/routerd-status.sock";
