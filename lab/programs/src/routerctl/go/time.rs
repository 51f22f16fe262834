//! Go's times and durations as text. Go's zero time is `None` here.

use chrono::{DateTime, SecondsFormat, Utc};

pub type Time = Option<DateTime<Utc>>;

const ZERO: &str = "0001-01-01T00:00:00Z";

/// RFC3339Nano: the fraction without trailing zeros.
pub fn format_nano(time: Time) -> String {
    let Some(time) = time else { return ZERO.into() };
    let whole = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    let nanos = format!("{:09}", time.timestamp_subsec_nanos());
    match nanos.trim_end_matches('0') {
        "" => format!("{whole}Z"),
        fraction => format!("{whole}.{fraction}Z"),
    }
}

/// Seconds alone, `-` for the zero time: the form of tables.
pub fn format_cell(time: Time) -> String {
    time.map_or_else(|| "-".into(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Reads a time as routerd reads a column: what is no RFC 3339 time is the zero time.
pub fn parse_time(text: &str) -> Time {
    if text == ZERO {
        return None;
    }
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// `time.Duration.String`.
pub fn format_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let digits = format!("{:0width$}", value % unit, width = unit.to_string().len() - 1);
        match digits.trim_end_matches('0') {
            "" => (value / unit).to_string(),
            digits => format!("{}.{digits}", value / unit),
        }
    };
    let text = match nanos {
        0 => "0s".to_owned(),
        n if n < 1_000 => format!("{n}ns"),
        n if n < 1_000_000 => format!("{}µs", fraction(n, 1_000)),
        n if n < 1_000_000_000 => format!("{}ms", fraction(n, 1_000_000)),
        n => {
            let minutes = n / 60_000_000_000;
            let seconds = format!("{}s", fraction(n % 60_000_000_000, 1_000_000_000));
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lab::golang::parse_duration;

    use super::*;

    #[test]
    fn the_fraction_of_a_time_has_no_trailing_zeros() {
        for (text, printed) in [
            ("2026-11-22T00:28:54.093094051Z", "2026-11-22T00:28:54.093094051Z"),
            ("2026-11-22T00:28:54.250970000Z", "2026-11-22T00:28:54.25097Z"),
            ("2026-11-22T09:28:54+09:00", "2026-11-22T00:28:54Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("soon", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(format_nano(parse_time(text)), printed);
        }
        assert_eq!(format_cell(parse_time("2026-11-22T00:28:54.9Z")), "2026-11-22T00:28:54Z");
        assert_eq!(format_cell(None), "-");
    }

    #[test]
    fn durations_go_both_ways() {
        for (text, printed) in [
            ("5s", "5s"),
            ("120s", "2m0s"),
            ("2h", "2h0m0s"),
            ("1h1.5s", "1h0m1.5s"),
            ("1500ms", "1.5s"),
            ("1.5ms", "1.5ms"),
            ("0", "0s"),
            ("-1m", "-1m0s"),
        ] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), printed);
        }
    }
}
