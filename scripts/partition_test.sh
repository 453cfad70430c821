#!/usr/bin/env bash
# Cuts a federation of four in two halves and heals it: four real nodes, each in a network namespace of its own.
#
#   scripts/partition_test.sh [--outage SECONDS] [--bin DIR]
#
# Holds if nothing is ordered during the cut, two that are cut off trade 1,000 transfers meanwhile, the first block after
# it is on all four nodes within 10 s of healing, what was traded is anchored and ready to be cleared, and all agree on the
# accounts. Needs iproute2, and root or user namespaces. Ends its own processes
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
# field EXPRESSION: of the JSON on standard input, which is called `it`.
field() { python3 -c "import json,sys; it = json.load(sys.stdin); print($1)"; }
# Two cooperatives agree on a line of credit; prints its name.
line() {
    local agreement
    agreement=$(cli "$1" --json agreement propose credit --title trade --with "$2" --credit EUR.2=1000/1000 | field 'it["id"]')
    cli "$2" agreement sign "$agreement" >/dev/null
    echo "$agreement:EUR.2"
}
# Waits until a line can be traded on from both ends.
met() {
    for _ in $(seq 600); do
        [ "$(for end in "$2" "$3"; do cli "$end" --json credit show "$1" | field 'it["own"]["waits_for_other"]'; done | sort -u)" = False ] && return
        sleep 0.2
    done
    echo "$2 and $3 did not meet" >&2 && exit 1
}
# trade COOPERATIVE LINE COUNT WORD: transfers of 1.00 each, fifty to a request, each signed by both ends.
trade() {
    local name=$1
    ip netns exec "$name" python3 - "$dir/$name/cli.toml" "$2" "$3" "$4" <<'PYTHON'
import json, sys, tomllib, urllib.request

profile, line, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
profile = tomllib.load(open(profile, "rb"))
url = f"{profile['api_url']}/v1/credit/lines/{line}/transfers"
headers = {"x-api-key": profile["api_key"], "content-type": "application/json"}
for first in range(0, count, 50):
    orders = [{"amount": 100, "reference": f"{sys.argv[4]} {first + at}"} for at in range(50)]
    body = json.dumps({"transfers": orders, "wait_ms": 30_000}).encode()
    answer = json.load(urllib.request.urlopen(urllib.request.Request(url, body, headers)))
    for one in answer["transfers"]:
        assert one.get("transfer", {}).get("standing") == "confirmed", one
PYTHON
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
    ICN_CREDIT_ANCHOR_AFTER_SECS=2 ip netns exec "$name" "$bin/icn-node" --data-dir "$dir/$name" --genesis "$dir/genesis.json" \
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

traded=$(line bakery dairy)
ring=("$(line dairy mill)" "$(line mill bakery)")
met "$traded" bakery dairy
met "${ring[0]}" dairy mill
met "${ring[1]}" mill bakery
cli dairy credit pay "${ring[0]}" 50 --wait 20 >/dev/null
cli mill credit pay "${ring[1]}" 50 --wait 20 >/dev/null

for name in mill orchard; do ip link set "to-$name" master apart; done
sleep 3
before=$(highest)
echo "cut two from two for $outage s at height $before"
sleep "$outage"
# By turns, so that what is owed stays within the limit: 600 by one, 400 by the other.
for turn in one two; do trade bakery "$traded" 300 $turn && trade dairy "$traded" 200 $turn; done
echo "two that are cut off have traded 1,000 transfers"
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
for _ in $(seq 600); do
    roots=$(for name in "${names[@]}"; do
        cli "$name" --json mana verify | python3 -c 'import json,sys; print(json.load(sys.stdin)["nodes"][0]["root"])' 2>/dev/null || true
    done | sort -u | wc -l)
    [ "$roots" = 1 ] && break
    sleep 0.1
done
[ "$roots" = 1 ] || { echo "the nodes do not agree on the accounts" >&2 && exit 1; }
echo "all four agree on the accounts"
for name in "${names[@]}"; do
    for _ in $(seq 400); do
        position=$(cli "$name" --json credit show "$traded" | field 'it["position"]')
        planned=$(cli "$name" --json clearing plan | field '(it["units"] or [{"figures": {"cleared": 0}}])[0]["figures"]["cleared"]')
        [ "$position $planned" = "20000 15000" ] && break
        sleep 0.2
    done
    [ "$position $planned" = "20000 15000" ] || { echo "$name: $position is owed, $planned would be cleared" >&2 && exit 1; }
done
for name in bakery dairy; do cli "$name" credit verify "$traded" >/dev/null; done
echo "what they traded is anchored on all four: 200.00 EUR owed, and a round would clear 150.00 EUR"
python3 -c "import sys; sys.exit($took > 10)" || { echo "healing took longer than 10 s" >&2 && exit 1; }
