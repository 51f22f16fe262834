//! From a word of a script to the fields that a program gets.

use futures::future::{BoxFuture, FutureExt as _};

use super::ast::{Piece, Script, Word};
use super::interpret::{Exit, Shell};
use crate::shell::Io;

impl Shell {
    /// All fields of the words.
    pub(super) async fn fields(&mut self, words: &[Word], io: &Io) -> Result<Vec<String>, Exit> {
        let mut fields = Vec::new();
        for word in words {
            self.split(word, io, &mut fields).await?;
        }
        Ok(fields)
    }

    /// A word as one field, as in an assignment.
    pub(super) fn text<'a>(
        &'a mut self,
        word: &'a Word,
        io: &'a Io,
    ) -> BoxFuture<'a, Result<String, Exit>> {
        async move {
            let mut text = String::new();
            for piece in word {
                text.push_str(&self.value(piece, io).await?);
            }
            Ok(text)
        }
        .boxed()
    }

    /// Unquoted values fall apart at blanks; quoted ones stay whole.
    async fn split(&mut self, word: &Word, io: &Io, fields: &mut Vec<String>) -> Result<(), Exit> {
        let mut current: Option<String> = None;
        for piece in word {
            if let Piece::Parameter { name, quoted: true, .. } = piece
                && name == "@"
            {
                let mut arguments = self.arguments.iter();
                if let Some(first) = arguments.next() {
                    current.get_or_insert_default().push_str(first);
                }
                for argument in arguments {
                    fields.extend(current.replace(argument.clone()));
                }
                continue;
            }
            let value = self.value(piece, io).await?;
            match piece {
                Piece::Text { .. }
                | Piece::Trimmed { quoted: true, .. }
                | Piece::Parameter { quoted: true, .. }
                | Piece::Output { quoted: true, .. } => {
                    current.get_or_insert_default().push_str(&value);
                }
                Piece::Parameter { .. } | Piece::Trimmed { .. } | Piece::Output { .. } => {
                    if value.starts_with(char::is_whitespace) {
                        fields.extend(current.take());
                    }
                    let mut parts = value.split_whitespace();
                    if let Some(first) = parts.next() {
                        current.get_or_insert_default().push_str(first);
                    }
                    for part in parts {
                        fields.extend(current.replace(part.to_owned()));
                    }
                    if value.ends_with(char::is_whitespace) {
                        fields.extend(current.take());
                    }
                }
            }
        }
        fields.extend(current);
        Ok(())
    }

    async fn value(&mut self, piece: &Piece, io: &Io) -> Result<String, Exit> {
        match piece {
            Piece::Text { text, .. } => Ok(text.clone()),
            Piece::Output { script, .. } => self.output(script, io).await,
            Piece::Trimmed { name, suffix, .. } => {
                let value = self.parameter(name).unwrap_or_default();
                Ok(value.strip_suffix(suffix.as_str()).unwrap_or(&value).to_owned())
            }
            Piece::Parameter { name, default, .. } => match (self.parameter(name), default) {
                (Some(value), None) => Ok(value),
                (Some(value), Some(_)) if !value.is_empty() => Ok(value),
                (_, Some(word)) => self.text(word, io).await,
                (None, None) => Ok(String::new()),
            },
        }
    }

    /// `$(…)`: without the newlines at its end.
    async fn output(&mut self, script: &Script, io: &Io) -> Result<String, Exit> {
        let mut inner = self.clone();
        let inner_io = Io { stdout: crate::shell::Sink::default(), ..io.clone() };
        self.status = match inner.script(script, &inner_io).await {
            Ok(code) | Err(Exit(code)) => code,
        };
        let text = String::from_utf8_lossy(&inner_io.stdout.take()).into_owned();
        Ok(text.trim_end_matches('\n').to_owned())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        match name {
            "@" | "*" => Some(self.arguments.join(" ")),
            "#" => Some(self.arguments.len().to_string()),
            "?" => Some(self.status.to_string()),
            "0" => Some(self.name.clone()),
            _ => match name.parse::<usize>() {
                Ok(position) => self.arguments.get(position - 1).cloned(),
                Err(_) => self.session.env.get(name).cloned(),
            },
        }
    }
}
