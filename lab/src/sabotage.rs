//! Deliberate breaks of the harness. Each invariant of the end-to-end tests is shown to catch one,
//! since a check that cannot fail is worse than no check. Only a test can ask for one: no word on a
//! command line, no variable of the environment and no file leads here, and a user's program is built
//! without this module: the feature `sabotage` is turned on by the tests' crate alone.

/// What a broken build does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Two handles write one journal.
    ForksTheJournal,
    /// What is restored is the source/dest check as it is when the undo begins (I3).
    TakesTheBaselineLate,
    /// Nothing is torn down, and nobody looks.
    SkipsTeardown,
    /// A refused run's instances run on.
    LeavesItRunning,
    /// What a run that began nothing has stopped, it starts again before it ends.
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
    /// What is left is not named.
    NamesNothing,
}
