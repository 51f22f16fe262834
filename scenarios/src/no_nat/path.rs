//! The captured path through one router: which packets it is made of there, and whether a rule's
//! condition can hold for one of them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use lab::Lab;
use lab::node::Node;
use lab::shell::RuleCondition;
use serde_json::Value;

/// A packet of the path as a rule on the router may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub incoming: String,
    pub outgoing: String,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
}

/// There and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedPath(pub [View; 2]);

impl CapturedPath {
    pub fn through(lab: &Lab, router: Node) -> Self {
        let address = |node| lab.manifest.nodes[&node].address;
        let (cloud, onprem) = (address(Node::CloudClient), address(Node::OnpremClient));
        let entry = &lab.manifest.nodes[&router];
        let (lan, overlay) = (entry.interface.clone(), entry.overlay().to_owned());
        let view = |incoming: &String, outgoing: &String, source, destination| View {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            source,
            destination,
        };
        let views = if router == Node::RouterdCloud {
            [view(&lan, &overlay, cloud, onprem), view(&overlay, &lan, onprem, cloud)]
        } else {
            [view(&overlay, &lan, cloud, onprem), view(&lan, &overlay, onprem, cloud)]
        };
        Self(views)
    }

    /// The two clients' addresses.
    pub fn ends(&self) -> [Ipv4Addr; 2] {
        [self.0[0].source, self.0[0].destination]
    }

    /// For which packets of the path a rule with these conditions can hold. What is not understood
    /// can.
    pub fn holding<C>(&self, conditions: &[C], holds: impl Fn(&View, &C) -> bool) -> [bool; 2] {
        let each = self.0.each_ref();
        each.map(|view| conditions.iter().all(|condition| holds(view, condition)))
    }
}

/// Whether an expression of nft's JSON can hold for the packet: one that is no condition, or none
/// that is known here, can.
pub fn nft_can_hold(view: &View, expression: &Value) -> bool {
    let Some(found) = expression.get("match") else { return true };
    let (left, right) = (&found["left"], &found["right"]);
    // Neither end of the path is the router's own address: `os-address` sees that.
    if left["fib"]["result"] == "type" && right == "local" && found["op"] == "==" {
        return false;
    }
    let Some(holds) = field(view, left).and_then(|field| field.is_in(right)) else { return true };
    match found["op"].as_str() {
        Some("==" | "in") => holds,
        Some("!=") => !holds,
        _ => true,
    }
}

/// A field of a packet.
enum PacketField<'a> {
    Interface(&'a str),
    Address(Ipv4Addr),
    /// A field of another family than the path's.
    Absent,
}

fn field<'a>(view: &'a View, left: &Value) -> Option<PacketField<'a>> {
    if let Some(key) = left["meta"]["key"].as_str() {
        return match key {
            "iifname" | "iif" => Some(PacketField::Interface(&view.incoming)),
            "oifname" | "oif" => Some(PacketField::Interface(&view.outgoing)),
            _ => None,
        };
    }
    let payload = &left["payload"];
    match (payload["protocol"].as_str(), payload["field"].as_str()) {
        (Some("ip"), Some("saddr")) => Some(PacketField::Address(view.source)),
        (Some("ip"), Some("daddr")) => Some(PacketField::Address(view.destination)),
        (Some("ip6"), Some(_)) => Some(PacketField::Absent),
        _ => None,
    }
}

impl PacketField<'_> {
    /// Whether it is one of what the right side names; none where that is not understood.
    fn is_in(&self, right: &Value) -> Option<bool> {
        if matches!(self, Self::Absent) {
            return Some(false);
        }
        if let Some(items) = right.get("set").and_then(Value::as_array) {
            let each: Option<Vec<bool>> = items.iter().map(|item| self.is_in(item)).collect();
            return each.map(|each| each.contains(&true));
        }
        match (self, right) {
            (Self::Interface(name), Value::String(pattern)) => Some(fits(name, pattern, '*')),
            (Self::Address(address), Value::String(text)) => {
                text.parse().ok().map(|one: Ipv4Addr| one == *address)
            }
            (Self::Address(address), Value::Object(_)) => {
                if let Some(prefix) = right.get("prefix") {
                    let base: Ipv4Addr = prefix["addr"].as_str()?.parse().ok()?;
                    let length = u8::try_from(prefix["len"].as_u64()?).ok()?;
                    return Some(Ipv4Net::new(base, length).ok()?.contains(address));
                }
                let ends = right.get("range")?.as_array()?;
                let end = |at: usize| ends.get(at)?.as_str()?.parse::<Ipv4Addr>().ok();
                Some((end(0)?..=end(1)?).contains(address))
            }
            _ => None,
        }
    }
}

