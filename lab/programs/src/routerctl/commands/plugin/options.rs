//! How `plugin run` reads its arguments.

use crate::routerctl::CommandResult;
use crate::routerctl::paths::{CONFIG_FILE, STATE_FILE};
use lab::golang::quote;

/// Options that may stand anywhere, unlike those of `action`.
pub struct PluginOptions {
    pub name: String,
    pub config: String,
    pub state_file: String,
    pub dry_run: bool,
    pub output: String,
}

impl PluginOptions {
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Self {
            name: String::new(),
            config: CONFIG_FILE.into(),
            state_file: STATE_FILE.into(),
            dry_run: false,
            output: "table".into(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = |option: &str| {
                args.next().cloned().ok_or_else(|| format!("{option} requires a value"))
            };
            match arg.as_str() {
                "--dry-run" => options.dry_run = true,
                "--config" => options.config = value("--config")?,
                "--state-file" => options.state_file = value("--state-file")?,
                "-o" | "--output" => options.output = value("-o")?,
                arg => options.take(arg)?,
            }
        }
        if options.name.trim().is_empty() {
            return Err("plugin run requires <name>".into());
        }
        Ok(options)
    }

    fn take(&mut self, arg: &str) -> CommandResult {
        if let Some(value) = arg.strip_prefix("--config=") {
            self.config = value.into();
        } else if let Some(value) = arg.strip_prefix("--state-file=") {
            self.state_file = value.into();
        } else if let Some(value) =
            arg.strip_prefix("-o=").or_else(|| arg.strip_prefix("--output="))
        {
            self.output = value.into();
        } else if arg.starts_with('-') {
            return Err(format!("unknown plugin run option {}", quote(arg)));
        } else if self.name.is_empty() {
            self.name = arg.into();
        } else {
            return Err(format!("unexpected plugin run argument {}", quote(arg)));
        }
        Ok(())
    }
}
