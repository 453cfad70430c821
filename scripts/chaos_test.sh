#!/usr/bin/env bash
# Breaks a federation while jobs run, mends it, and sees whether everything holds that was promised.
#
#   scripts/chaos_test.sh --scenario SCENARIO [--duration 60s] [--federation-size 8] [--failure-rate 20%]
#                         [--outage SPAN] [--split 6,2] [--sync-delay 500ms] [--clock-off 60s] [--seed N]
#                         [--concurrent-jobs 24] [--job-types mixed] [--metrics-output FILE] [--network-mode MODE]
#                         [--dir DIR] [--work DIR] [--bin DIR]
#
#   network_partition   some are cut off from the others (--split; as few as can be lost if nothing says)
#   node_failure        some are killed (kill -9) and started again
#   slow_disk           some wait --sync-delay longer for each sync of their disk
#   full_disk           some have no room left on their disk
#   clock_skew          some have a clock that is --clock-off ahead or behind
#   packet_loss         packets between all are lost (--failure-rate is their share)
#   byzantine           some alter their ledger, and compute something else than the others from then on
#   all                 each of them, with a federation of its own
#
#   --duration SPAN     for how long things are broken and mended (90s, 10m)
#   --outage SPAN       how long each thing stays broken (30s, or the whole duration if that is shorter)
#   --failure-rate P    share of nodes that something happens to, rounded up
#   --federation-size N nodes of the federation that is started for this, and ended with it
#   --network-mode MODE distributed: each node in a network namespace (root or user namespaces, iproute2); local: on loopback,
#                       for scenarios that leave the network and disks alone
#   --dir DIR           the federation that runs there already, instead
#   --work DIR          where the nodes of its own are kept; a temporary directory if nothing says
#   --bin DIR           the built programs (icn-node, icn-cli, for byzantine icn-node-test-hooks); without, they are built
#
# Needs iproute2; for slow_disk and clock_skew a C compiler; for packet_loss nftables; for full_disk root or user namespaces.
# What is missing is said, and fails. Latency and bandwidth of links are not among what is broken.
#
# Ends with tables. Exit code 0 only if those that are enough go on, those that are too few order nothing, all agree within
# 30 s of mending, and at the end every job has settled or was rolled back, the mana adds up on every node, all agree on height
# and root, and each has every operation that was acknowledged.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/devnet.sh"

given='' options=() scenario='' size=(--federation-size 8)
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=$2 && shift 2 ;;
    --scenario) needs_value "$1" $# && scenario=$2 && shift 2 ;;
    --federation-size | --nodes) needs_value "$1" $# && size=(--federation-size "$2") && shift 2 ;;
    --dir) needs_value "$1" $# && size=(--dir "$2") && shift 2 ;;
    --duration | --failure-rate | --outage | --split | --sync-delay | --clock-off | --seed | --concurrent-jobs | --job-types | \
        --metrics-output | --network-mode | --work)
        needs_value "$1" $# && options+=("$1" "$2") && shift 2 ;;
    *) refuse "there is no option $1" ;;
    esac
done
case $scenario in
network_partition | node_failure | slow_disk | full_disk | clock_skew | packet_loss | byzantine | all) ;;
'') refuse "--scenario says what is to be broken" ;;
*) refuse "there is no scenario $scenario" ;;
esac

programs "$given"
own=$(mktemp -d)
trap 'rm -rf "$own"' EXIT
case $scenario in
slow_disk | clock_skew | all)
    compiler=$(command -v "${CC:-cc}") || { echo "a C compiler is missing: install gcc" >&2 && exit 1; }
    "$compiler" -shared -fPIC -O2 -o "$own/faults.so" "$root/scripts/chaos/faults.c" -ldl
    options+=(--faults-library "$own/faults.so")
    ;;
esac
case $scenario in
byzantine | all)
    test_hooks "$given"
    options+=(--hooked-node "$bin/icn-node-test-hooks")
    ;;
esac
attend "$bin/icn-cli" devnet chaos --scenario "$scenario" "${size[@]}" "${options[@]}"
