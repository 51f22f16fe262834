//! The releases of routerd that the contract covers: from the one that cut mobility over to BGP to the
//! one that it was read from. What upstream recommends as stable is older, and newer ones nobody has read.

/// A release of routerd: a day and a time, as `v20260822.1715`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterdRelease {
    day: u32,
    time: u16,
}

impl RouterdRelease {
    /// The breaking cut-over; from here on the way of an action has not changed (contract §9).
    pub const FIRST: Self = Self { day: 20_260_820, time: 52 };
    /// The release that the contract was read from, and run.
    pub const LAST: Self = Self { day: 20_260_822, time: 1715 };

    /// Reads what `routerctl version` prints: `routerctl v20260822.1715`, whatever follows. None where
    /// it names no release, as a build of somebody's own.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.lines().next()?.split_whitespace();
        let named = words.next()? == "routerctl";
        let (day, time) = words.next()?.strip_prefix('v')?.split_once('.')?;
        let digits = |text: &str, count| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !named || !digits(day, 8) || !digits(time, 4) {
            return None;
        }
        Some(Self { day: day.parse().ok()?, time: time.parse().ok()? })
    }

    /// Whether the contract says how it behaves.
    pub fn is_covered(self) -> bool {
        (Self::FIRST..=Self::LAST).contains(&self)
    }
}

impl std::fmt::Display for RouterdRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}.{:04}", self.day, self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_covered_from_the_cut_over_to_what_was_read() {
        let table = [
            ("routerctl v20260822.1715\n", Some(true)),
            ("routerctl v20260822.1715 (stand-in of lab-smoke)\n", Some(true)),
            ("routerctl v20260820.0052", Some(true)),
            ("routerctl v20260820.0051", Some(false)),
            ("routerctl v20260512.0633\n", Some(false)),
            ("routerctl v20260822.1716", Some(false)),
            ("routerctl v20261101.0000", Some(false)),
            ("routerctl dev", None),
            ("routerd v20260822.1715", None),
            ("routerctl v2026082.1715", None),
            ("routerctl v20260822.17150", None),
            ("routerctl v+0260822.1715", None),
            ("", None),
        ];
        for (text, covered) in table {
            let release = RouterdRelease::read(text);
            assert_eq!(release.map(RouterdRelease::is_covered), covered, "{text}");
        }
        assert_eq!(RouterdRelease::FIRST.to_string(), "v20260820.0052");
    }
}
