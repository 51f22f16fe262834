//! Everything that routerctl inherits from Go: how its flags are read, how values, tables and times
//! are printed, and the words of its standard library's errors.

pub mod doc;
pub mod flags;
pub mod json;
pub mod numbers;
pub mod table;
pub mod time;
pub mod yaml;
