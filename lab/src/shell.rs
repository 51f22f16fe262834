//! The harness's way to a node: read-only commands for everyone, actions for who has a permit.
