//! A strict reading of the node's router.yaml.
