#!/bin/sh
# Says what this machine lacks to build and to test, with the Debian package that has it. Changes nothing.
#
#   scripts/setup.sh
#
# Fails if what a build needs is missing; what only some tests need is said, and no more.
set -eu
cd "$(dirname "$0")/.."
missing=0
need() { # program, where it comes from
    command -v "$1" >/dev/null && return
    echo "missing: $1 ($2)" >&2
    missing=1
}
useful() { # program, Debian package, what for
    command -v "$1" >/dev/null || echo "not here: $1 (apt-get install $2), for $3"
}

need cargo "https://rustup.rs"
need cc "apt-get install build-essential"
if command -v rustc >/dev/null; then
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    have=$(rustc --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "rustc is $have, and $wanted is needed: rustup update" >&2
        missing=1
    fi
fi
# Debian keeps PostgreSQL's programs out of PATH.
ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || useful pg_ctl postgresql "the tests of that storage backend"
useful ip iproute2 "federations that are cut"
useful nats-server nats-server "the tests of the Federation Service"
useful prometheus prometheus "the tests of dashboards and alerts"
useful chromium chromium "the test of the Federation Service's page"
useful npm npm "the test of the Federation Service's page"
useful haproxy haproxy "scripts/proxy_test.py"
useful nginx nginx-light "scripts/proxy_test.py"
useful debootstrap debootstrap "scripts/systemd_test.sh and scripts/dockerfile_test.sh"
useful systemd-nspawn systemd-container "scripts/systemd_test.sh"
useful shellcheck shellcheck "scripts/deployment_test.py"
exit $missing
