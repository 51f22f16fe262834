//! What a role's policy documents grant.
