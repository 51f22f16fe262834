//! The run's folder.
