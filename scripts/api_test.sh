#!/usr/bin/env bash
# Sends a node, or the Federation Service, requests that its OpenAPI document allows, and some that it does not, and fails
# on answers that the document does not know and on those that are the server's own fault (5xx).
#
#   scripts/api_test.sh [--program icn-node|icn-federation] [--seconds N] [--bin DIR]
#
# N is 60 if nothing says; DIR holds the program (target/debug). Schemathesis comes from PyPI into a temporary folder,
# unless SCHEMATHESIS names one that is there.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=60
bin=target/debug
program=icn-node
while [ $# -gt 0 ]; do
    case "$1" in
    --seconds) seconds=$2 && shift 2 ;;
    --bin) bin=$2 && shift 2 ;;
    --program) program=$2 && shift 2 ;;
    *) echo "usage: $0 [--program NAME] [--seconds N] [--bin DIR]" >&2 && exit 2 ;;
    esac
done

work=$(mktemp -d)
node=
clean_up() {
    [ -z "$node" ] || kill "$node" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

schemathesis=${SCHEMATHESIS:-}
if [ -z "$schemathesis" ]; then
    python3 -m venv "$work/python" || {
        echo "python3 has no venv: install python3-venv, or set SCHEMATHESIS to the program" >&2
        exit 1
    }
    "$work/python/bin/pip" install --quiet 'schemathesis>=4.32,<5'
    schemathesis=$work/python/bin/schemathesis
fi

key=dev-key-123
rest=()
if [ "$program" = icn-federation ]; then
    # Its stream has no other form than events without an end.
    rest=(--exclude-path /api/fed/watch)
    FEDERATION_API_KEYS="[\"$key\"]" "$bin/$program" --data-dir "$work/data" --port 0 >"$work/out" 2>"$work/log" &
else
    "$bin/icn-node" --test-mode --http-listen-addr 127.0.0.1:0 >"$work/out" 2>"$work/log" &
fi
node=$!
url=
for _ in $(seq 1200); do
    url=$(awk '$1 == "http" { print $2 } $1 == "listening" { print $3 }' "$work/out")
    [ -z "$url" ] || break
    kill -0 "$node" 2>/dev/null || { cat "$work/log" >&2 && exit 1; }
    sleep 0.1
done
[ -n "$url" ] || { echo "$program does not say where it listens" >&2 && exit 1; }

# Streams of events have no end; keys that the run makes are never used.
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
checks=$checks,response_headers_conformance,unsupported_method
# It leaves files where it runs. A caller can make a node wait for a minute.
(cd "$work" && "$schemathesis" run "$url/openapi.json" --max-time "$seconds" --checks "$checks" --no-color \
    --header "x-api-key: $key" --request-timeout 90 --continue-on-failure \
    "${rest[@]}")
kill -0 "$node" 2>/dev/null || { echo "$program has ended" >&2 && tail -20 "$work/log" >&2 && exit 1; }
if grep -q "a handler panicked" "$work/log"; then
    grep "a handler panicked" "$work/log" >&2
    exit 1
fi
