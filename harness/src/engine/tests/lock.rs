//! The lab's lock: kept while the run goes on, given back once, and told where it cannot be.

use lab::act::RENEWAL;
use lab::node::Node;

use super::super::*;
use super::stage::{Stage, play};

#[test]
fn a_lock_is_given_back_once_and_only_by_who_took_it() {
    play(async |stage: &Stage<'_>| {
        stage.has_taken_the_lock();
        stage.engine.run.state.borrow_mut().lock_taken = false;
        stage.engine.release_lock().await;
        assert!(stage.lock_lies_there(), "it was given back before, and may be another's by now");

        stage.engine.run.state.borrow_mut().lock_taken = true;
        stage.engine.release_lock().await;
        assert_eq!((stage.lock_lies_there(), stage.residue()), (false, None));
        assert!(!stage.engine.run.state.borrow().lock_taken);
    });
}

#[test]
fn a_lock_that_cannot_be_given_back_is_residue_with_the_owners_command() {
    play(async |stage: &Stage<'_>| {
        stage.has_taken_the_lock();
        stage.answers(Node::RouterdCloud, "rm -f", u32::MAX, 1, "Read-only file system");
        stage.engine.release_lock().await;
        let items = stage.residue().expect("residue");
        let [item] = &items[..] else { panic!("{items:?}") };
        assert_eq!(item.owner_commands, ["sudo rm -f /var/lib/lab-smoke/lock.json"]);
        assert!(stage.engine.run.state.borrow().lock_taken && stage.lock_lies_there());
    });
}

/// Whoever reads the last list reads all of it.
#[test]
fn a_lock_that_cannot_be_given_back_is_listed_beside_what_else_is_left() {
    play(async |stage: &Stage<'_>| {
        let volume = ResidueItem {
            resource: "volume".to_owned(),
            id: "vol-1".to_owned(),
            why: "it is there".to_owned(),
            costs_money: true,
            owner_commands: Vec::new(),
        };
        let kept = ResidueItem { id: "vol-2".to_owned(), ..volume.clone() };
        let listed = ResidueListed { items: vec![volume], kept: vec![kept.clone()] };
        stage.record(Kind::ResidueListed(listed));
        stage.has_taken_the_lock();
        stage.answers(Node::RouterdCloud, "rm -f", u32::MAX, 1, "Read-only file system");
        stage.engine.release_lock().await;
        let ids: Vec<String> = stage.residue().into_iter().flatten().map(|it| it.id).collect();
        assert_eq!(ids, ["vol-1", lab::act::LOCK_PATH]);
        let last = stage.records().into_iter().rev().find_map(|record| match record.kind {
            Kind::ResidueListed(listed) => Some(listed.kept),
            _ => None,
        });
        assert_eq!(last, Some(vec![kept]));
    });
}

/// A run that never burnt its go has its instances stopped once the lock could not be given back.
#[test]
fn a_recovery_that_stops_what_costs_lists_the_lock_that_it_could_not_give_back() {
    play(async |stage: &Stage<'_>| {
        stage.has_taken_the_lock();
        stage.answers(Node::RouterdCloud, "rm -f", u32::MAX, 1, "Read-only file system");
        Box::pin(stage.engine.end_what_was_begun()).await.expect("nobody else holds the lab");
        let ids: Vec<String> = stage.residue().into_iter().flatten().map(|it| it.id).collect();
        assert_eq!((ids, stage.running()), (vec![lab::act::LOCK_PATH.to_owned()], vec![]));
    });
}

#[test]
fn the_lock_goes_once_everything_is_seen_restored_and_before_the_nodes_go() {
    let told = super::run_with(&[], &Brake::default());
    let place = |is: &dyn Fn(&Kind) -> bool| {
        let place = told.records.iter().position(|record| is(&record.kind));
        place.expect("it happened")
    };
    let restored =
        place(&|it| matches!(it, Kind::ScenarioFinished(it) if it.scenario == "restored"));
    let released = place(&|it| matches!(it, Kind::LockReleased(_)));
    let torn_down =
        place(&|it| matches!(it, Kind::ScenarioStarted(it) if it.scenario == "teardown"));
    assert!(restored < released && released < torn_down, "{restored} {released} {torn_down}");
}

