//! A served world on the disk: as JSON, written whole after each change and renamed into place.

use std::io::{self, Error, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::world::{Shared, World};
use lab::clock::Clock;
use reports::folder::{WORLD_LIMIT_BYTES, read_plain};

#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    /// The contents of the file, without its time: an unchanged world is not written again.
    written: Arc<Mutex<String>>,
}

impl StateFile {
    /// Puts the file's world into `shared`; where there is no file, it is made.
    pub fn open(path: PathBuf, shared: &Shared, clock: Clock) -> io::Result<Self> {
        match read_plain(&path, WORLD_LIMIT_BYTES) {
            Ok(bytes) => *shared.lock() = parse(&path, &bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let words = format!("{}: {error}", path.display());
                return Err(Error::new(error.kind(), words));
            }
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

fn parse(path: &std::path::Path, text: &[u8]) -> io::Result<World> {
    serde_json::from_slice(text).map_err(|error| {
        let message = format!("{} holds no world: {error}", path.display());
        Error::new(ErrorKind::InvalidData, message)
    })
}
