//! The owner's go: document, allowed signers, verification.