/// Whose lock lies there when the first renewal is due.
enum Lies {
    Own,
    Others,
    Nobodys,
    /// Another's, but this run has given its own back.
    OthersLater,
}

#[test]
fn the_lease_is_renewed_until_the_lock_is_anothers() {
    let table = [
        (Lies::Own, true, None),
        (Lies::Others, false, Some("the loss of the lab's lock to run another")),
        (Lies::Nobodys, false, None),
        (Lies::OthersLater, false, None),
    ];
    for (lies, renewed, interrupted) in table {
        play(async |stage: &Stage<'_>| {
            let clock = stage.engine.lab.clock;
            stage.has_taken_the_lock();
            match lies {
                Lies::Own => {}
                Lies::Others => stage.lock_of("another", 900),
                Lies::Nobodys => stage.change(|world| {
                    let files = &mut world.machines.get_mut(Node::RouterdCloud).files;
                    files.remove(lab::act::LOCK_PATH, 0).expect("it lay there");
                }),
                Lies::OthersLater => {
                    stage.engine.run.state.borrow_mut().lock_taken = false;
                    stage.lock_of("another", 900);
                }
            }
            stage.engine.while_renewing(clock.sleep(RENEWAL * 3 / 2)).await;
            let records = stage.records();
            let longer = records.iter().any(|it| matches!(it.kind, Kind::LockRenewed(_)));
            let signal = records.iter().find_map(|it| match &it.kind {
                Kind::Interrupted(it) => Some(it.signal.as_str()),
                _ => None,
            });
            assert_eq!((longer, signal), (renewed, interrupted));
            assert_eq!(stage.engine.run.brake.pulled(), interrupted.is_some());
        });
    }
}

/// A run that nobody can see lives as long as its lease does by the node's clock.
#[test]
fn a_run_lives_as_long_as_its_own_lease() {
    for (whose, seconds, tells_the_time, expected) in [
        ("own", 60, true, true),
        ("own", 0, true, false),
        ("own", -60, true, false),
        ("own", -60, false, true),
        ("another", 60, true, false),
    ] {
        play(async |stage: &Stage<'_>| {
            let own = &stage.engine.run.id;
            stage.lock_of(if whose == "own" { own } else { whose }, seconds);
            if !tells_the_time {
                stage.answers(Node::RouterdCloud, "date", u32::MAX, 1, "no clock");
            }
            let holder = find_live_holder(stage.engine.lab, own).await;
            assert_eq!(holder.is_some(), expected, "{whose} {seconds} {tells_the_time}");
        });
    }
}

/// By the node's clock, whatever the clock is of whoever looks; where the node does not say what time
/// it is, nobody can tell that the lease has ended.
#[test]
fn a_run_lives_until_its_lease_ends_by_the_nodes_clock() {
    let (minute, hour) = (60, 3600);
    for (ahead_seconds, lease_seconds, tells, lives_on) in [
        (0, 10 * minute, true, true),
        (-5 * hour, 10 * minute, true, true),
        (5 * hour, 10 * minute, true, true),
        (0, -minute, true, false),
        (5 * hour, -minute, true, false),
        (5 * hour, -minute, false, true),
    ] {
        play(async |stage: &Stage<'_>| {
            stage.change(|world| {
                let router = world.machines.get_mut(Node::RouterdCloud);
                router.clock_offset_ms = ahead_seconds * 1000;
            });
            let (lab, id) = (stage.engine.lab, &stage.engine.run.id);
            assert_eq!(find_live_holder(lab, id).await, None, "no lock lies there");
            stage.lock_of("another", ahead_seconds + lease_seconds);
            assert_eq!(find_live_holder(lab, id).await, None, "it is another run's");
            stage.lock_of(id, ahead_seconds + lease_seconds);
            if !tells {
                stage.answers(Node::RouterdCloud, "date +%s%N", u32::MAX, 1, "");
            }
            let found = find_live_holder(lab, id).await.is_some();
            assert_eq!(found, lives_on, "{ahead_seconds} {lease_seconds} {tells}");
        });
    }
}
