//! Numbers as ping prints them.

/// The percentage as `%g` prints it: six digits that count, rounded.
pub(super) fn format_percent(part: u64, whole: u64) -> String {
    let whole = whole.max(1);
    let decimals: u32 = match part * 100 / whole {
        100.. => 3,
        10.. => 4,
        1.. => 5,
        0 => 6,
    };
    let scale = 10_u64.pow(decimals);
    let rounded = (part * 100 * scale * 2 + whole) / (whole * 2);
    let (before, behind) = (rounded / scale, rounded % scale);
    let digits = format!("{before}.{behind:0width$}", width = decimals as usize);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Three digits that count, as ping chooses them.
pub(super) fn format_milliseconds(us: u64) -> String {
    let (whole, rest) = (us / 1000, us % 1000);
    match us {
        100_000.. => whole.to_string(),
        10_000.. => format!("{whole}.{}", rest / 100),
        1_000.. => format!("{whole}.{:02}", rest / 10),
        _ => format!("{whole}.{rest:03}"),
    }
}

pub(super) fn format_statistics(round_trips_us: &[u64]) -> String {
    let count = u64::try_from(round_trips_us.len()).unwrap_or(1).max(1);
    let least = round_trips_us.iter().min().copied().unwrap_or(0);
    let most = round_trips_us.iter().max().copied().unwrap_or(0);
    let mean = round_trips_us.iter().sum::<u64>() / count;
    let squares = round_trips_us.iter().map(|us| us * us).sum::<u64>() / count;
    let deviation = squares.saturating_sub(mean * mean).isqrt();
    let shown = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
    format!(
        "rtt min/avg/max/mdev = {}/{}/{}/{} ms",
        shown(least),
        shown(mean),
        shown(most),
        shown(deviation)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_six_digits_that_count() {
        let table = [
            (0, 3, "0"),
            (1, 3, "33.3333"),
            (2, 3, "66.6667"),
            (1, 15, "6.66667"),
            (1, 200, "0.5"),
            (3, 3, "100"),
            (0, 0, "0"),
        ];
        for (part, whole, shown) in table {
            assert_eq!(format_percent(part, whole), shown, "{part} of {whole}");
        }
    }
}
