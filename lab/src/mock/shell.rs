//! What a node's shell answers.
