//! How packets go: ENI ownership, source/dest check, routes, NAT rules.
