#!/bin/bash
#SBATCH --job-name=shards
#SBATCH --array=0-3
#SBATCH --cpus-per-task=1
#SBATCH --output=shards-%A_%a.out
#
#   sbatch examples/slurm/job.sh               # four tasks, each with its part of the work
#   sbatch --array=2 examples/slurm/job.sh     # one that was lost, alone
#   arrakis merge "$ARRAKIS_DIR"               # what one machine would give, when all are done
#
# `--of 4` says how many there are: Slurm does not tell a task that runs alone. The folder is one that all nodes share; with a
# folder for each, name them all: `arrakis merge a b c d`.
set -eu
export ARRAKIS_DIR="${ARRAKIS_DIR:-$PWD/experiments}"
exec arrakis run --of 4 -- "${PROGRAM:-target/release/shards}"
