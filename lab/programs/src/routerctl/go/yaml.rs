//! The words in which Go's `yaml.v3` refuses.

/// A reader's refusal as `yaml.v3` words it: the problem, after the line where it is not the first.
pub fn format_yaml_error(error: &serde_yaml_ng::Error) -> String {
    let text = error.to_string();
    let (problem, context) = text.split_once(", while").unwrap_or((&text, ""));
    let message = problem.split_once(" at line ").map_or(problem, |(message, _)| message);
    // Lines count from zero here, and zero is not said.
    let line = |part: &str| {
        let rest = part.split_once(" at line ").map_or("", |(_, rest)| rest);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().unwrap_or(1).saturating_sub(1)
    };
    match (line(context), line(problem)) {
        (0, 0) => format!("yaml: {message}"),
        (0, line) | (line, _) => format!("yaml: line {line}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refusal_names_the_line_as_yaml_v3_does() {
        for (text, words) in [
            ("]", "yaml: did not find expected node content"),
            ("a: [\n", "yaml: line 1: did not find expected node content"),
        ] {
            let error = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text).unwrap_err();
            assert_eq!(format_yaml_error(&error), words);
        }
    }
}
