//! OpenSSH's pattern lists: `*`, `?`, commas, and `!` for what is not to match.

/// Matches as OpenSSH's `match_pattern_list` does: some pattern matches, and no negated one does.
pub fn matches_list(text: &str, list: &str) -> bool {
    let mut positive = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(text.as_bytes(), negated.as_bytes()) => return false,
            Some(_) => {}
            None => positive |= matches(text.as_bytes(), pattern.as_bytes()),
        }
    }
    positive
}

/// Byte for byte and with case, as OpenSSH does: a look-alike is another name.
fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => {
                let Some((of_star, taken)) = star else { return false };
                // Back to the star, which takes one byte more.
                at = taken + 1;
                in_pattern = of_star;
            }
        }
    }
    pattern[in_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_opensshs_do() {
        let table = [
            ("owner@example.com", "owner@example.com", true),
            ("owner@example.com", "*@example.com", true),
            ("owner@example.com", "*@example.org,owner@*", true),
            ("owner@example.com", "*,!owner@*", false),
            ("owner@example.com", "!owner@*,*", false),
            ("other@example.com", "*,!owner@*", true),
            ("owner@example.com", "!other@*", false),
            ("owner", "o?n*r", true),
            ("owner", "o?ner?", false),
            ("owner", "O*", false),
            ("abab", "*ab", true),
            ("aXbXc", "a*X?", true),
            ("", "*", true),
            ("owner", "", false),
            ("own\u{435}r", "owner", false),
        ];
        for (text, list, expected) in table {
            assert_eq!(matches_list(text, list), expected, "{text} ~ {list}");
        }
    }
}
