//! From what happened to a verdict and an exit code.
