//! The typed routerctl client: argument lists out, answers in.
