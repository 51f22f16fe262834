//! Runs a parsed script.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};

use super::ast::{AndOr, CommandBody, Junction, Pipeline, Script, ShellCommand, Word};
use super::parse::parse_script;
use crate::shell::exec::{NotFound, run_argv};
use crate::shell::{Input, Io, Session, Sink};

/// The shell ends with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(pub i32);

#[derive(Clone, Copy, Default)]
pub(super) struct ShellOptions {
    pub errexit: bool,
    pub noclobber: bool,
}

#[derive(Clone)]
pub(super) struct Shell {
    pub session: Session,
    pub options: ShellOptions,
    /// `$0`.
    pub name: String,
    /// `$1`…
    pub arguments: Vec<String>,
    /// `$?`.
    pub status: i32,
    functions: BTreeMap<String, Arc<Script>>,
    line: u32,
    /// Inside a condition `set -e` rests.
    tested: bool,
}

type Ran<'a> = BoxFuture<'a, Result<i32, Exit>>;

impl Shell {
    pub fn new(session: Session) -> Self {
        Self {
            session,
            options: ShellOptions::default(),
            name: "sh".into(),
            arguments: Vec::new(),
            status: 0,
            functions: BTreeMap::new(),
            line: 1,
            tested: false,
        }
    }

    /// Runs a script's text; the first argument is its name.
    pub async fn start(&mut self, text: &str, arguments: &[String], io: &Io) -> i32 {
        if let Some((name, rest)) = arguments.split_first() {
            self.name.clone_from(name);
            self.arguments = rest.to_vec();
        }
        let script = match parse_script(text) {
            Ok(script) => script,
            Err(error) => return io.fail(2, &format!("{}: 1: Syntax error: {error}", self.name)),
        };
        match self.script(&script, io).await {
            Ok(code) | Err(Exit(code)) => code,
        }
    }

    /// The text that its messages begin with.
    pub fn prefix(&self) -> String {
        format!("{}: {}", self.name, self.line)
    }

    pub fn set_option(&mut self, letter: char, on: bool) -> bool {
        match letter {
            'e' => self.options.errexit = on,
            'C' => self.options.noclobber = on,
            'f' => {}
            _ => return false,
        }
        true
    }

