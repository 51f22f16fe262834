//! Chains that a packet of the path can come to. Who publishes a port of a container has the chain
//! with the translations asked for the router's own addresses alone: none of the path gets there.

use std::collections::BTreeSet;

use serde_json::Value;

/// A rule, as far as it leads on: for each view of the path whether all its conditions can hold.
pub struct Leads {
    pub chain: String,
    pub to: Vec<String>,
    pub holds: [bool; 2],
}

/// For each view of the path, the chains that its packet can come to from these.
pub fn find_entered(begin: &BTreeSet<String>, rules: &[Leads]) -> [BTreeSet<String>; 2] {
    [0, 1].map(|view| {
        let mut entered = begin.clone();
        loop {
            let leading = rules.iter().filter(|it| it.holds[view] && entered.contains(&it.chain));
            let further: Vec<String> = leading.flat_map(|it| it.to.clone()).collect();
            let before = entered.len();
            entered.extend(further);
            if entered.len() == before {
                return entered;
            }
        }
    })
}

/// Where a rule of nft may go on: what it jumps to, also by a map; one that is kept elsewhere may
/// lead to every chain.
pub enum Targets {
    These(Vec<String>),
    Any,
}

pub fn nft_targets(expressions: &Value) -> Targets {
    let mut these = Vec::new();
    if collect(expressions, &mut these) { Targets::Any } else { Targets::These(these) }
}

/// Whether a map that is kept elsewhere decides.
fn collect(value: &Value, into: &mut Vec<String>) -> bool {
    let mut any = false;
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let target = value["target"].as_str().filter(|_| key == "jump" || key == "goto");
                into.extend(target.map(str::to_owned));
                let named = key == "vmap" && value["data"].is_string();
                any |= collect(value, into) || named;
            }
        }
        Value::Array(items) => {
            for item in items {
                any |= collect(item, into);
            }
        }
        _ => {}
    }
    any
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leads(chain: &str, to: &[&str], holds: [bool; 2]) -> Leads {
        Leads { chain: chain.to_owned(), to: to.iter().map(ToString::to_string).collect(), holds }
    }

    #[test]
    fn a_chain_is_entered_where_some_rule_on_the_way_can_hold_for_the_same_packet() {
        let begin = BTreeSet::from(["base".to_owned()]);
        let rules = [
            leads("base", &["one"], [true, false]),
            leads("one", &["two"], [true, true]),
            leads("two", &["base"], [true, true]),
            leads("elsewhere", &["three"], [true, true]),
        ];
        let [there, back] = find_entered(&begin, &rules);
        assert_eq!(there.iter().collect::<Vec<_>>(), ["base", "one", "two"]);
        assert_eq!(back.iter().collect::<Vec<_>>(), ["base"]);
    }

    #[test]
    fn jumps_are_found_in_rules_and_in_their_maps() {
        let these = |expressions: Value| match nft_targets(&expressions) {
            Targets::These(these) => these,
            Targets::Any => vec!["any".to_owned()],
        };
        assert_eq!(these(json!([{ "jump": { "target": "DOCKER" } }])), ["DOCKER"]);
        let set =
            json!([["a", { "goto": { "target": "x" } }], ["b", { "jump": { "target": "y" } }]]);
        let map = json!([{ "vmap": { "key": {}, "data": { "set": set } } }]);
        assert_eq!(these(map), ["x", "y"]);
        assert_eq!(these(json!([{ "vmap": { "key": {}, "data": "@kept" } }])), ["any"]);
        assert_eq!(these(json!([{ "masquerade": null }])), [] as [&str; 0]);
    }
}
