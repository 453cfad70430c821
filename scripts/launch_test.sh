#!/usr/bin/env bash
# Runs the scripts that start federations and leave them, and the one with ten nodes, as the deployment guides type them.
#
#   scripts/launch_test.sh [--bin DIR]
#
# Of each federation every node has to answer and to agree with the others, and after --down --remove nothing is left: no process,
# no directory, no network namespace. Needs root, iproute2 and prometheus. DIR holds the built programs; without, they are built.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/devnet.sh"

given=''
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=$2 && shift 2 ;;
    *) refuse "there is no option $1" ;;
    esac
done
programs "$given"

work=$(mktemp -d)
fail() { echo "FAIL $1" >&2 && exit 1; }
finish() {
    "$root/icn-devnet/launch_federation.sh" --down --remove --dir "$work/three" --bin "$bin" >/dev/null 2>&1 || true
    "$root/scripts/deploy_large_federation.sh" --down --remove --dir "$work/twelve" --bin "$bin" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

# agrees DIR COUNT: the federation in DIR has COUNT nodes that run, know of peers, and have one root at one height.
agrees() {
    "$bin/icn-cli" --json devnet status --dir "$1" >"$work/status" || fail "not all nodes in $1 run"
    python3 - "$work/status" "$2" <<'PYTHON' || fail "the $2 nodes in $1 are not one federation"
import json, sys

nodes = json.load(open(sys.argv[1]))
assert len(nodes) == int(sys.argv[2]), nodes
assert all(node["height"] > 1 and node["peers"] > 0 for node in nodes), nodes
roots = {(node["height"], node["root"]) for node in nodes}
assert len(roots) == len({height for height, _ in roots}), nodes
PYTHON
}

# is_gone DIR: nothing of the federation that was in DIR is left.
is_gone() {
    [ ! -e "$1" ] || fail "--down --remove leaves $1"
    ! pgrep --full "icn-node .*$1/" >/dev/null || fail "--down leaves nodes of $1 running"
    ! ip netns list | grep --quiet '^icn-' || fail "--down leaves network namespaces of $1"
}

attend "$root/icn-devnet/launch_federation.sh" --dir "$work/three" --base-port 18600 --bin "$bin"
agrees "$work/three" 3
"$root/icn-devnet/launch_federation.sh" --down --remove --dir "$work/three" --bin "$bin"
is_gone "$work/three"
echo "ok: three nodes launched, and ended"

NUM_JOBS=50 attend "$root/scripts/run_10node_devnet.sh" --metrics-output "$work/ten.json" --bin "$bin"
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["passed"]' "$work/ten.json" || fail "ten nodes did not pass"
echo "ok: 50 jobs on ten nodes"

attend "$root/scripts/deploy_large_federation.sh" --nodes 12 --network-mode distributed --monitoring-enabled --persistence-enabled \
    --dir "$work/twelve" --bin "$bin"
agrees "$work/twelve" 12
"$root/scripts/deploy_large_federation.sh" --down --remove --dir "$work/twelve" --bin "$bin"
is_gone "$work/twelve"
echo "ok: twelve nodes on hosts of their own, watched by Prometheus, and ended"
