//! No secret gets in.
