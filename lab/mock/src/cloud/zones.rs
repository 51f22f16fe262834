//! Availability zones.

/// Regions with their zones' letters and ids.
const ZONES: &[(&str, &[(&str, &str)])] = &[
    ("ap-northeast-1", &[("a", "apne1-az4"), ("c", "apne1-az1"), ("d", "apne1-az2")]),
    ("eu-central-1", &[("a", "euc1-az2"), ("b", "euc1-az3"), ("c", "euc1-az1")]),
    ("us-east-1", &[("a", "use1-az1"), ("b", "use1-az2"), ("c", "use1-az4")]),
];

/// Names and ids of a region's zones.
pub fn list_zones(region: &str) -> Vec<(String, &'static str)> {
    let found = ZONES.iter().find(|(name, _)| *name == region);
    let letters = found.into_iter().flat_map(|(_, zones)| *zones);
    letters.map(|(letter, id)| (format!("{region}{letter}"), *id)).collect()
}

pub fn list_regions() -> impl Iterator<Item = &'static str> {
    ZONES.iter().map(|(name, _)| *name)
}
