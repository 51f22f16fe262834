//! The conclusion on a packet that was sent through the lab: in which namespaces it was seen, by which of
//! their hooks, and so where it ended.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use lab::node::Node;

/// Where a packet may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Fabric,
    Node(Node),
}

impl Place {
    /// On the way from one end of the lab to the other.
    pub const ON_THE_WAY: [Self; 5] = [
        Self::Node(Node::CloudClient),
        Self::Fabric,
        Self::Node(Node::RouterdCloud),
        Self::Node(Node::OnpremRouter),
        Self::Node(Node::OnpremClient),
    ];

    fn distance(self, other: Self) -> usize {
        let at = |place| Self::ON_THE_WAY.iter().position(|one| *one == place).unwrap_or(0);
        at(self).abs_diff(at(other))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fabric => f.write_str("the VPC's fabric"),
            Self::Node(node) => write!(f, "{node}"),
        }
    }
}

/// There, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    Request,
    Answer,
}

impl Leg {
    pub const BOTH: [Self; 2] = [Self::Request, Self::Answer];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

/// How many packets of a leg passed each hook of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// prerouting, input, output, postrouting.
    pub entered: u64,
    pub taken: u64,
    pub sent: u64,
    pub left: u64,
}

pub type Sightings = BTreeMap<(Leg, Place), HookCounts>;

/// The end of a walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// The request was answered, and the answer came back.
    Arrived,
    Dropped {
        leg: Leg,
        place: Place,
        by: String,
    },
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrived => f.write_str("arrived, and the answer as well"),
            Self::Dropped { leg, place, by } => {
                write!(f, "dropped: the {}, at {place}: {by}", leg.as_str())
            }
        }
    }
}

/// In what way a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// At this place something took it.
    Taken(Place),
    /// Its sender never sent it.
    NotSent(Place),
    /// It came to this place and did not leave it.
    Kept(Place),
    /// It left this place and came to no other.
    Lost(Place),
}

/// Where a leg that begins at `from` ended.
pub fn end_of(sightings: &Sightings, leg: Leg, from: Place) -> LegEnd {
    let seen = |place: Place| sightings.get(&(leg, place)).copied().unwrap_or_default();
    if let Some(place) = Place::ON_THE_WAY.into_iter().find(|place| seen(*place).taken > 0) {
        return LegEnd::Taken(place);
    }
    let was_there = |place: &Place| seen(*place).entered > 0 || seen(*place).sent > 0;
    let reached = Place::ON_THE_WAY.into_iter().filter(was_there);
    match reached.max_by_key(|place| place.distance(from)) {
        None => LegEnd::NotSent(from),
        Some(last) if seen(last).left == 0 => LegEnd::Kept(last),
        Some(last) => LegEnd::Lost(last),
    }
}

/// The places that a leg passed, in the order of its way.
pub fn way_of(sightings: &Sightings, leg: Leg, from: Place) -> Vec<Place> {
    let mut places: Vec<Place> = Place::ON_THE_WAY
        .into_iter()
        .filter(|place| {
            sightings.get(&(leg, *place)).is_some_and(|seen| *seen != HookCounts::default())
        })
        .collect();
    places.sort_by_key(|place| place.distance(from));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Place = Place::Node(Node::CloudClient);
    const ROUTER: Place = Place::Node(Node::RouterdCloud);
    const FAR: Place = Place::Node(Node::OnpremClient);

    fn seen(entered: u64, taken: u64, sent: u64, left: u64) -> HookCounts {
        HookCounts { entered, taken, sent, left }
    }

    #[test]
    fn a_leg_ends_where_it_was_seen_last() {
        let (starts, passes) = (seen(0, 0, 1, 1), seen(1, 0, 0, 1));
        let table = [
            (vec![], LegEnd::NotSent(CLIENT)),
            (vec![(CLIENT, seen(0, 0, 1, 0))], LegEnd::Kept(CLIENT)),
            (vec![(CLIENT, starts)], LegEnd::Lost(CLIENT)),
            (
                vec![(CLIENT, starts), (Place::Fabric, seen(1, 0, 0, 0))],
                LegEnd::Kept(Place::Fabric),
            ),
            (vec![(CLIENT, starts), (Place::Fabric, passes)], LegEnd::Lost(Place::Fabric)),
            (
                vec![(CLIENT, starts), (Place::Fabric, passes), (ROUTER, seen(1, 0, 0, 0))],
                LegEnd::Kept(ROUTER),
            ),
            (
                vec![(CLIENT, starts), (Place::Fabric, passes), (FAR, seen(1, 1, 0, 0))],
                LegEnd::Taken(FAR),
            ),
        ];
        for (all, expected) in table {
            let sightings: Sightings =
                all.iter().map(|(place, seen)| ((Leg::Request, *place), *seen)).collect();
            assert_eq!(end_of(&sightings, Leg::Request, CLIENT), expected, "{all:?}");
            assert_eq!(end_of(&sightings, Leg::Answer, FAR), LegEnd::NotSent(FAR), "another leg");
            assert_eq!(way_of(&sightings, Leg::Request, CLIENT).len(), all.len());
        }
    }

    #[test]
    fn a_way_is_told_from_where_it_begins() {
        let passes = seen(1, 0, 0, 1);
        let all = [ROUTER, Place::Fabric, CLIENT].map(|place| ((Leg::Answer, place), passes));
        let sightings = Sightings::from(all);
        assert_eq!(way_of(&sightings, Leg::Answer, FAR), [ROUTER, Place::Fabric, CLIENT]);
    }

    #[test]
    fn a_conclusion_says_which_packet_where_and_by_what() {
        let dropped = Conclusion::Dropped {
            leg: Leg::Answer,
            place: Place::Fabric,
            by: "drop_src_check".to_owned(),
        };
        assert_eq!(dropped.to_string(), "dropped: the answer, at the VPC's fabric: drop_src_check");
        assert_eq!(Conclusion::Arrived.to_string(), "arrived, and the answer as well");
    }
}
