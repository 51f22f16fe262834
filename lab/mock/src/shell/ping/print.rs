//! Numbers as ping prints them.

/// The percentage as `%g` prints it.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let hundredths_of_percent = part * 1_000_000 / whole.max(1);
    let (whole, rest) = (hundredths_of_percent / 10_000, hundredths_of_percent % 10_000);
    match rest {
        0 => whole.to_string(),
        _ => format!("{whole}.{rest:04}").trim_end_matches('0').to_owned(),
    }
}

/// Three digits that count, as ping chooses them.
pub(super) fn milliseconds(us: u64) -> String {
    let (whole, rest) = (us / 1000, us % 1000);
    match us {
        100_000.. => whole.to_string(),
        10_000.. => format!("{whole}.{}", rest / 100),
        1_000.. => format!("{whole}.{:02}", rest / 10),
        _ => format!("{whole}.{rest:03}"),
    }
}

pub(super) fn statistics(round_trips_us: &[u64]) -> String {
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