    pub fn script<'a>(&'a mut self, script: &'a Script, io: &'a Io) -> Ran<'a> {
        async move {
            for and_or in script {
                self.and_or(and_or, io).await?;
            }
            Ok(self.status)
        }
        .boxed()
    }

    async fn and_or(&mut self, and_or: &AndOr, io: &Io) -> Result<(), Exit> {
        let last = and_or.rest.len();
        let links = std::iter::once((None, &and_or.first))
            .chain(and_or.rest.iter().map(|(junction, pipeline)| (Some(*junction), pipeline)));
        for (at, (junction, pipeline)) in links.enumerate() {
            let skipped = match junction {
                Some(Junction::And) => self.status != 0,
                Some(Junction::Or) => self.status == 0,
                None => false,
            };
            if skipped {
                continue;
            }
            let outer = self.tested;
            self.tested = outer || at < last || pipeline.negated;
            let ran = self.pipeline(pipeline, io).await;
            self.tested = outer;
            self.status = ran?;
            if self.status != 0
                && at == last
                && !pipeline.negated
                && self.options.errexit
                && !self.tested
            {
                return Err(Exit(self.status));
            }
        }
        Ok(())
    }

    async fn pipeline(&mut self, pipeline: &Pipeline, io: &Io) -> Result<i32, Exit> {
        let code = match &pipeline.commands[..] {
            [command] => self.command(command, io).await?,
            commands => self.pipe(commands, io).await,
        };
        Ok(if pipeline.negated { i32::from(code == 0) } else { code })
    }

    /// Each command in a shell of its own, one after the other: the output of one is the input of
    /// the next.
    async fn pipe(&mut self, commands: &[ShellCommand], io: &Io) -> i32 {
        let mut input = io.stdin.clone();
        let mut status = 0;
        for (at, command) in commands.iter().enumerate() {
            let is_last = at + 1 == commands.len();
            let stdout = if is_last { io.stdout.clone() } else { Sink::default() };
            let ends = if at == 0 { io.input } else { Input::Ends };
            let inner_io = Io { stdin: input, input: ends, stdout, stderr: io.stderr.clone() };
            status = match self.clone().command(command, &inner_io).await {
                Ok(code) | Err(Exit(code)) => code,
            };
            input = std::sync::Arc::new(if is_last { Vec::new() } else { inner_io.stdout.take() });
        }
        status
    }

    fn command<'a>(&'a mut self, command: &'a ShellCommand, io: &'a Io) -> Ran<'a> {
        async move {
            self.line = command.line;
            let Ok(opened) = self.open(&command.redirects, io).await? else {
                return Ok(2);
            };
            let ran = self.body(&command.body, &opened.io).await;
            self.close(&opened);
            ran
        }
        .boxed()
    }

    async fn body(&mut self, body: &CommandBody, io: &Io) -> Result<i32, Exit> {
        match body {
            CommandBody::Simple { assignments, words } => self.simple(assignments, words, io).await,
            CommandBody::Group(script) => {
                self.status = 0;
                self.script(script, io).await
            }
            CommandBody::Subshell(script) => Ok(match self.clone().script(script, io).await {
                Ok(code) | Err(Exit(code)) => code,
            }),
            CommandBody::Function { name, body } => {
                self.functions.insert(name.clone(), Arc::new(body.clone()));
                Ok(0)
            }
            CommandBody::If { branches, otherwise } => {
                for (condition, then) in branches {
                    if self.condition(condition, io).await? == 0 {
                        self.status = 0;
                        return self.script(then, io).await;
                    }
                }
                self.status = 0;
                self.script(otherwise, io).await
            }
            CommandBody::For { name, words, body } => {
                self.status = 0;
                for value in self.fields(words, io).await? {
                    self.session.env.insert(name.clone(), value);
                    self.script(body, io).await?;
                }
                Ok(self.status)
            }
        }
    }

    async fn condition(&mut self, script: &Script, io: &Io) -> Result<i32, Exit> {
        let outer = std::mem::replace(&mut self.tested, true);
        let ran = self.script(script, io).await;
        self.tested = outer;
        ran
    }

    async fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        io: &Io,
    ) -> Result<i32, Exit> {
        let argv = self.fields(words, io).await?;
        let mut session = self.session.clone();
        if argv.is_empty() {
            self.status = 0;
        }
        for (name, word) in assignments {
            let value = self.text(word, io).await?;
            if argv.is_empty() {
                self.session.env.insert(name.clone(), value);
            } else {
                session.env.insert(name.clone(), value);
            }
        }
        let Some(first) = argv.first() else { return Ok(self.status) };
        if let Some(body) = self.functions.get(first).cloned() {
            return self.call(&body, &argv[1..], io).await;
        }
        if let Some(code) = self.builtin(first, &argv[1..], io).await? {
            return Ok(code);
        }
        match run_argv(&session, &argv, io).await {
            Ok(code) => Ok(code),
            Err(NotFound) => Ok(io.fail(127, &format!("{}: {first}: not found", self.prefix()))),
        }
    }

    /// A function has its own `$1`….
    async fn call(&mut self, body: &Script, args: &[String], io: &Io) -> Result<i32, Exit> {
        let outer = std::mem::replace(&mut self.arguments, args.to_vec());
        let ran = self.script(body, io).await;
        self.arguments = outer;
        ran
    }

    /// Runs a command that the shell does itself; none where the shell has no such command.
    async fn builtin(&mut self, name: &str, args: &[String], io: &Io) -> Result<Option<i32>, Exit> {
        let first = args.first().map(String::as_str);
        Ok(Some(match (name, first) {
            ("set", _) => self.set(args, io)?,
            ("umask", Some(text)) => match u32::from_str_radix(text, 8) {
                Ok(mask) => {
                    self.session.umask = mask;
                    0
                }
                Err(_) => io.fail(2, &format!("{}: umask: Illegal number: {text}", self.prefix())),
            },
            ("exit", text) => {
                let code = text.map_or(Some(self.status), |text| text.parse().ok());
                return Err(Exit(code.unwrap_or_else(|| {
                    io.fail(2, &format!("{}: exit: Illegal number", self.prefix()))
                })));
            }
            ("export", _) => {
                for (key, value) in args.iter().filter_map(|word| word.split_once('=')) {
                    self.session.env.insert(key.into(), value.into());
                }
                0
            }
            ("shift", None) => {
                if self.arguments.is_empty() {
                    return Ok(Some(
                        io.fail(2, &format!("{}: shift: can't shift that many", self.prefix())),
                    ));
                }
                self.arguments.remove(0);
                0
            }
            ("exec", Some(program)) => {
                return Err(Exit(match run_argv(&self.session, args, io).await {
                    Ok(code) => code,
                    Err(NotFound) => {
                        io.fail(127, &format!("{}: exec: {program}: not found", self.prefix()))
                    }
                }));
            }
            _ => return Ok(None),
        }))
    }

    fn set(&mut self, args: &[String], io: &Io) -> Result<i32, Exit> {
        for word in args {
            let on = match word.chars().next() {
                Some('-') if word != "--" => true,
                Some('+') => false,
                _ => {
                    io.err(&format!("{}: set: {word} is not there\n", self.prefix()));
                    return Err(Exit(2));
                }
            };
            for letter in word.chars().skip(1) {
                if !self.set_option(letter, on) {
                    io.err(&format!("{}: set: Illegal option -{letter}\n", self.prefix()));
                    return Err(Exit(2));
                }
            }
        }
        Ok(0)
    }
}
