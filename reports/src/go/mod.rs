//! The owner's go: what is granted, by whom, and the checks that nothing gets round.
//!
//! A go is `go.json` with a detached OpenSSH signature (`go.json.sig`). [`verify_go`] is the only
//! maker of a [`Verified`], from which alone a permit for a mutation can come.

mod document;
mod kept;
mod patterns;
mod self_grant;
mod signers;
mod verify;

#[cfg(test)]
mod tests;

pub use document::{GO_VERSION, GoDocument, NotADocument};
pub use kept::{Kept, keep_go, read_kept, set_aside};
pub use self_grant::{NoSelfGrant, SELF_PRINCIPAL, SelfGrant, self_grant, self_signers};
pub use signers::{AllowedSigners, BadLine};
pub(crate) use verify::check_signature;
pub use verify::{Expectation, LONGEST_VALIDITY, Refused, Verified, verify_go};

/// The namespace of a go's signature: `ssh-keygen -Y sign -n lab-smoke-go`.
pub const NAMESPACE: &str = "lab-smoke-go";
