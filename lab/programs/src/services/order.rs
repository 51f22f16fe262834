//! The words of `systemd-run` as a run sends them: a named timer with both of its times. What is not among
//! them is refused, and never something else.

/// A transient timer, and the command of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerOrder {
    /// The name of timer and service, without the ending.
    pub unit: String,
    pub first_seconds: u64,
    pub every_seconds: u64,
    pub command: Vec<String>,
}

impl TimerOrder {
    /// Reads the words behind the program's name.
    ///
    /// # Errors
    /// In the words of `systemd-run` where an option is unknown, or the order is no such timer.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        let (mut unit, mut first, mut every) = (None, None, None);
        let mut rest = words;
        while let [word, tail @ ..] = rest {
            match word.split_once('=') {
                Some(("--unit", name)) => unit = Some(name.to_owned()),
                Some(("--on-active", text)) => first = text.parse().ok(),
                Some(("--on-unit-active", text)) => every = text.parse().ok(),
                Some(("--timer-property", "AccuracySec=1s")) => {}
                None if matches!(*word, "--quiet" | "--collect") => {}
                _ if word.starts_with('-') => {
                    return Err(format!("systemd-run: unrecognized option '{word}'"));
                }
                _ => break,
            }
            rest = tail;
        }
        match (unit, first, every, rest) {
            (Some(unit), Some(first_seconds), Some(every_seconds), [_, ..]) => {
                let command = rest.iter().map(|&word| word.to_owned()).collect();
                Ok(Self { unit, first_seconds, every_seconds, command })
            }
            _ => Err("systemd-run: only a named timer with both of its times is there".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_read_and_anything_else_is_refused() {
        let words = [
            "--quiet",
            "--collect",
            "--unit=lab-smoke-stop",
            "--on-active=30",
            "--on-unit-active=20",
            "--timer-property=AccuracySec=1s",
            "/bin/sh",
            "-c",
            "true",
        ];
        let order = TimerOrder::read(&words).expect("a timer");
        assert_eq!((order.unit.as_str(), order.first_seconds), ("lab-smoke-stop", 30));
        assert_eq!(order.every_seconds, 20);
        assert_eq!(order.command, ["/bin/sh", "-c", "true"]);
        for left_out in [2, 3, 4] {
            let mut words = words.to_vec();
            words.remove(left_out);
            assert!(TimerOrder::read(&words).is_err(), "without {left_out}");
        }
        assert!(TimerOrder::read(&words[..6]).is_err(), "no command");
        for bad in ["--user", "--on-calendar=hourly", "--timer-property=Persistent=true"] {
            let refused = TimerOrder::read(&[&[bad], &words[..]].concat()).expect_err(bad);
            assert!(refused.contains("unrecognized"), "{refused}");
        }
    }
}
