//! ping's command line.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::packets::Fragment;

/// How long ping waits for the first answer unless told.
const LINGER: Duration = Duration::from_secs(10);
const USAGE: &str = include_str!("usage.txt");

pub(super) struct PingOptions {
    pub count: Option<u32>,
    pub interval: Duration,
    pub linger: Duration,
    pub deadline: Option<Duration>,
    pub ttl: u8,
    pub size: u32,
    pub source: Option<String>,
    pub quiet: bool,
    pub fragment: Fragment,
    /// The pattern with which the payload is filled.
    pub pattern: Option<u64>,
    pub destination: Ipv4Addr,
}

/// The options, or the exit code and what ping says.
pub(super) fn parse(args: &[&str]) -> Result<PingOptions, (i32, String)> {
    let mut options = PingOptions {
        count: None,
        interval: Duration::from_secs(1),
        linger: LINGER,
        deadline: None,
        ttl: 64,
        size: 56,
        source: None,
        quiet: false,
        fragment: Fragment::Allowed,
        pattern: None,
        destination: Ipv4Addr::UNSPECIFIED,
    };
    let mut destination = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            destination = Some(*word);
            continue;
        };
        for (at, letter) in letters.char_indices() {
            if matches!(letter, 'n' | 'q' | '4') {
                options.quiet |= letter == 'q';
                continue;
            }
            let inline = &letters[at + letter.len_utf8()..];
            let value =
                || if inline.is_empty() { words.as_slice().first().copied() } else { Some(inline) };
            if !"ciWwtsIMp".contains(letter) {
                return Err((2, format!("ping: invalid option -- '{letter}'\n{USAGE}")));
            }
            let Some(value) = value() else {
                return Err((
                    2,
                    format!("ping: option requires an argument -- '{letter}'\n{USAGE}"),
                ));
            };
            if inline.is_empty() {
                words.next();
            }
            options.take(letter, value).map_err(|text| (1, text))?;
            break;
        }
    }
    let name =
        destination.ok_or((1, "ping: usage error: Destination address required".to_owned()))?;
    options.destination =
        name.parse().map_err(|_| (2, format!("ping: {name}: Name or service not known")))?;
    Ok(options)
}

impl PingOptions {
    fn take(&mut self, letter: char, value: &str) -> Result<(), String> {
        let bad = || format!("ping: invalid argument: '{value}'");
        let seconds = || {
            let number: f64 = value.parse().map_err(|_| bad())?;
            Duration::try_from_secs_f64(number).map_err(|_| bad())
        };
        match letter {
            'c' => self.count = Some(value.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?),
            'i' => self.interval = seconds()?,
            'W' => self.linger = seconds()?,
            'w' => self.deadline = Some(seconds()?),
            't' => self.ttl = value.parse().map_err(|_| bad())?,
            's' => self.size = value.parse().map_err(|_| bad())?,
            'p' => {
                let read = || u64::from_str_radix(value, 16).ok().filter(|_| value.len() == 16);
                // Others are ping's, and not the model's.
                self.pattern = Some(read().ok_or_else(bad)?);
            }
            'I' => self.source = Some(value.into()),
            _ => match value {
                "do" => self.fragment = Fragment::Never,
                "want" | "dont" => self.fragment = Fragment::Allowed,
                _ => return Err(bad()),
            },
        }
        Ok(())
    }
}
