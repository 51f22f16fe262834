//! A node of the world as a [`crate::process::Host`].
