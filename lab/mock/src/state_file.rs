//! A served world on the disk: as JSON, written whole after each change and renamed into place.

use std::io::{self, Error, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::world::{Shared, World};
use lab::clock::Clock;

#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    /// What the file holds, without its time: an unchanged world is not written again.
    written: Arc<Mutex<String>>,
}

impl StateFile {
    /// Puts the file's world into `shared`; where there is no file, it is made.
    pub fn open(path: PathBuf, shared: &Shared, clock: Clock) -> io::Result<Self> {
        match std::fs::read_to_string(&path) {
            Ok(text) => *shared.lock() = parse(&path, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = Self { path, written: Arc::default() };
        file.write(shared, clock)?;
        Ok(file)
    }

    pub fn write(&self, shared: &Shared, clock: Clock) -> io::Result<()> {
        let text = {
            let world = shared.lock();
            to_json(&world)?
        };
        let mut written = self.written.lock().map_err(|_| Error::other("a write has panicked"))?;
        if *written == text {
            return Ok(());
        }
        let stamped = {
            let mut world = shared.lock();
            world.now = clock.now();
            to_json(&world)?
        };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let new = tempfile::NamedTempFile::new_in(folder.unwrap_or(".".as_ref()))?;
        std::fs::write(new.path(), stamped.as_bytes())?;
        new.as_file().sync_data()?;
        new.persist(&self.path).map_err(|error| error.error)?;
        *written = stamped;
        Ok(())
    }
}

pub fn to_json(world: &World) -> io::Result<String> {
    serde_json::to_string_pretty(world).map_err(Error::other)
}

fn parse(path: &std::path::Path, text: &str) -> io::Result<World> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("{} holds no world: {error}", path.display());
        Error::new(ErrorKind::InvalidData, message)
    })
}
