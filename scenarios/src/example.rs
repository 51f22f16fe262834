//! What the tests of several scenarios begin with.

use lab::change_set::ChangeSet;

pub fn change_set() -> ChangeSet {
    ChangeSet {
        run_id: "run-1".to_owned(),
        provider: "aws".to_owned(),
        provider_ref: "aws-lab".to_owned(),
        network_interface_id: "eni-1".to_owned(),
        region: "eu-central-1".to_owned(),
        address: "10.88.60.9/32".parse().expect("an address"),
        allow_reassignment: false,
        ttl: "2h".to_owned(),
    }
}
