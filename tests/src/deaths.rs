//! The state that a process would leave that is killed: kept for every effect and every append of
//! one that runs to its end. Nobody who is killed tidies up, so the journal so far and the lab as
//! it is are all that is left, and deaths between which nothing happened leave the same.

use std::sync::{Arc, Mutex, MutexGuard};

use lab::clock::Clock;
use lab_mock::faults::{Death as Where, Witness, left_now};
use lab_mock::world::{Shared, World};

use crate::crash::{Blow, End, JOURNAL, Left, Process};
use crate::disk::AtAppend;

/// One death that did not happen.
#[derive(Clone, Debug)]
struct Death {
    blow: Blow,
    named: String,
    /// How much of the journal is on the disk, in bytes.
    journal_len: usize,
    world: Arc<World>,
    /// How many effects were asked for, and how many appends, this one included.
    effects: usize,
    appends: u32,
}

#[derive(Default)]
struct Recorded {
    deaths: Vec<Death>,
    journal_len: usize,
    appends: u32,
    effects: usize,
    at: Option<(Shared, Clock)>,
}

impl Recorded {
    /// Worlds that are equal are one.
    fn push(&mut self, blow: Blow, named: &str, journal_len: usize, world: World) {
        let same = self.deaths.last().map(|it| &it.world).filter(|last| ***last == world);
        let world = same.map_or_else(|| Arc::new(world), Arc::clone);
        let (effects, appends) = (self.effects, self.appends);
        let named = named.to_owned();
        self.deaths.push(Death { blow, named, journal_len, world, effects, appends });
    }
}

/// Looks on while a process runs; or nobody does.
#[derive(Clone)]
pub struct Recorder(Option<Arc<Mutex<Recorded>>>);

impl Recorder {
    pub fn none() -> Self {
        Self(None)
    }

    pub fn looking_on() -> Self {
        Self(Some(Arc::default()))
    }

    fn recorded(&self) -> Option<MutexGuard<'_, Recorded>> {
        self.0.as_ref().map(|it| it.lock().expect("no recorder panicked"))
    }

    /// At this lab, by this clock.
    pub(crate) fn look_at(&self, shared: &Shared, clock: Clock) {
        if let Some(mut recorded) = self.recorded() {
            recorded.at = Some((shared.clone(), clock));
        }
    }

    /// Who looks on at the effects.
    pub(crate) fn witness(&self) -> Option<Witness> {
        self.0.as_ref()?;
        let recorder = self.clone();
        Some(Witness(Arc::new(move |death: Where<'_>, world| {
            if let Some(mut recorded) = recorder.recorded() {
                recorded.effects = death.asked_for;
                let blow = Blow::Effect(death.at, death.what);
                let len = recorded.journal_len;
                recorded.push(blow, &death.effect.name, len, world);
            }
        })))
    }

    /// The journal has so many bytes.
    pub(crate) fn begins_at(&self, journal_len: u64) {
        if let Some(mut recorded) = self.recorded() {
            recorded.journal_len = usize::try_from(journal_len).expect("a journal in memory");
        }
    }

    /// So many bytes are about to be appended.
    pub(crate) fn append(&self, bytes: usize) {
        let Some(mut recorded) = self.recorded() else { return };
        let Some((shared, clock)) = recorded.at.clone() else { return };
        let world = {
            let world = shared.lock();
            recorded.effects = world.faults.blows.seen.len();
            left_now(&world, clock)
        };
        let (at, len) = (recorded.appends, recorded.journal_len);
        recorded.appends += 1;
        let lens = [
            (AtAppend::Before, len),
            (AtAppend::Torn, len + bytes / 2),
            (AtAppend::After, len + bytes),
        ];
        for (how, len) in lens {
            recorded.push(Blow::Append(at, how), JOURNAL, len, world.clone());
        }
        recorded.journal_len = len + bytes;
    }

    /// The first and the last append of those between two effects, in their order: between them
    /// nothing is asked for, so that it makes no difference which of them is hit.
    pub fn appends_at_borders(&self) -> Vec<u32> {
        let Some(recorded) = self.recorded() else { return Vec::new() };
        let appends = recorded.deaths.iter().filter_map(|death| match death.blow {
            Blow::Append(at, AtAppend::Before) => Some((at, death.effects)),
            _ => None,
        });
        let appends: Vec<(u32, usize)> = appends.collect();
        let between = |index: usize| appends.get(index).map(|(_, effects)| *effects);
        let at_border = |index: &usize| {
            let before = index.checked_sub(1).and_then(between);
            before != between(*index) || between(index + 1) != between(*index)
        };
        (0..appends.len()).filter(at_border).map(|index| appends[index].0).collect()
    }

    /// The states that each death of the last of these processes would have left, in the order of
    /// time.
    pub fn states(&self, whole: &Left) -> Vec<State> {
        let Some(recorded) = self.recorded() else { return Vec::new() };
        let mut states: Vec<State> = Vec::new();
        for death in &recorded.deaths {
            let process = whole.processes.last().expect("a process").killed_at(death);
            let same = states.last_mut().filter(|state| {
                state.left.journal.len() == death.journal_len
                    && Arc::ptr_eq(&state.left.world, &death.world)
            });
            match same {
                Some(state) => state.deaths.push(process),
                None => states.push(State::new(whole, death, process)),
            }
        }
        states
    }
}

impl Process {
    /// The process as it was when it died there.
    fn killed_at(&self, death: &Death) -> Self {
        Self {
            end: End::Killed,
            effects: self.effects[..death.effects].to_vec(),
            appends: death.appends,
            fell: vec![(death.blow, death.named.clone())],
        }
    }
}

/// The state that a process leaves that is killed, wherever it is killed of these.
pub struct State {
    /// Its last process died the first of the deaths.
    pub left: Left,
    pub deaths: Vec<Process>,
}

impl State {
    fn new(whole: &Left, death: &Death, process: Process) -> Self {
        let mut processes = whole.processes.clone();
        processes.pop();
        processes.push(process.clone());
        let left = Left {
            processes,
            journal: whole.journal[..death.journal_len].to_vec(),
            // It is there before its burn is in the journal; until then nobody asks for it.
            go: whole.go.clone(),
            before: whole.before.clone(),
            world: death.world.clone(),
        };
        Self { left, deaths: vec![process] }
    }

    pub fn first_blow(&self) -> Blow {
        self.deaths[0].fell[0].0
    }

    /// The blows that killed it, one for each of the deaths.
    pub fn blows(&self) -> impl Iterator<Item = Blow> {
        self.deaths.iter().flat_map(|process| process.fell.iter().map(|(blow, _)| *blow))
    }
}
