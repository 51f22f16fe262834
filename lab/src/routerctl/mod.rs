//! The stand-in `routerctl`, with routerd's own journal schema.
