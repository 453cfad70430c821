#!/usr/bin/env bash
# Loads a federation with jobs of all kinds: short ones, some that read data or take memory, some that fail or never end.
#
#   scripts/load_test.sh [--concurrent-jobs 100] [--duration 5m | --jobs N] [--job-types mixed] [--metrics-output FILE]
#                        [--nodes 12] [--network-mode local|distributed] [--dir DIR] [--work DIR] [--bin DIR]
#                        [--alter-ledger NODE@HEIGHT]
#
#   --concurrent-jobs N   jobs that are open at once, over all nodes
#   --duration SPAN       for how long jobs are handed in (90s, 30m, 2h), or with --jobs how many
#   --job-types KINDS     mixed, or a list of short, text, data, memory, failing, too-long
#   --metrics-output FILE all figures, as JSON
#   --nodes N             nodes of the federation that is started for this, and ended with it
#   --network-mode MODE   local: all on loopback; distributed: each in a network namespace (root or user namespaces, iproute2)
#   --dir DIR             the federation that runs there already, instead (scripts/deploy_large_federation.sh)
#   --work DIR            where the nodes of its own are kept; a temporary directory if nothing says
#   --bin DIR             the built programs; without, they are built
#   --alter-ledger NODE@HEIGHT  checks this check: the node alters an account there, and the script has to fail and name it
#                         (DIR of --bin must hold icn-node-test-hooks; without --bin it is built)
#
# Ends with a table by kinds and one by nodes. Exit code 0 only if every job settled or was rolled back, the mana adds up on
# every node, all agree on height and root, and each has every operation that was acknowledged.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/devnet.sh"

given='' options=() nodes=(--nodes 12) length=(--duration 5m) hooked=''
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=$2 && shift 2 ;;
    --nodes) needs_value "$1" $# && nodes=(--nodes "$2") && shift 2 ;;
    --dir) needs_value "$1" $# && nodes=(--dir "$2") && shift 2 ;;
    --duration | --jobs) needs_value "$1" $# && length=("$1" "$2") && shift 2 ;;
    --concurrent-jobs | --job-types | --metrics-output | --network-mode | --work)
        needs_value "$1" $# && options+=("$1" "$2") && shift 2 ;;
    --alter-ledger) needs_value "$1" $# && options+=("$1" "$2") && hooked=yes && shift 2 ;;
    *) refuse "there is no option $1" ;;
    esac
done

programs "$given"
if [ -n "$hooked" ]; then
    test_hooks "$given"
    options+=(--hooked-node "$bin/icn-node-test-hooks")
fi
attend "$bin/icn-cli" devnet load "${nodes[@]}" "${length[@]}" "${options[@]}"
