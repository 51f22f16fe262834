//! The cloud client: a reader for everyone, a mutator for who has a permit.
