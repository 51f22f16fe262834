//! Where a command's streams go.

use std::sync::Arc;

use super::ast::{Redirect, RedirectTarget};
use super::interpret::{Exit, Shell};
use crate::machines::FileError;
use crate::shell::{Input, Io, Sink};

/// The streams of one command, and the files that get what was written once it has ended.
pub(super) struct Opened {
    pub io: Io,
    files: Vec<(String, Sink)>,
}

/// A redirection that failed, said already.
pub(super) struct RedirectFailed;

impl Shell {
    pub(super) async fn open(
        &mut self,
        redirects: &[Redirect],
        io: &Io,
    ) -> Result<Result<Opened, RedirectFailed>, Exit> {
        let mut opened = Opened { io: io.clone(), files: Vec::new() };
        for redirect in redirects {
            let done = match &redirect.target {
                RedirectTarget::Duplicate(from) => {
                    let sink = stream(&opened.io, *from);
                    put(&mut opened.io, redirect.descriptor, sink);
                    Ok(())
                }
                RedirectTarget::Read(word) => {
                    let name = self.text(word, io).await?;
                    self.read_from(&name, &mut opened)
                }
                RedirectTarget::Write(word) => {
                    let name = self.text(word, io).await?;
                    self.write_to(&name, redirect, &mut opened)
                }
            };
            if let Err(text) = done {
                let prefix = self.prefix();
                io.err(&format!("{prefix}: {text}\n"));
                return Ok(Err(RedirectFailed));
            }
        }
        Ok(Ok(opened))
    }

    fn read_from(&self, name: &str, opened: &mut Opened) -> Result<(), String> {
        let bytes = self.session.read(name).map_err(|error| match error {
            FileError::NotFound => format!("cannot open {name}: No such file"),
            other => format!("cannot open {name}: {other}"),
        })?;
        opened.io.stdin = Arc::new(bytes);
        opened.io.input = Input::Ends;
        Ok(())
    }

    fn write_to(&self, name: &str, redirect: &Redirect, opened: &mut Opened) -> Result<(), String> {
        let sink = match name {
            "/dev/null" => Sink::default(),
            "/dev/stdout" => stream(&opened.io, 1),
            "/dev/stderr" => stream(&opened.io, 2),
            name => {
                let sink = Sink::default();
                let path = self.session.absolute(name);
                self.create(&path).map_err(|error| match error {
                    FileError::NotFound => format!("cannot create {name}: Directory nonexistent"),
                    other => format!("cannot create {name}: {other}"),
                })?;
                opened.files.push((path, sink.clone()));
                sink
            }
        };
        put(&mut opened.io, redirect.descriptor, sink);
        Ok(())
    }

    /// Opens the file, and empties it.
    fn create(&self, path: &str) -> Result<(), FileError> {
        let exclusive = self.options.noclobber;
        let mode = 0o666 & !self.session.umask;
        let uid = self.session.uid;
        self.session.change(|machine| {
            machine.files.open(path, uid, mode, exclusive)?.clear();
            Ok(())
        })
    }

    /// Writes what the command left to the files.
    pub(super) fn close(&self, opened: &Opened) {
        for (path, sink) in &opened.files {
            let written = sink.take();
            self.session.change(|machine| {
                // The file was opened by this user; only its removal meanwhile loses the bytes.
                if machine.files.get(path).is_some()
                    && let Ok(bytes) = machine.files.open(path, 0, 0, false)
                {
                    *bytes = written;
                }
            });
        }
    }
}

fn stream(io: &Io, descriptor: u8) -> Sink {
    if descriptor == 2 { io.stderr.clone() } else { io.stdout.clone() }
}

fn put(io: &mut Io, descriptor: u8, sink: Sink) {
    *(if descriptor == 2 { &mut io.stderr } else { &mut io.stdout }) = sink;
}
