//! Go's `flag` package: how options are read and refused.

use std::collections::BTreeMap;

use lab::golang::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlagKind {
    Text,
    Switch,
}

#[derive(Clone, Debug)]
struct Flag {
    name: &'static str,
    /// Two names may set one variable, as `-o` and `--output` do.
    variable: &'static str,
    kind: FlagKind,
    default: String,
}

/// The options of one subcommand.
#[derive(Clone, Debug, Default)]
pub struct FlagSet {
    flags: Vec<Flag>,
}

#[derive(Debug)]
pub struct Parsed {
    values: BTreeMap<&'static str, String>,
    pub rest: Vec<String>,
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
    pub fn new() -> Self {
        Self::default()
    }

    pub fn text(self, name: &'static str, default: &str) -> Self {
        self.add(name, name, FlagKind::Text, default)
    }

    pub fn switch(self, name: &'static str, default: bool) -> Self {
        self.add(name, name, FlagKind::Switch, if default { "true" } else { "false" })
    }

    /// `-o` and `--output`.
    pub fn output(self) -> Self {
        self.add("o", "output", FlagKind::Text, "table").text("output", "table")
    }

    fn add(
        mut self,
        name: &'static str,
        variable: &'static str,
        kind: FlagKind,
        default: &str,
    ) -> Self {
        self.flags.push(Flag { name, variable, kind, default: default.into() });
        self
    }

    /// Options may stand behind the arguments as well.
    pub fn parse_anywhere(&self, args: &[String]) -> Result<Parsed, String> {
        let (mut options, mut positionals) = (Vec::new(), Vec::new());
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if !arg.starts_with('-') {
                positionals.push(arg.clone());
                continue;
            }
            options.push(arg.clone());
            let name = arg.trim_start_matches('-');
            if self.flags.iter().any(|flag| flag.name == name && flag.kind == FlagKind::Text) {
                let value = args.next().ok_or_else(|| format!("{arg} requires a value"))?;
                options.push(value.clone());
            }
        }
        options.append(&mut positionals);
        self.parse(&options)
    }

    pub fn parse(&self, args: &[String]) -> Result<Parsed, String> {
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
                return Err(format!("bad flag syntax: {arg}"));
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let Some(flag) = self.flags.iter().find(|flag| flag.name == name) else {
                return Err(format!("flag provided but not defined: -{name}"));
            };
            let value = match (&flag.kind, value) {
                (FlagKind::Switch, None) => "true".to_owned(),
                (_, Some(value)) => value,
                (_, None) => args
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("flag needs an argument: -{name}"))?,
            };
            values.insert(flag.variable, flag.check(&value)?);
        }
        rest.extend(args.cloned());
        Ok(Parsed { values, rest })
    }
}

impl Flag {
    fn check(&self, value: &str) -> Result<String, String> {
        match self.kind {
            FlagKind::Text => Ok(value.into()),
            FlagKind::Switch => match value {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok("true".into()),
                "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok("false".into()),
                _ => Err(format!(
                    "invalid boolean value {} for -{}: parse error",
                    quote(value),
                    self.name
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> FlagSet {
        FlagSet::new().text("status", "").switch("dry-run", false).output()
    }

    fn parse(args: &[&str]) -> Result<Parsed, String> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        flags().parse(&args)
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
        ] {
            assert_eq!(parse(&args).map(|_| ()), Err(error.to_owned()));
        }
    }
}
