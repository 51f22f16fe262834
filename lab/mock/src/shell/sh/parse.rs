//! From a script's text to its tree.

use super::ast::{
    AndOr, CommandBody, Junction, Piece, Pipeline, Redirect, RedirectTarget, Script, ShellCommand,
    Word,
};

/// dash's words for it.
pub type SyntaxError = String;

pub fn parse_script(text: &str) -> Result<Script, SyntaxError> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0 };
    let script = parser.list(&[])?;
    match parser.peek() {
        None => Ok(script),
        Some(c) => Err(format!("\"{c}\" unexpected")),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

const RESERVED: [&str; 11] =
    ["then", "elif", "else", "fi", "do", "done", "}", "if", "for", "while", "until"];

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn eat(&mut self, text: &str) -> bool {
        let end = self.at + text.chars().count();
        let found =
            self.chars.get(self.at..end).is_some_and(|s| s.iter().copied().eq(text.chars()));
        if found {
            self.at = end;
        }
        found
    }

    fn line(&self) -> u32 {
        let before = &self.chars[..self.at.min(self.chars.len())];
        1 + u32::try_from(before.iter().filter(|c| **c == '\n').count()).unwrap_or(0)
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.chars.get(self.at + 1) == Some(&'\n') => self.at += 2,
                Some('#') => {
                    while !matches!(self.peek(), None | Some('\n')) {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_newlines(&mut self) {
        self.skip_blanks();
        while self.eat("\n") {
            self.skip_blanks();
        }
    }

    /// A reserved word that stands here, left where it is.
    fn reserved(&self) -> Option<&'static str> {
        let word: String = self.chars[self.at..]
            .iter()
            .take_while(|c| !c.is_whitespace() && !"&|;<>()".contains(**c))
            .collect();
        RESERVED.into_iter().find(|reserved| *reserved == word)
    }

    fn expect(&mut self, word: &str) -> Result<(), SyntaxError> {
        self.skip_newlines();
        if self.reserved() == Some(word) && self.eat(word) {
            return Ok(());
        }
        Err(match self.peek() {
            None => format!("end of file unexpected (expecting \"{word}\")"),
            Some(c) => format!("\"{c}\" unexpected (expecting \"{word}\")"),
        })
    }

    /// Commands up to one of the words, the end or a `)`.
    fn list(&mut self, ends: &[&str]) -> Result<Script, SyntaxError> {
        let mut script = Script::new();
        loop {
            self.skip_newlines();
            match (self.peek(), self.reserved()) {
                (None | Some(')'), _) => return Ok(script),
                (_, Some(word)) if ends.contains(&word) => return Ok(script),
                (_, Some(word @ ("then" | "elif" | "else" | "fi" | "do" | "done" | "}"))) => {
                    return Err(format!("\"{word}\" unexpected"));
                }
                _ => {}
            }
            script.push(self.and_or()?);
            self.skip_blanks();
            match self.peek() {
                None | Some('\n' | ')') => {}
                Some(';') if self.chars.get(self.at + 1) != Some(&';') => self.at += 1,
                Some(c) => return Err(format!("\"{c}\" unexpected")),
            }
        }
    }

    fn and_or(&mut self) -> Result<AndOr, SyntaxError> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let junction = if self.eat("&&") {
                Junction::And
            } else if self.eat("||") {
                Junction::Or
            } else {
                return Ok(AndOr { first, rest });
            };
            self.skip_newlines();
            rest.push((junction, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
        self.skip_blanks();
        let negated = self.peek() == Some('!')
            && self.chars.get(self.at + 1).is_some_and(|c| c.is_whitespace());
        self.at += usize::from(negated);
        let mut commands = vec![self.command()?];
        loop {
            self.skip_blanks();
            let pipe = self.peek() == Some('|') && self.chars.get(self.at + 1) != Some(&'|');
            if !pipe {
                return Ok(Pipeline { negated, commands });
            }
            self.at += 1;
            self.skip_newlines();
            commands.push(self.command()?);
        }
    }

    fn command(&mut self) -> Result<ShellCommand, SyntaxError> {
        self.skip_blanks();
        let line = self.line();
        if self.eat("(") {
            let script = self.list(&[])?;
            if !self.eat(")") {
                return Err("end of file unexpected (expecting \")\")".into());
            }
            return self.compound(CommandBody::Subshell(script), line);
        }
        if self.peek() == Some('{')
            && self.chars.get(self.at + 1).is_some_and(|c| c.is_whitespace())
        {
            self.at += 1;
            let script = self.list(&["}"])?;
            self.expect("}")?;
            return self.compound(CommandBody::Group(script), line);
        }
        if let Some(body) = self.function()? {
            return self.compound(body, line);
        }
        let body = match self.reserved() {
            Some("if") => self.conditional()?,
            Some("for") => self.for_loop()?,
            Some(word @ ("while" | "until")) => return Err(format!("{word} is not there")),
            _ => return self.simple(line),
        };
        self.compound(body, line)
    }

    /// `NAME() { …; }`; left where it is where something else stands here.
    fn function(&mut self) -> Result<Option<CommandBody>, SyntaxError> {
        let start = self.at;
        let name = self.name();
        if name.is_empty() || !self.eat("()") {
            self.at = start;
            return Ok(None);
        }
        self.skip_newlines();
        if !self.eat("{") {
            return Err("\"(\" unexpected".into());
        }
        let body = self.list(&["}"])?;
        self.expect("}")?;
        Ok(Some(CommandBody::Function { name, body }))
    }

    fn conditional(&mut self) -> Result<CommandBody, SyntaxError> {
        self.at += "if".len();
        let mut branches = Vec::new();
        let mut otherwise = Script::new();
        loop {
            let condition = self.list(&["then"])?;
            self.expect("then")?;
            branches.push((condition, self.list(&["elif", "else", "fi"])?));
            if self.reserved() == Some("elif") {
                self.at += "elif".len();
                continue;
            }
            if self.reserved() == Some("else") {
                self.at += "else".len();
                otherwise = self.list(&["fi"])?;
            }
            self.expect("fi")?;
            return Ok(CommandBody::If { branches, otherwise });
        }
    }

    fn for_loop(&mut self) -> Result<CommandBody, SyntaxError> {
        self.at += "for".len();
        self.skip_blanks();
        let name = self.name();
        self.skip_blanks();
        if name.is_empty() || !self.eat("in ") {
            return Err("Bad for loop variable".into());
        }
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(';' | '\n') => break self.at += 1,
                None => return Err("end of file unexpected (expecting \"do\")".into()),
                _ => words.push(self.word()?),
            }
        }
        Ok(CommandBody::For { name, words, body: self.loop_body()? })
    }

    fn loop_body(&mut self) -> Result<Script, SyntaxError> {
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn compound(&mut self, body: CommandBody, line: u32) -> Result<ShellCommand, SyntaxError> {
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(ShellCommand { body, redirects, line })
    }

    fn simple(&mut self, line: u32) -> Result<ShellCommand, SyntaxError> {
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            match self.peek() {
                None | Some('\n' | ';' | '|' | ')' | '&') => break,
                Some('(') => return Err("\"(\" unexpected".into()),
                Some(_) => {}
            }
            match if words.is_empty() { self.assignment()? } else { None } {
                Some(assignment) => assignments.push(assignment),
                None => words.push(self.word()?),
            }
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(match self.peek() {
                None => "end of file unexpected".into(),
                Some('\n') => "newline unexpected".into(),
                Some(c) => format!("\"{c}\" unexpected"),
            });
        }
        Ok(ShellCommand { body: CommandBody::Simple { assignments, words }, redirects, line })
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
            self.at += 1;
        }
        name
    }

    fn assignment(&mut self) -> Result<Option<(String, Word)>, SyntaxError> {
        let start = self.at;
        let name = self.name();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !self.eat("=") {
            self.at = start;
            return Ok(None);
        }
        Ok(Some((name, self.word()?)))
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, SyntaxError> {
        self.skip_blanks();
        let start = self.at;
        let digit = self.peek().and_then(|c| c.to_digit(10));
        self.at += usize::from(digit.is_some());
        let input = match self.peek() {
            Some('<') => true,
            Some('>') => false,
            _ => {
                self.at = start;
                return Ok(None);
            }
        };
        self.at += 1;
        let given = digit.and_then(|digit| u8::try_from(digit).ok());
        let descriptor = given.unwrap_or(u8::from(!input));
        if input && self.eat("<") {
            return Err("redirection unexpected".into());
        }
        if self.eat("&") {
            let copied =
                self.next().and_then(|c| c.to_digit(10)).and_then(|d| u8::try_from(d).ok());
            let target = RedirectTarget::Duplicate(copied.ok_or("Bad fd number")?);
            return Ok(Some(Redirect { descriptor, target }));
        }
        self.skip_blanks();
        let word = self.word()?;
        if word.is_empty() {
            return Err("newline unexpected".into());
        }
        let target = if input { RedirectTarget::Read(word) } else { RedirectTarget::Write(word) };
        Ok(Some(Redirect { descriptor, target }))
    }

    fn word(&mut self) -> Result<Word, SyntaxError> {
        let mut word = Word::new();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '}'
                    if c != '}' || word.is_empty() && self.reserved() == Some("}") =>
                {
                    break;
                }
                '\'' => {
                    self.at += 1;
                    let text = self.until_quote()?;
                    word.push(Piece::Text { text, quoted: true });
                }
                '"' => {
                    self.at += 1;
                    self.double_quoted(&mut word)?;
                }
                '`' => return Err("\"`\" unexpected".into()),
                '$' => word.push(self.dollar(false)?),
                '\\' => {
                    self.at += 1;
                    if let Some(c) = self.next().filter(|c| *c != '\n') {
                        push_text(&mut word, c, true);
                    }
                }
                c => {
                    self.at += 1;
                    push_text(&mut word, c, false);
                }
            }
        }
        Ok(word)
    }

    fn until_quote(&mut self) -> Result<String, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\'') => return Ok(text),
                Some(c) => text.push(c),
                None => return Err("Unterminated quoted string".into()),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        // So that "" is a word.
        word.push(Piece::Text { text: String::new(), quoted: true });
        loop {
            match self.peek() {
                None => return Err("Unterminated quoted string".into()),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('$') => {
                    let piece = self.dollar(true)?;
                    word.push(piece);
                }
                Some('`') => return Err("\"`\" unexpected".into()),
                Some('\\') => {
                    self.at += 1;
                    match self.next() {
                        Some(c @ ('$' | '"' | '\\' | '`')) => push_text(word, c, true),
                        Some('\n') | None => {}
                        Some(c) => {
                            push_text(word, '\\', true);
                            push_text(word, c, true);
                        }
                    }
                }
                Some(c) => {
                    self.at += 1;
                    push_text(word, c, true);
                }
            }
        }
    }

    /// At a `$`.
    fn dollar(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        self.at += 1;
        if self.eat("((") {
            return Err("arithmetic is not there".into());
        }
        if self.eat("(") {
            let script = self.list(&[])?;
            if !self.eat(")") {
                return Err("end of file unexpected (expecting \")\")".into());
            }
            return Ok(Piece::Output { script, quoted });
        }
        if self.eat("{") {
            return self.braces(quoted);
        }
        let name = match self.peek() {
            Some(c @ ('@' | '*' | '#' | '?' | '$' | '-' | '!' | '0'..='9')) => {
                self.at += 1;
                c.to_string()
            }
            _ => self.name(),
        };
        if name.is_empty() {
            return Ok(Piece::Text { text: "$".into(), quoted });
        }
        Ok(Piece::Parameter { name, default: None, quoted })
    }

    fn braces(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        let mut name = self.name();
        if name.is_empty() {
            name.extend(self.next());
        }
        if self.eat("%") {
            let mut suffix = String::new();
            while let Some(c) =
                self.peek().filter(|c| c.is_ascii_alphanumeric() || "/._-".contains(*c))
            {
                suffix.push(c);
                self.at += 1;
            }
            if suffix.is_empty() || !self.eat("}") {
                return Err("Bad substitution".into());
            }
            return Ok(Piece::Trimmed { name, suffix, quoted });
        }
        let mut default = None;
        if self.eat(":-") {
            let mut word = Word::new();
            while let Some(c) = self.peek().filter(|c| *c != '}') {
                if c == '$' {
                    word.push(self.dollar(quoted)?);
                } else {
                    self.at += 1;
                    push_text(&mut word, c, quoted);
                }
            }
            default = Some(word);
        }
        if !self.eat("}") {
            return Err("Bad substitution".into());
        }
        Ok(Piece::Parameter { name, default, quoted })
    }
}

fn push_text(word: &mut Word, c: char, quoted: bool) {
    match word.last_mut() {
        Some(Piece::Text { text, quoted: same }) if *same == quoted => text.push(c),
        _ => word.push(Piece::Text { text: c.into(), quoted }),
    }
}
