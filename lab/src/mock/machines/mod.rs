//! What the four nodes are: interfaces, addresses, routes, neighbours, rules, files, keys; and the
//! overlay and the packets between them.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machines {}
