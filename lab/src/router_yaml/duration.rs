//! Go's way of writing a duration, as `120s` or `1m30s`.

use crate::golang::parse_duration;

/// Milliseconds; none where Go would refuse the text, or where it is negative.
pub(super) fn parse_ms(text: &str) -> Option<u64> {
    u64::try_from(parse_duration(text).ok()? / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::parse_ms;

    #[test]
    fn durations_as_go_reads_them() {
        let table = [
            ("120s", Some(120_000)),
            ("1m30s", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("1.5s", Some(1_500)),
            ("500ms", Some(500)),
            ("0", Some(0)),
            ("120", None),
            ("", None),
            ("s", None),
            ("-5s", None),
            ("5 s", None),
            ("1d", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_ms(text), expected, "{text:?}");
        }
    }
}
