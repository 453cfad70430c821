#!/usr/bin/env bash
# Looks at the page of the Federation Service with a real browser, by keyboard, with axe-core, and without scripts.
#
#   scripts/federation_page_test.sh [--bin DIR] [--out DIR] [--assets DIR]
#
# DIR of --bin holds icn-federation (target/debug). Screenshots go to --out, if it is said. --assets serves style and script
# from a directory (crates/icn-federation/assets) instead of those in the binary, to try a change without building.
#
# Holds if all that scripts/federation_page_test.mjs lists does. Needs node (20 or newer), npm, and chromium (Debian: nodejs,
# npm, chromium; CHROMIUM names another). axe-core and puppeteer-core come from the npm registry into a temporary folder,
# unless PAGE_TEST_MODULES names a folder whose node_modules has them. Takes about a minute. Ends its own processes, whatever
# happens.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=target/debug
out=
assets=
while [ $# -gt 0 ]; do
    case "$1" in
    --bin) bin=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    --assets) assets=$2 && shift 2 ;;
    *) echo "usage: $0 [--bin DIR] [--out DIR] [--assets DIR]" >&2 && exit 2 ;;
    esac
done
export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
for program in node npm "$CHROMIUM"; do
    command -v "$program" >/dev/null || { echo "$program is missing: install nodejs, npm and chromium" >&2 && exit 1; }
done
[ -x "$bin/icn-federation" ] || { echo "$bin/icn-federation is missing: cargo build -p icn-federation" >&2 && exit 1; }

work=$(mktemp -d)
services=()
clean_up() {
    for service in "${services[@]}"; do kill "$service" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap clean_up EXIT

modules=${PAGE_TEST_MODULES:-}
if [ -z "$modules" ]; then
    modules=$work/npm
    mkdir "$modules"
    npm install --prefix "$modules" --no-audit --no-fund --ignore-scripts --silent axe-core@4 puppeteer-core@24 || {
        echo "axe-core and puppeteer-core could not be had from the npm registry: set PAGE_TEST_MODULES" >&2
        exit 1
    }
fi

key=page-test-key
# start NAME PUBLIC: a service with a database of its own. Its address is then in $url.
start() {
    : >"$work/$1.log"
    FEDERATION_API_KEYS="[\"$key\"]" FEDERATION_PAGE_PUBLIC=$2 FEDERATION_PAGE_TITLE='Page test' \
        HEARTBEAT_STALE_THRESHOLD_SECONDS=15 \
        "$bin/icn-federation" --data-dir "$work/$1" --port 0 >>"$work/$1.log" 2>&1 &
    services+=($!)
    url=
    for _ in $(seq 1200); do
        url=$(sed -n 's/^listening on //p' "$work/$1.log")
        [ -z "$url" ] || return 0
        sleep 0.1
    done
    cat "$work/$1.log" >&2
    echo "the service does not say where it listens" >&2
    exit 1
}
start private false && private=$url
start public true && public=$url

result=0
PAGE_TEST_MODULES=$(cd "$modules" && pwd) PRIVATE=$private PUBLIC=$public KEY=$key OUT=$out ASSETS=$assets \
    node scripts/federation_page_test.mjs || result=$?
if grep -q "ERROR\|a handler panicked" "$work"/*.log; then
    grep "ERROR\|a handler panicked" "$work"/*.log >&2
    result=1
fi
exit "$result"
