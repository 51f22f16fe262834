//! The form of a script once it is parsed.

/// Commands in a row.
pub type Script = Vec<AndOr>;

#[derive(Clone, Debug, PartialEq)]
pub struct AndOr {
    pub first: Pipeline,
    pub rest: Vec<(Junction, Pipeline)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Junction {
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// `!`.
    pub negated: bool,
    pub commands: Vec<ShellCommand>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ShellCommand {
    pub body: CommandBody,
    pub redirects: Vec<Redirect>,
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CommandBody {
    Simple {
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
    },
    Group(Script),
    Subshell(Script),
    If {
        branches: Vec<(Script, Script)>,
        otherwise: Script,
    },
    For {
        name: String,
        words: Vec<Word>,
        body: Script,
    },
    /// `NAME() { …; }`.
    Function {
        name: String,
        body: Script,
    },
}

pub type Word = Vec<Piece>;

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text {
        text: String,
        quoted: bool,
    },
    /// `$NAME`, `${NAME}`, `${NAME:-word}`.
    Parameter {
        name: String,
        default: Option<Word>,
        quoted: bool,
    },
    /// `${NAME%word}`, where the word is plain.
    Trimmed {
        name: String,
        suffix: String,
        quoted: bool,
    },
    /// `$(…)`.
    Output {
        script: Script,
        quoted: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    pub descriptor: u8,
    pub target: RedirectTarget,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RedirectTarget {
    Read(Word),
    Write(Word),
    /// `>&N`.
    Duplicate(u8),
}
