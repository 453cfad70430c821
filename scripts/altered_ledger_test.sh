#!/usr/bin/env bash
# Checks that the load test can fail: one of four nodes alters an account in its ledger.
#
#   scripts/altered_ledger_test.sh [--bin DIR]
#
# Holds if scripts/load_test.sh fails, and says which node it was and why: its own root against the one in the block; and if
# the other three go on and agree. DIR holds the built programs, icn-node-test-hooks among them; without, they are built.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/devnet.sh"

given=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --bin) needs_value "$1" $# && given=(--bin "$2") && shift 2 ;;
    *) refuse "there is no option $1" ;;
    esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { cat "$work/err" >&2 && echo "FAIL $1" >&2 && exit 1; }
code=0
attend "$root/scripts/load_test.sh" "${given[@]}" --nodes 4 --duration 30s --concurrent-jobs 12 --work "$work/federation" \
    --alter-ledger dairy@30 --metrics-output "$work/figures.json" >"$work/out" 2>"$work/err" || code=$?
[ "$code" = 1 ] || fail "the load test ended with $code, and one of its nodes had altered its ledger"
found=$(grep -E '^FAIL dairy: its log has ended: .*its state has diverged' "$work/err") ||
    fail "the load test does not say that dairy's state has diverged"
[ "$(grep -oE '[0-9a-f]{64}' <<<"$found" | sort -u | wc -l)" = 2 ] || fail "it does not say both roots"
python3 - "$work/figures.json" <<'PYTHON' || fail "the other three did not go on, or do not agree"
import json, sys

figures = json.load(open(sys.argv[1]))
others = [node for node in figures["verdict"]["nodes"] if node["name"] != "dairy"]
assert not figures["passed"]
assert all(node["height"] > 30 and node["mana"] == "holds" for node in others), others
assert len({node["root"] for node in others}) == 1, others
PYTHON
echo "$found"
echo "the load test fails when a node alters its ledger, and names it with both roots; the other three go on and agree"
