#!/bin/sh
# Mutation testing of the judging code, in shards that can be resumed: hours on two cores, so no
# part of CI's every run. Needs cargo-mutants (cargo install cargo-mutants).
#
#   tests/mutants.sh [SHARDS [FILE...]]
#
# The first shard that has no result yet is run, then the next one. What each came to lies under
# target/mutants/; `rm -r` it to begin again. A file as FILE looks at that one alone.
# MUTANTS_ARGS is for cargo-mutants, as MUTANTS_ARGS="--baseline skip --timeout 400".
set -eu

shards=${1:-40}
[ $# -eq 0 ] || shift
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/target/mutants
clone=$out/clone

# A tree of its own, mutated in place, with a target folder of its own: cargo takes crates of the
# same name in two trees for one, so that a mutant would get into other builds. The AWS SDK is
# compiled there once.
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$out/target}
mkdir -p "$out"
[ -d "$clone" ] || git clone -q "$root" "$clone"
git -C "$clone" fetch -q origin HEAD
git -C "$clone" checkout -q --force --detach FETCH_HEAD

if [ $# -eq 0 ]; then
    # What judges: the scenarios, the verdict, the go and who may mutate, the role, the change set;
    # and of the engine what waits for a go (hard stop 7), passes the gate and ends a run.
    set -- 'scenarios/src/**/*.rs' 'reports/src/verdict/*.rs' 'reports/src/go/*.rs' \
        lab/src/permit.rs lab/src/iam/judge.rs lab/src/change_set.rs \
        'harness/src/engine/*.rs' harness/src/grant.rs
fi
for file in "$@"; do
    set -- "$@" --file "$file"
    shift
done

# One complaint is enough to catch a mutant, so a test ends at its first.
export LAB_SMOKE_FIRST=1 LAB_SMOKE_PAIRS=1
shard=0
while [ "$shard" -lt "$shards" ]; do
    result=$out/$shard-of-$shards
    if [ ! -e "$result/done" ]; then
        rm -rf "$result"
        mkdir -p "$result"
        status=0
        (cd "$clone" && cargo mutants --in-place --workspace --shard "$shard/$shards" \
            --output "$result" \
            --test-package lab-smoke-scenarios,lab-smoke-reports,lab-smoke-lab,lab-smoke \
            --cargo-test-arg=--lib --cargo-test-arg=--test=sensitivity --cargo-test-arg=--test=go \
            --cargo-test-arg=--test=run --cargo-test-arg=--test=recover --cargo-test-arg=--test=docs \
            ${MUTANTS_ARGS:---minimum-test-timeout 300} "$@") || status=$?
        # 2: some were missed; 3: some took too long. Both are results.
        [ "$status" -eq 0 ] || [ "$status" -eq 2 ] || [ "$status" -eq 3 ] || exit "$status"
        : > "$result/done"
    fi
    shard=$((shard + 1))
done

cat "$out"/*-of-"$shards"/mutants.out/caught.txt 2>/dev/null | wc -l | sed 's/^/caught: /'
cat "$out"/*-of-"$shards"/mutants.out/timeout.txt 2>/dev/null | wc -l | sed 's/^/timed out: /'
echo 'missed:'
cat "$out"/*-of-"$shards"/mutants.out/missed.txt 2>/dev/null || true
