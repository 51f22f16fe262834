#!/bin/sh
# Mutation testing of the judging code, crate by crate: hours on two cores, so no part of CI's every
# run. Needs cargo-mutants (cargo install cargo-mutants).
#
#   tests/mutants.sh [GROUP...]      reports, lab, scenarios, engine; without one, all of them
#
# First the crate's own library tests, which cost seconds; then, of what they missed, whole runs. It
# may be stopped at any time: what was caught is not asked again, by this run or the next. What each
# came to lies under target/mutants/; `rm -r` it to begin again. MUTANTS_ARGS is for cargo-mutants,
# as MUTANTS_ARGS="--re judge_tcp" or MUTANTS_ARGS="--shard 0/8".
set -eu

[ $# -gt 0 ] || set -- reports lab scenarios engine
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/target/mutants
clone=$out/clone

# A tree of its own, mutated in place, with a target folder of its own: cargo takes crates of the
# same name in two trees for one, so that a mutant would get into other builds. The AWS SDK is
# compiled there once, and for `reports` not at all.
export CARGO_TARGET_DIR="${MUTANTS_TARGET_DIR:-$out/target}" CARGO_INCREMENTAL=1
mkdir -p "$out"
[ -d "$clone" ] || git clone -q "$root" "$clone"
git -C "$clone" fetch -q "$root" HEAD
git -C "$clone" checkout -q --force --detach FETCH_HEAD

# One complaint is enough to catch a mutant, so a test ends at its first.
export LAB_SMOKE_FIRST=1 LAB_SMOKE_PAIRS=1

# mutants GROUP TESTED-PACKAGES ARGUMENTS...: the mutated crate is compiled without optimisation,
# which takes less time than its tests gain.
mutants() {
    group=$1 tested=$2
    shift 2
    status=0
    (cd "$clone" && cargo mutants --in-place --iterate --no-shuffle --baseline skip \
        --output "$out/$group" --test-package "$tested" "$@" ${MUTANTS_ARGS:-}) || status=$?
    # 2: some were missed; 3: some took too long. Both are results.
    [ "$status" -eq 0 ] || [ "$status" -eq 2 ] || [ "$status" -eq 3 ] || exit "$status"
}

# A crate whose dependencies include the SDK is tested together with lab-smoke: alone it would ask for
# fewer features of what it depends on, and have all of that built a second time.
own_tests() {
    group=$1 package=$2
    shift 2
    mutants "$group" "$package" --package "$package" --timeout 60 \
        --cargo-arg="--config=profile.dev.package.$package.opt-level=0" --cargo-test-arg=--lib "$@"
}

whole_runs() {
    group=$1 package=$2
    shift 2
    set -- --cargo-test-arg=--lib --cargo-test-arg=--test=program --cargo-test-arg=--test=matrix \
        --cargo-test-arg=--test=foreign "$@" --cargo-test-arg=--
    # Of these binaries neither what is slow and sees little, nor what asks the programs of others.
    for skipped in crash:: explore:: invariants:: left:: \
        corners:: evidence:: folder:: programs:: secrets:: serve:: \
        served:: aws_cli:: referee::; do
        set -- "$@" --cargo-test-arg=--skip "--cargo-test-arg=$skipped"
    done
    mutants "$group" lab-smoke --package "$package" --timeout 400 "$@"
}

for group in "$@"; do
    # What judges: the verdict, the go; who may mutate, the role, the change set; the scenarios; of the
    # engine what waits for a go (hard stop 7), passes the gate and ends a run. Not what breaks it on
    # purpose, for the tests of the invariants.
    case $group in
    reports)
        set -- --file 'reports/src/verdict/*.rs' --file 'reports/src/go/*.rs'
        own_tests reports lab-smoke-reports "$@"
        ;;
    lab)
        set -- --file lab/src/permit.rs --file lab/src/change_set.rs
        own_tests lab lab-smoke-lab --test-package lab-smoke "$@"
        whole_runs lab lab-smoke-lab "$@"
        ;;
    scenarios)
        set -- --file 'scenarios/src/**/*.rs' --exclude scenarios/src/example.rs \
            --exclude 'scenarios/src/answers/*.rs'
        own_tests scenarios lab-smoke-scenarios --test-package lab-smoke "$@"
        whole_runs scenarios lab-smoke-scenarios "$@"
        ;;
    engine)
        set -- --file 'harness/src/engine/*.rs' --file harness/src/grant.rs \
            --exclude harness/src/engine/sabotage.rs
        own_tests engine lab-smoke "$@"
        whole_runs engine lab-smoke "$@"
        ;;
    *)
        echo "$group is none of reports, lab, scenarios, engine" >&2
        exit 2
        ;;
    esac
    results=$out/$group/mutants.out
    sort -u "$results/caught.txt" "$results/previously_caught.txt" 2>/dev/null | wc -l |
        sed "s/^/$group, caught or not viable: /"
    sed "s/^/$group, missed: /" "$results/missed.txt"
    sed "s/^/$group, took too long: /" "$results/timeout.txt"
done
