#!/usr/bin/env bash
# Cuts a federation of four in two halves and heals it: four real nodes, each in a network namespace of its own.
#
#   scripts/partition_test.sh [--outage SECONDS] [--bin DIR]
#
# Holds if nothing is ordered during the cut, the first block after it is on all four nodes within 10 s of
# healing, and all agree on the accounts. Needs iproute2, and root or user namespaces. Ends its own processes
# and namespaces, whatever happens.
set -euo pipefail

outage=60
bin=target/debug
while [ $# -gt 0 ]; do
    case $1 in
    --outage) outage=$2 && shift 2 ;;
    --bin) bin=$2 && shift 2 ;;
    *) echo "usage: $0 [--outage SECONDS] [--bin DIR]" >&2 && exit 2 ;;
    esac
done
bin=$(cd "$bin" && pwd)
for program in ip python3; do
    command -v $program >/dev/null || { echo "$program is missing: install iproute2 and python3" >&2 && exit 1; }
done
# Namespaces and their names live in a mount and network namespace of the test, gone when it ends.
if [ -z "${PARTITION_TEST_INSIDE:-}" ]; then
    export PARTITION_TEST_INSIDE=1
    if [ "$(id -u)" = 0 ]; then inside=(unshare --net --mount); else inside=(unshare --user --map-root-user --net --mount); fi
    exec "${inside[@]}" bash "$0" --outage "$outage" --bin "$bin"
fi
mount -t tmpfs tmpfs /run

dir=$(mktemp -d)
names=(bakery dairy mill orchard)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT

cli() { # cooperative, arguments
    local name=$1
    shift
    ip netns exec "$name" "$bin/icn-cli" --quiet --profile "$dir/$name/cli.toml" "$@"
}
height() { cli "$1" --json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["log"]["height"])'; }
lowest() { for name in "${names[@]}"; do height "$name"; done | sort -n | head -1; }
highest() { for name in "${names[@]}"; do height "$name"; done | sort -n | tail -1; }

# Two bridges: a node is moved to the other one to cut it off.
ip link set lo up
for bridge in whole apart; do ip link add $bridge type bridge && ip link set $bridge up; done
founders=()
for i in "${!names[@]}"; do
    name=${names[$i]}
    ip netns add "$name"
    ip link add "to-$name" type veth peer name eth0 netns "$name"
    ip link set "to-$name" master whole up
    ip -n "$name" addr add "10.77.0.$((i + 1))/24" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
    mkdir -p "$dir/$name"
    "$bin/icn-cli" --quiet key new "$dir/$name/node.key" >/dev/null
    did=$("$bin/icn-cli" --json key show "$dir/$name/node.key" | python3 -c 'import json,sys; print(json.load(sys.stdin)["did"])')
    founders+=(--founder "$name=$did")
done
"$bin/icn-cli" --quiet federation create valley "${founders[@]}" --parameters devnet -o "$dir/genesis.json" >/dev/null
for name in "${names[@]}"; do
    own=${founders[0]}
    for i in "${!names[@]}"; do [ "${names[$i]}" = "$name" ] && own="10.77.0.$((i + 1))"; done
    ip netns exec "$name" "$bin/icn-node" --data-dir "$dir/$name" --genesis "$dir/genesis.json" \
        --http-listen-addr 127.0.0.1:7845 --p2p-listen-addr "/ip4/$own/tcp/7000" \
        --bootstrap-peers /ip4/10.77.0.1/tcp/7000,/ip4/10.77.0.2/tcp/7000,/ip4/10.77.0.3/tcp/7000,/ip4/10.77.0.4/tcp/7000 \
        >"$dir/$name.out" 2>"$dir/$name.log" &
    pids+=($!)
done
for _ in $(seq 120); do
    sleep 0.5
    [ "$(lowest 2>/dev/null || echo 0)" -ge 2 ] 2>/dev/null && break
done
[ "$(lowest)" -ge 2 ] || { tail -n 5 "$dir"/*.log >&2 && echo "the federation did not start" >&2 && exit 1; }
echo "four nodes agree, height $(lowest)"

for name in mill orchard; do ip link set "to-$name" master apart; done
sleep 3
before=$(highest)
echo "cut two from two for $outage s at height $before"
sleep "$outage"
after=$(highest)
[ "$after" = "$before" ] || { echo "ordered during the cut: $before to $after" >&2 && exit 1; }
echo "nothing was ordered during the cut"

for name in mill orchard; do ip link set "to-$name" master whole; done
healed=$(date +%s.%N)
until [ "$(lowest)" -gt "$before" ]; do
    sleep 0.1
    took=$(python3 -c "import time; print(time.time() - $healed)")
    python3 -c "import sys; sys.exit($took > 60)" || { echo "no block on all four within 60 s of healing" >&2 && exit 1; }
done
took=$(python3 -c "import time; print(f'{time.time() - $healed:.1f}')")
echo "first block on all four nodes $took s after healing"
for _ in $(seq 40); do
    roots=$(for name in "${names[@]}"; do
        cli "$name" --json mana verify | python3 -c 'import json,sys; print(json.load(sys.stdin)["nodes"][0]["root"])' 2>/dev/null || true
    done | sort -u | wc -l)
    [ "$roots" = 1 ] && break
    sleep 0.1
done
[ "$roots" = 1 ] || { echo "the nodes do not agree on the accounts" >&2 && exit 1; }
echo "all four agree on the accounts"
python3 -c "import sys; sys.exit($took > 10)" || { echo "healing took longer than 10 s" >&2 && exit 1; }
