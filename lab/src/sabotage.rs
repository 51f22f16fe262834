//! Deliberate breaks of the harness. Each invariant of the end-to-end tests is shown to catch one,
//! since a check that cannot fail is worse than no check. Only a test can ask for one: no word on a
//! command line, no variable of the environment and no file leads here, and a user's program is built
//! without this module: the feature `sabotage` is turned on by the tests' crate alone.

/// The way in which a build is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Two handles write one journal.
    ForksTheJournal,
    /// The undo restores the source/dest check as it is when the undo begins (I3).
    TakesTheBaselineLate,
    /// Nothing is torn down, and nobody looks.
    SkipsTeardown,
    /// A refused run's instances run on.
    LeavesItRunning,
    /// A run that began nothing starts again, before it ends, what it has stopped.
    WakesWhatItStopped,
    /// Something is changed before the gate (I1).
    ActsBeforeTheGo,
    /// Nothing is written before it is done (I2).
    RecordsNoIntent,
    /// Whatever happened.
    AlwaysPasses,
    /// The lab stays locked.
    KeepsTheLock,
    /// Recovery says that it could not find out, and it could.
    RecoversHalf,
    /// Things that are left are not named.
    NamesNothing,
}
