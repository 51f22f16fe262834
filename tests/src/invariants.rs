//! The invariants that must hold after every run, whatever befell it: one list, used by the crash
//! matrix and by exploration. `tests/matrix/invariants.rs` shows that each catches a deliberately
//! broken build.

use std::path::Path;

use lab_mock::faults::{Befall, EffectKind, Happening, InterfaceChange, SeenEffect};
use lab_mock::running_instances;
use reports::journal::{JOURNAL_FILE, read_chain};
use reports::record::{Intent, Kind, Permit, Record, Verdict};

use crate::crash::{Aftermath, Blow, End, Plan};
use crate::disk::AtAppend;
use crate::owed::{self, CAPTURED};

/// One run that is over.
pub struct Case<'a> {
    pub plan: &'a Plan,
    pub aftermath: &'a Aftermath,
    /// The journal's whole lines, where they hold together.
    pub chain: Result<&'a [Record], &'a str>,
    /// The same; none where they do not.
    pub records: &'a [Record],
}

type Invariant = fn(&Case<'_>) -> Result<(), String>;

pub const CHAIN: &str = "the journal's chain verifies";
pub const RESTORED: &str = "the lab is as before the run";
pub const TORN_DOWN: &str = "a run that was begun ends as a finished teardown";
pub const COST: &str = "nothing costs money, or it is named with its command";
pub const GO: &str = "no go, no change";
pub const RECORD: &str = "no change without a record";
pub const FALSE_PASS: &str = "what was hit where it matters does not pass";
pub const LOCK: &str = "the lab is free for the next run";
pub const WHOLE: &str = "a run that only died is recovered whole";
pub const SAYS_WHY: &str = "a verdict says why";

/// Each with its name.
pub const INVARIANTS: &[(&str, Invariant)] = &[
    (CHAIN, chain_verifies),
    (RESTORED, lab_is_restored),
    (TORN_DOWN, lab_is_torn_down),
    (COST, nothing_costs),
    (GO, nothing_without_a_go),
    (RECORD, nothing_without_a_record),
    (FALSE_PASS, no_false_pass),
    (LOCK, lock_is_gone),
    (WHOLE, recovered_whole),
    (SAYS_WHY, says_why),
];

/// Every invariant that does not hold: its name, and why.
pub fn broken(dir: &Path, plan: &Plan, aftermath: &Aftermath) -> Vec<Broken> {
    Written::in_folder(dir).broken(plan, aftermath)
}

/// An invariant's name, and why it does not hold.
pub type Broken = (&'static str, String);

/// The journal of a run that is over: read once, however many deaths leave the same.
pub struct Written(Result<Vec<Record>, String>);

impl Written {
    pub fn in_folder(dir: &Path) -> Self {
        let journal = std::fs::read(dir.join(JOURNAL_FILE)).unwrap_or_default();
        let records = read_chain(&journal).map(|chain| chain.records);
        Self(records.map_err(|error| error.to_string()))
    }

    /// The same as [`broken`].
    pub fn broken(&self, plan: &Plan, aftermath: &Aftermath) -> Vec<Broken> {
        let chain = self.0.as_deref().map_err(String::as_str);
        let case = Case { plan, aftermath, chain, records: chain.unwrap_or_default() };
        // Nothing else can be judged by a journal that does not hold together.
        let judged = INVARIANTS.iter().filter(|(name, _)| chain.is_ok() || *name == CHAIN);
        judged.filter_map(|(name, holds)| Some((*name, holds(&case).err()?))).collect()
    }
}

impl Case<'_> {
    /// Whether what came out says that something is not as it should be, or cannot be known.
    fn is_admitted(&self) -> bool {
        self.aftermath.said().is_some_and(|said| matches!(said.exit_code, 5 | 6 | 8))
    }

    /// Nothing befell the run but that somebody moved its journal away.
    fn only_lost(&self) -> bool {
        let gone = |blow| matches!(blow, Blow::Append(_, AtAppend::Gone));
        self.plan.is_alone() && self.plan.blows().all(gone) && self.plan.last_blow().is_some()
    }

    fn run_id(&self) -> &str {
        let started = self.records.iter().find_map(|record| match &record.kind {
            Kind::RunStarted(started) => Some(started.run_id.as_str()),
            _ => None,
        });
        started.unwrap_or_default()
    }

    fn go_was_burnt(&self) -> bool {
        self.records.iter().any(|record| matches!(record.kind, Kind::GoBurnt(_)))
    }

    fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.records.iter().filter_map(|record| match &record.kind {
            Kind::Intent(intent) => Some(intent),
            _ => None,
        })
    }

    fn effects(&self) -> impl Iterator<Item = &SeenEffect> {
        self.aftermath.processes().flat_map(|process| &process.effects)
    }
}

fn chain_verifies(case: &Case<'_>) -> Result<(), String> {
    case.chain.map(|_| ()).map_err(str::to_owned)
}

