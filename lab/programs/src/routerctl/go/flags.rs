//! Go's `flag` package: how options are read, refused and explained.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::quote::{parse_int, quote};
use super::time;

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Switch,
    Int,
    Duration,
}

#[derive(Clone, Debug)]
struct Flag {
    name: &'static str,
    /// Two names may set one variable, as `-o` and `--output` do.
    variable: &'static str,
    kind: Kind,
    default: String,
    usage: &'static str,
}

/// The options of one subcommand.
#[derive(Clone, Debug)]
pub struct FlagSet {
    name: &'static str,
    summary: &'static str,
    examples: &'static str,
    flags: Vec<Flag>,
}

#[derive(Debug)]
pub struct Parsed {
    values: BTreeMap<&'static str, String>,
    pub rest: Vec<String>,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub enum Stop {
    /// Help was asked for.
    Help(String),
    /// What Go prints where the flags' output goes, and the error itself.
    Wrong { printed: String, error: String },
}

impl Parsed {
    pub fn text(&self, variable: &str) -> &str {
        self.values.get(variable).map_or("", String::as_str)
    }

    pub fn on(&self, variable: &str) -> bool {
        self.text(variable) == "true"
    }
}

impl FlagSet {
    pub fn new(name: &'static str, summary: &'static str, examples: &'static str) -> Self {
        Self { name, summary, examples, flags: Vec::new() }
    }

    pub fn text(self, name: &'static str, default: &str, usage: &'static str) -> Self {
        self.add(name, name, Kind::Text, default, usage)
    }

    pub fn switch(self, name: &'static str, default: bool, usage: &'static str) -> Self {
        self.add(name, name, Kind::Switch, if default { "true" } else { "false" }, usage)
    }

    pub fn int(self, name: &'static str, default: &str, usage: &'static str) -> Self {
        self.add(name, name, Kind::Int, default, usage)
    }

    pub fn duration(self, name: &'static str, default: &str, usage: &'static str) -> Self {
        self.add(name, name, Kind::Duration, default, usage)
    }

    /// A second name for `variable`.
    pub fn alias(
        self,
        name: &'static str,
        variable: &'static str,
        default: &str,
        usage: &'static str,
    ) -> Self {
        self.add(name, variable, Kind::Text, default, usage)
    }

    /// `-o` and `--output`.
    pub fn output(self) -> Self {
        const USAGE: &str = "output format: table, json, yaml";
        self.alias("o", "output", "table", USAGE).text("output", "table", USAGE)
    }

    fn add(
        mut self,
        name: &'static str,
        variable: &'static str,
        kind: Kind,
        default: &str,
        usage: &'static str,
    ) -> Self {
        self.flags.push(Flag { name, variable, kind, default: default.into(), usage });
        self
    }

