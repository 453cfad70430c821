#!/usr/bin/env bash
# Starts a large federation on this machine, and leaves it running.
#
#   scripts/deploy_large_federation.sh [--nodes 12] [--network-mode local|distributed] [--monitoring-enabled]
#                                      [--persistence-enabled] [--dir icn_devnet_large] [--base-port 8100] [--bin DIR]
#   scripts/deploy_large_federation.sh --down [--remove] [--dir icn_devnet_large] [--bin DIR]
#
#   --nodes N              how many nodes, at most 16
#   --network-mode MODE    local: all on loopback; distributed: each in a network namespace of its own, reached from this machine
#                          at 10.78.0.1 and on (needs root and iproute2; the names are removed by --down)
#   --monitoring-enabled   starts a Prometheus (from PATH) that watches the nodes, with the rules of deploy/monitoring
#   --persistence-enabled  nodes keep what they know on disk; without, in memory until they end
#   --dir DIR              where their keys, data and logs are
#   --down                 stops it; with --remove the directory goes, too
#   --bin DIR              the built programs; without, they are built
#
# Before it leaves them, it hands in a few jobs. Exit code 0 only if all of them settled or were rolled back, the mana adds up
# on every node and all agree on height and root; otherwise nothing is left running, unless nodes of DIR ran before.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/devnet.sh"

given='' dir=icn_devnet_large nodes=12 options=() mode=local store=memory monitoring='' down='' remove=()
port=8100
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=$2 && shift 2 ;;
    --nodes) needs_value "$1" $# && nodes=$2 && shift 2 ;;
    --network-mode) needs_value "$1" $# && mode=$2 && shift 2 ;;
    --dir) needs_value "$1" $# && dir=$2 && shift 2 ;;
    --base-port) needs_value "$1" $# && port=$2 && shift 2 ;;
    --monitoring-enabled) monitoring=yes && shift ;;
    --persistence-enabled) store=disk && shift ;;
    --down) down=yes && shift ;;
    --remove) remove=(--remove) && shift ;;
    *) refuse "there is no option $1" ;;
    esac
done
[ -z "${remove[*]}" ] || [ -n "$down" ] || refuse "--remove goes with --down"
if [ "$mode" = distributed ] && [ "$(id -u)" != 0 ]; then
    echo "--network-mode distributed needs root: nodes on hosts of their own that outlive this script" >&2
    exit 1
fi
if [ -n "$monitoring" ]; then
    command -v prometheus >/dev/null || { echo "prometheus is missing: install prometheus" >&2 && exit 1; }
    options+=(--monitoring)
    for rules in "$root"/deploy/monitoring/rules/*.yml; do
        # Rules have tests beside them.
        case $rules in *_test.yml | *'*'*) ;; *) options+=(--rules "$rules") ;; esac
    done
fi

programs "$given"
if [ -n "$down" ]; then
    exec "$bin/icn-cli" devnet down --dir "$dir" "${remove[@]}"
fi
# What ran before is not this script's to end.
ran=''
! runs "$dir" || ran=yes
finish() {
    code=$?
    [ $code = 0 ] || [ -n "$ran" ] || "$bin/icn-cli" --quiet devnet down --dir "$dir" || true
    exit $code
}
trap finish EXIT
attend "$bin/icn-cli" devnet up --seats "$nodes" --network-mode "$mode" --store "$store" --base-port "$port" --dir "$dir" \
    --timeout 180s "${options[@]}"
attend "$bin/icn-cli" devnet load --dir "$dir" --jobs $((2 * nodes)) --concurrent-jobs "$nodes" --job-types short,text,data