/// Looked at where the first instance was to be ended: an ENI ends with its instance.
fn lab_is_restored(case: &Case<'_>) -> Result<(), String> {
    // Who only lost its journal takes back what it began, and says with 5 why it is no more than that.
    let lost = case.only_lost() && case.aftermath.said().is_some_and(|it| it.exit_code == 5);
    if (case.is_admitted() && !lost) || case.records.is_empty() {
        return Ok(());
    }
    owed::restored(case.plan, case.aftermath)
}

fn lab_is_torn_down(case: &Case<'_>) -> Result<(), String> {
    let Some(manifest) = &case.aftermath.manifest else { return Ok(()) };
    if case.is_admitted() || case.records.is_empty() {
        return Ok(());
    }
    let torn_down = || owed::torn_down(case.plan, case.aftermath, manifest);
    let nothing_torn_down = || owed::nothing_torn_down(case.plan, case.aftermath);
    match (case.go_was_burnt(), owed::go_is_used(case.run_id(), case.aftermath)) {
        (false, _) => nothing_torn_down(),
        (true, true) => torn_down(),
        // The node was never told: the go is good still, and nothing was begun with it.
        (true, false) => torn_down().or_else(|_| nothing_torn_down()),
    }
}

/// Checks that every instance that runs is named with its command in what is left, whatever the verdict. The
/// one excuse is a lab that could not be used, or is another run's, and in which nothing was started.
fn nothing_costs(case: &Case<'_>) -> Result<(), String> {
    let unavailable = case.aftermath.said().is_some_and(|said| said.exit_code == 8)
        || case.records.iter().any(|it| matches!(it.kind, Kind::LabUnavailable(_)));
    // A run that died before its first record is none: there is nothing to recover.
    let as_found = unavailable || case.records.is_empty();
    if as_found && !case.effects().any(|seen| seen.name == "StartInstances") {
        return Ok(());
    }
    let left = case.records.iter().rev().find_map(|record| match &record.kind {
        Kind::ResidueListed(left) => Some(left),
        _ => None,
    });
    let named = |id: &String| {
        let mut items = left.iter().flat_map(|left| left.items.iter().chain(&left.kept));
        items.any(|item| item.id == *id && !item.owner_commands.is_empty())
    };
    let world = &case.aftermath.world;
    let running = running_instances(world, world.now);
    let silent: Vec<String> = running.into_iter().filter(|id| !named(id)).collect();
    if silent.is_empty() { Ok(()) } else { Err(format!("{} run", silent.join(", "))) }
}

fn nothing_without_a_go(case: &Case<'_>) -> Result<(), String> {
    let mut verified = false;
    for record in case.records {
        match &record.kind {
            Kind::GoVerified(_) => verified = true,
            Kind::Intent(intent) if !verified && intent.permit != Permit::Cost => {
                let effect = &intent.effect;
                return Err(format!("{} on {}", effect.what(), effect.resource()));
            }
            _ => {}
        }
    }
    // The dead man's switch is for cost alone, and needs no go.
    let changed = |seen: &&SeenEffect| {
        matches!(seen.kind, EffectKind::NodeChange | EffectKind::NodeAction)
            && !seen.name.contains("-switch ")
    };
    match case.effects().find(changed).filter(|_| !verified) {
        Some(seen) => Err(format!("the world saw {}", seen.name)),
        None => Ok(()),
    }
}

/// The world's own count against the journal's.
fn nothing_without_a_record(case: &Case<'_>) -> Result<(), String> {
    begun_without_a_journal(case.records)?;
    // With a full disk, undo goes on without records: its plan is on the disk already (I2).
    if case.plan.blows().any(|blow| matches!(blow, Blow::Append(_, AtAppend::Full))) {
        return Ok(());
    }
    let on_nodes = |kind| matches!(kind, EffectKind::NodeChange | EffectKind::NodeAction);
    let seen = case.effects().filter(|seen| on_nodes(seen.kind));
    let seen: Vec<&str> = seen.map(|seen| seen.name.as_str()).collect();
    let said = case.intents().map(|intent| intent.effect.what());
    let said: Vec<String> = said.filter(|what| !what.starts_with("ec2 ")).collect();
    if seen.len() > said.len() {
        let (commands, intents) = (seen.len(), said.len());
        let (seen, said) = (seen.join("; "), said.join("; "));
        return Err(format!(
            "{commands} commands changed a node, and {intents} intents say so: {seen}, and: {said}"
        ));
    }
    let calls = [
        "TerminateInstances",
        "StopInstances",
        "DisassociateAddress",
        "ReleaseAddress",
        "DeleteVolume",
    ];
    for call in calls {
        let seen = case.effects().filter(|seen| seen.name == call).count();
        let what = format!("ec2 {call}");
        let said = case.intents().filter(|intent| intent.effect.what() == what).count();
        if seen > said {
            return Err(format!("{seen} times {call}, and {said} intents say so"));
        }
    }
    Ok(())
}

