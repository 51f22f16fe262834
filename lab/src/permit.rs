//! The three values without which nothing is changed (design I1).