    pub fn parse(&self, args: &[String]) -> Result<Parsed, Stop> {
        let mut values: BTreeMap<&'static str, String> =
            self.flags.iter().map(|flag| (flag.variable, flag.default.clone())).collect();
        let mut args = args.iter();
        let mut rest = Vec::new();
        while let Some(arg) = args.next() {
            if arg.len() < 2 || !arg.starts_with('-') {
                rest.push(arg.clone());
                break;
            }
            if arg == "--" {
                break;
            }
            let name = arg.strip_prefix("--").unwrap_or(&arg[1..]);
            if name.is_empty() || name.starts_with(['-', '=']) {
                return Err(self.wrong(format!("bad flag syntax: {arg}")));
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let Some(flag) = self.flags.iter().find(|flag| flag.name == name) else {
                return Err(match name {
                    "help" | "h" => Stop::Help(self.help()),
                    _ => self.wrong(format!("flag provided but not defined: -{name}")),
                });
            };
            let value = match (&flag.kind, value) {
                (Kind::Switch, None) => "true".to_owned(),
                (_, Some(value)) => value,
                (_, None) => args
                    .next()
                    .cloned()
                    .ok_or_else(|| self.wrong(format!("flag needs an argument: -{name}")))?,
            };
            let value = flag.check(&value).map_err(|error| self.wrong(error))?;
            values.insert(flag.variable, value);
        }
        rest.extend(args.cloned());
        Ok(Parsed { values, rest })
    }

    fn wrong(&self, error: String) -> Stop {
        Stop::Wrong { printed: format!("{error}\n{}", self.help()), error }
    }

    pub fn help(&self) -> String {
        let mut out =
            format!("Usage: routerctl {} [flags]\n\n{}\n\nFlags:\n", self.name, self.summary);
        let mut flags: Vec<&Flag> = self.flags.iter().collect();
        flags.sort_by_key(|flag| flag.name);
        for flag in flags {
            flag.explain(&mut out);
        }
        out.push_str("\nExamples:\n");
        for line in self.examples.lines() {
            let _ = writeln!(out, "  {line}");
        }
        out
    }
}

impl Flag {
    fn check(&self, value: &str) -> Result<String, String> {
        let invalid = |reason: &str| {
            Err(format!("invalid value {} for flag -{}: {reason}", quote(value), self.name))
        };
        match self.kind {
            Kind::Text => Ok(value.into()),
            Kind::Switch => match value {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok("true".into()),
                "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok("false".into()),
                _ => Err(format!(
                    "invalid boolean value {} for -{}: parse error",
                    quote(value),
                    self.name
                )),
            },
            Kind::Int => match parse_int(value) {
                Ok(number) => Ok(number.to_string()),
                Err(error) if error.ends_with("range") => invalid("value out of range"),
                Err(_) => invalid("parse error"),
            },
            Kind::Duration => match time::parse_duration(value) {
                Ok(nanos) => Ok(time::duration(nanos)),
                Err(_) => invalid("parse error"),
            },
        }
    }

    fn explain(&self, out: &mut String) {
        let (kind, default) = match self.kind {
            Kind::Text if self.default.is_empty() => (" string", String::new()),
            Kind::Text => (" string", format!(" (default {})", quote(&self.default))),
            Kind::Switch if self.default == "false" => ("", String::new()),
            Kind::Switch => ("", format!(" (default {})", self.default)),
            Kind::Int if self.default == "0" => (" int", String::new()),
            Kind::Int => (" int", format!(" (default {})", self.default)),
            Kind::Duration if self.default == "0s" => (" duration", String::new()),
            Kind::Duration => (" duration", format!(" (default {})", self.default)),
        };
        let _ = writeln!(out, "  -{}{kind}\n    \t{}{default}", self.name, self.usage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> FlagSet {
        FlagSet::new("action list", "List.", "routerctl action list")
            .text("status", "", "filter")
            .switch("dry-run", false, "preview")
            .int("limit", "100", "rows")
            .duration("timeout", "5s", "wait")
            .output()
    }

    fn parse(args: &[&str]) -> Result<Parsed, String> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        flags().parse(&args).map_err(|stop| match stop {
            Stop::Help(_) => "help".into(),
            Stop::Wrong { error, .. } => error,
        })
    }

    #[test]
    fn one_dash_or_two_and_both_value_forms_are_the_same() {
        for args in [["-o", "json"], ["--output", "json"], ["--o=json", "--dry-run=f"]] {
            assert_eq!(parse(&args).map(|p| p.text("output").to_owned()), Ok("json".into()));
        }
        let parsed = parse(&["--dry-run", "x", "-o"]).map(|p| (p.on("dry-run"), p.rest));
        assert_eq!(parsed, Ok((true, vec!["x".to_owned(), "-o".to_owned()])));
    }

    #[test]
    fn what_is_wrong_is_said_in_go_words() {
        for (args, error) in [
            (vec!["--nope"], "flag provided but not defined: -nope"),
            (vec!["-o"], "flag needs an argument: -o"),
            (vec!["---x"], "bad flag syntax: ---x"),
            (vec!["--dry-run=maybe"], r#"invalid boolean value "maybe" for -dry-run: parse error"#),
            (vec!["--limit=x"], r#"invalid value "x" for flag -limit: parse error"#),
            (vec!["--timeout=5"], r#"invalid value "5" for flag -timeout: parse error"#),
            (vec!["-h"], "help"),
        ] {
            assert_eq!(parse(&args).map(|_| ()), Err(error.to_owned()));
        }
    }
}