/// Until its process ends, a run whose journal is lost only takes back.
fn begun_without_a_journal(records: &[Record]) -> Result<(), String> {
    let mut lost = false;
    for record in records {
        match &record.kind {
            Kind::JournalLost(_) => lost = true,
            Kind::RecoveryStarted(_) => lost = false,
            Kind::Intent(intent) if lost && intent.permit != Permit::Undo => {
                let what = intent.effect.what();
                return Err(format!("{what} was begun after the journal was lost"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A pass is the whole truth: nothing was hit that a pass may not outlive, and the world saw the
/// address come and go.
fn no_false_pass(case: &Case<'_>) -> Result<(), String> {
    if case.aftermath.said().is_none_or(|said| said.verdict != Verdict::Pass) {
        return Ok(());
    }
    let ended_itself = |record: &Record| matches!(&record.kind, Kind::RunFinished(end) if end.verdict == Verdict::Pass);
    let own = case.records.iter().any(ended_itself)
        && !case.records.iter().any(|it| matches!(it.kind, Kind::RecoveryStarted(_)));
    if !own {
        return Err("a recovered run passes".to_owned());
    }
    for process in case.aftermath.processes() {
        for (blow, named) in &process.fell {
            if matches!(blow, Blow::Append(_, AtAppend::Gone)) {
                return Err("its journal was gone when it ended".to_owned());
            }
            if let Blow::Effect(at, what) = blow
                && let Some(seen) = process.effects.get(*at as usize)
                && !may_pass(seen, *what)
            {
                return Err(format!("{what:?} at {named}"));
            }
        }
    }
    for call in ["AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"] {
        let forestalled = call.starts_with("Unassign") && somebody_took_it_away(case.plan);
        if !forestalled && !case.effects().any(|seen| seen.name == call) {
            return Err(format!("nobody ever asked for {call}"));
        }
    }
    Ok(())
}

/// Where somebody else takes the address off the ENI just before its undo, the executor finds
/// nothing to do: the lab is as before the run, and no describe tells who made it so.
fn somebody_took_it_away(plan: &Plan) -> bool {
    let takes = |what: &Happening| {
        let Happening::Interface { change, .. } = what else { return false };
        *change == InterfaceChange::Without(CAPTURED)
    };
    plan.others.iter().any(|event| takes(&event.what))
}

/// Which blow a run may outlive with a pass: one at a read that can be repeated, a lost or garbled
/// reply of something that is read back, and a call to EC2 that was certainly not done, which is
/// made again with an intent of its own. Nothing else that was not done is done again, but for what
/// is taken back: there is a second way.
fn may_pass(seen: &SeenEffect, what: Befall) -> bool {
    match what {
        Befall::KilledBefore | Befall::KilledAfter | Befall::KilledMeanwhile => false,
        Befall::ReplyLost | Befall::Garbage | Befall::Stale => true,
        Befall::RequestLost | Befall::Throttled | Befall::Hang => {
            // The switch of what goes on running is disarmed once more as well, and one that was not
            // renewed is armed anew.
            let back = [" action rollback ", " disarm-switch ", " renew-switch "]
                .iter()
                .any(|it| seen.name.contains(it));
            let again = seen.kind == EffectKind::ExecutorChange;
            // An instance that ends gives its address back: it need not have been asked for.
            let by_itself = seen.name == "DisassociateAddress";
            let refused = what == Befall::Throttled && seen.kind == EffectKind::ApiChange;
            !seen.kind.changes() || back || again || by_itself || refused
        }
    }
}

fn lock_is_gone(case: &Case<'_>) -> Result<(), String> {
    if case.is_admitted() || case.records.is_empty() || !owed::holds_the_lock(case.aftermath) {
        Ok(())
    } else {
        Err("its file is still on routerd-cloud".to_owned())
    }
}

/// Nothing is wrong with a lab whose harness died: recovery has no reason to leave anything, but a row
/// that nobody can move any more.
fn recovered_whole(case: &Case<'_>) -> Result<(), String> {
    let only_died = case.plan.is_alone() && case.plan.blows().all(Blow::kills);
    match &case.aftermath.recovered {
        Some(judgement) if judgement.exit_code == 6 && owed::has_a_wedged_row(case.aftermath) => {
            Ok(())
        }
        Some(judgement) if only_died && judgement.recover_exit_code() != 0 => {
            Err(format!("it answers {}: {}", judgement.exit_code, judgement.reasons.join("; ")))
        }
        _ => Ok(()),
    }
}

fn says_why(case: &Case<'_>) -> Result<(), String> {
    let said = case.aftermath.said();
    let Some(said) = said.filter(|said| said.verdict != Verdict::Pass) else {
        return Ok(());
    };
    if said.reasons.iter().all(String::is_empty) {
        return Err(format!("exit code {}, and no reason", said.exit_code));
    }
    Ok(())
}

/// In words, for a cell or a seed that does not hold.
pub fn in_words(aftermath: &Aftermath) -> String {
    let fell: Vec<String> =
        aftermath.fell().map(|(blow, named)| format!("{blow:?} at [{named}]")).collect();
    let end = match &aftermath.run.end {
        End::Judged(it) => format!("ended {} {:?}", it.exit_code, it.reasons),
        End::Killed => "died".to_owned(),
    };
    let recovered = aftermath.recovered.as_ref();
    let recovered = recovered.map(|it| format!(", recovered {} {:?}", it.exit_code, it.reasons));
    format!("{}; {end}{} ({CAPTURED})", fell.join(", "), recovered.unwrap_or_default())
}
