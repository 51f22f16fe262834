//! lab_smoke_tests
