//! The endpoint over loopback HTTP.