fn fits(name: &str, pattern: &str, wildcard: char) -> bool {
    match pattern.strip_suffix(wildcard) {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

pub fn iptables_can_hold(view: &View, condition: &RuleCondition) -> bool {
    let in_net = |address: Ipv4Addr| {
        let net: Option<Ipv4Net> = condition.value.parse().ok();
        net.is_none_or(|net| net.contains(&address) != condition.negated)
    };
    let is = |name: &str| fits(name, &condition.value, '+') != condition.negated;
    match condition.option.as_str() {
        "-i" => is(&view.incoming),
        "-o" => is(&view.outgoing),
        "-s" => in_net(view.source),
        // Neither end of the path is the router's own address.
        "--dst-type" | "--src-type" => (condition.value == "LOCAL") == condition.negated,
        _ => in_net(view.destination),
    }
}

#[cfg(test)]
pub mod tests {
    use lab::shell::LegacyRule;
    use serde_json::json;

    use super::*;

    /// Through onprem-router.
    pub fn onprem() -> CapturedPath {
        let view = |incoming: &str, outgoing: &str, source: u8, destination: u8| View {
            incoming: incoming.to_owned(),
            outgoing: outgoing.to_owned(),
            source: Ipv4Addr::new(10, 88, 60, source),
            destination: Ipv4Addr::new(10, 88, 60, destination),
        };
        CapturedPath([view("wg-hybrid", "br-lan", 7, 9), view("br-lan", "wg-hybrid", 9, 7)])
    }

    #[test]
    fn a_rule_of_nft_meets_the_path_where_all_its_conditions_can() {
        let is = |op: &str, left: Value, right: Value| json!({ "match": { "op": op, "left": left, "right": right } });
        let out = || json!({ "meta": { "key": "oifname" } });
        let input = || json!({ "meta": { "key": "iif" } });
        let source = || json!({ "payload": { "protocol": "ip", "field": "saddr" } });
        let lan = || json!({ "prefix": { "addr": "10.88.60.0", "len": 24 } });
        let six = json!({ "payload": { "protocol": "ip6", "field": "saddr" } });
        let port = json!({ "payload": { "protocol": "tcp", "field": "dport" } });
        let table = [
            ("no condition", vec![], true),
            ("to the internet", vec![is("==", out(), json!("wan0"))], false),
            ("to anywhere but the overlay", vec![is("!=", out(), json!("wg-hybrid"))], true),
            ("to neither", vec![is("!=", out(), json!({ "set": ["wg-hybrid", "br-lan"] }))], false),
            ("by pattern", vec![is("==", out(), json!("wg-*"))], true),
            ("in by the internet", vec![is("==", input(), json!("wan0"))], false),
            ("from the network", vec![is("==", source(), lan())], true),
            ("from elsewhere", vec![is("!=", source(), lan())], false),
            ("from one", vec![is("==", source(), json!("10.88.60.9"))], true),
            ("from another", vec![is("==", source(), json!("10.88.60.8"))], false),
            (
                "a range",
                vec![is("==", source(), json!({ "range": ["10.88.60.8", "10.88.60.20"] }))],
                true,
            ),
            (
                "from one on the other's way",
                vec![is("==", source(), json!("10.88.60.7")), is("==", out(), json!("wg-hybrid"))],
                false,
            ),
            ("a named set", vec![is("==", source(), json!("@somebody"))], true),
            (
                "a set with what is not understood",
                vec![is("==", source(), json!({ "set": ["10.88.60.8", { "concat": [] }] }))],
                true,
            ),
            ("of the other family", vec![is("==", six, json!("fe80::1"))], false),
            ("a port", vec![is("==", port, json!(8443))], true),
            ("another comparison", vec![is("<", source(), json!("10.0.0.1"))], true),
        ];
        for (what, conditions, can) in table {
            assert_eq!(onprem().holding(&conditions, nft_can_hold).contains(&true), can, "{what}");
        }
    }

    #[test]
    fn a_legacy_rule_meets_the_path_where_all_its_conditions_can() {
        let table = [
            ("-A POSTROUTING -j MASQUERADE", true),
            ("-A POSTROUTING -o wan0 -j MASQUERADE", false),
            ("-A POSTROUTING -o wg+ -j MASQUERADE", true),
            ("-A POSTROUTING ! -o wg-hybrid -j MASQUERADE", true),
            ("-A POSTROUTING -s 10.88.60.0/24 ! -o br-lan -j MASQUERADE", true),
            ("-A POSTROUTING -s 10.88.60.7/32 -o wg-hybrid -j MASQUERADE", false),
            ("-A PREROUTING -i wan0 -p tcp -j DNAT --to-destination 10.88.60.9", false),
            ("-A PREROUTING ! -d 10.88.60.0/24 -j DNAT --to-destination 10.88.60.9", false),
            ("-A PREROUTING -p tcp -m tcp --dport 8443 -j REDIRECT", true),
        ];
        for (rule, can) in table {
            let conditions = LegacyRule::read("nat", rule).expect("a rule").conditions;
            assert_eq!(
                onprem().holding(&conditions, iptables_can_hold).contains(&true),
                can,
                "{rule}"
            );
        }
    }
}
