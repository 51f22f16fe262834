//! The real machine as a [`crate::process::Host`].
