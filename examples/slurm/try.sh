#!/bin/bash
# On a running Slurm, one node is enough: four tasks, one of them killed, run again alone, merged, and compared with one machine.
#
#   cargo build -p arrakis -p arrakis-examples --bin arrakis --bin shards
#   PATH=$PWD/target/debug:$PATH PROGRAM=$PWD/target/debug/shards examples/slurm/try.sh FOLDER
set -u
job=$(cd "$(dirname "$0")" && pwd)/job.sh
out=$(mkdir -p "$1" && cd "$1" && pwd)
export ARRAKIS_DIR=$out/experiments PROGRAM
cd "$out" || exit 1
wait_for() { while [ -n "$(squeue --noheader --jobs "$1" 2>/dev/null)" ]; do sleep 1; done; }

id=$(sbatch --parsable "$job")
until compgen -G "$ARRAKIS_DIR/.shards/*/2-of-4/*.jsonl" >/dev/null; do :; done
scancel --signal=KILL --full "${id}_2"
wait_for "$id"
echo "== one is lost"
arrakis merge "$ARRAKIS_DIR" && { echo "it was not killed in time: try again" >&2; exit 1; }
again=$(sbatch --parsable --array=2 "$job")
wait_for "$again"
echo "== all are there"
arrakis merge "$ARRAKIS_DIR" | tee merged.txt
ARRAKIS_DIR=$out/alone "$PROGRAM" >alone.txt
grep -v '^job ' merged.txt | diff alone.txt - && echo "the merged run printed what one machine prints"
