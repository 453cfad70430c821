#!/usr/bin/env bash
# Ten nodes, and jobs for them.
#
#   NUM_JOBS=50 scripts/run_10node_devnet.sh [--bin DIR] [--metrics-output FILE]
#
#   NUM_JOBS              how many jobs, of all kinds (50 if not set)
#   --metrics-output FILE all figures, as JSON
#   --bin DIR             the built programs; without, they are built
#
# Starts a federation of ten on loopback in a temporary directory, and ends it. Ends with a table; exit code 0 only if every
# job settled or was rolled back, the mana adds up on every node, all agree on height and root, and each has every operation
# that was acknowledged.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/devnet.sh"

given='' options=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=$2 && shift 2 ;;
    --metrics-output) needs_value "$1" $# && options+=("$1" "$2") && shift 2 ;;
    *) refuse "there is no option $1" ;;
    esac
done
jobs=${NUM_JOBS:-50}
[[ $jobs =~ ^[1-9][0-9]*$ ]] || refuse "NUM_JOBS=$jobs is no number of jobs"

programs "$given"
attend "$bin/icn-cli" devnet load --nodes 10 --jobs "$jobs" --concurrent-jobs 30 "${options[@]}"
