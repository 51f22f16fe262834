//! Go's way of writing a duration, as `120s` or `1m30s`.

/// Milliseconds; none where Go would refuse the text, or where it is negative.
pub(super) fn ms(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total_ns = 0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let after = &rest[end..];
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        total_ns += number * unit_ns(&after[..unit_end])?;
        rest = &after[unit_end..];
    }
    let ms = (total_ns / 1e6).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no sign was read, and a float saturates where it does not fit"
    )]
    Some(ms as u64)
}

fn unit_ns(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60.0 * 1e9,
        "h" => 3600.0 * 1e9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::ms;

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
            assert_eq!(ms(text), expected, "{text:?}");
        }
    }
}
