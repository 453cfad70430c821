#!/bin/sh
# Builds the job modules, or says whether those that are checked in match their sources.
#
#   jobs/build.sh           build all, and record the hashes in jobs/MODULES
#   jobs/build.sh --check   compare sources and modules with jobs/MODULES; where the toolchain is the
#                           recorded one, also build again and compare the bytes. Changes nothing.
#
# Needs clang with a wasm32-wasi target (Debian: clang lld wasi-libc libclang-rt-dev-wasm32) for the C
# modules and cargo for those in WebAssembly text. --check compares hashes without either. Exit codes:
# 0 done, 1 a mismatch or a failed build, 2 usage.
set -eu

jobs=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$jobs")
clang=${CLANG:-clang}

c_jobs='word-frequencies mandelbrot checksum noop'
wat_jobs='endless-loop memory-bomb table-bomb output-flood stack-overflow unknown-import'

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# What decides the bytes of a C module besides its source: compiler and C library.
c_toolchain() {
    if ! command -v "$clang" >/dev/null 2>&1; then echo none; return; fi
    version=$("$clang" --version | sed -n 's/.*clang version \([^ ]*\).*/\1/p')
    library=
    for candidate in "$("$clang" --target=wasm32-wasi -print-file-name=libc.a 2>/dev/null)" \
        /usr/lib/wasm32-wasi/libc.a; do
        if [ -z "$library" ] && [ -f "$candidate" ]; then library=$candidate; fi
    done
    if [ -z "$library" ]; then echo none; return; fi
    echo "clang-$version+libc-$(sha256 "$library" | cut -c 1-12)"
}

# The assembler is a locked dependency of icn-sandbox.
wat_toolchain() {
    lock=$root/Cargo.lock
    version=
    if [ -f "$lock" ]; then version=$(sed -n '/^name = "wat"$/{n;s/version = "\(.*\)"/\1/p;}' "$lock" | head -n 1); fi
    if [ -n "$version" ] && command -v cargo >/dev/null 2>&1; then echo "wat-$version"; else echo none; fi
}

build_c() { # source module
    case $1 in
    */noop.c) flags='-nostdlib -Wl,-z,stack-size=1024' ;;
    *) flags= ;;
    esac
    # shellcheck disable=SC2086 # a list
    "$clang" --target=wasm32-wasi -std=c11 -Os -ffp-contract=off -Wall -Wextra -Werror \
        $flags -Wl,--strip-all -o "$2" "$1"
}

build_wat() { # source module
    # `cargo xtask test` has the assembler already; building it alone would build its engine a second time.
    if [ -n "${ICN_WAT-}" ]; then
        "$ICN_WAT" "$1" "$2"
    else
        (cd "$root" && cargo run --quiet --locked -p icn-sandbox --example wat -- "$1" "$2")
    fi
}

# Lines of "kind source module", paths relative to jobs/.
list() {
    for job in $c_jobs; do echo "c $job/$job.c $job/module.wasm"; done
    echo "wat memory-touch/memory-touch.wat memory-touch/module.wasm"
    for job in $wat_jobs; do echo "wat hostile/$job.wat hostile/$job.wasm"; done
    echo "copy hostile/garbage.txt hostile/garbage.wasm"
}

toolchain() { # kind
    case $1 in
    c) c_toolchain ;;
    wat) wat_toolchain ;;
    copy) echo copy ;;
    esac
}

build() { # kind source module
    case $1 in
    c) build_c "$2" "$3" ;;
    wat) build_wat "$2" "$3" ;;
    copy) cp "$2" "$3" ;;
    esac
    chmod 644 "$3"
}

build_all() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    {
        echo "# Written by build.sh: module, SHA-256 of its source, SHA-256 of the module, toolchain."
        list | while read -r kind source module; do
            build "$kind" "$jobs/$source" "$scratch/module" >&2
            cp "$scratch/module" "$jobs/$module"
            echo "$module $(sha256 "$jobs/$source") $(sha256 "$jobs/$module") $(toolchain "$kind")"
        done
    } >"$scratch/MODULES"
    # A build that failed half-way must not look recorded.
    [ "$(wc -l <"$scratch/MODULES")" -eq "$(($(list | wc -l) + 1))" ] || exit 1
    cp "$scratch/MODULES" "$jobs/MODULES"
    chmod 644 "$jobs/MODULES"
}

check_all() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    list | while read -r kind source module; do
        line=$(grep "^$module " "$jobs/MODULES") || { echo "$module: not in MODULES"; continue; }
        # shellcheck disable=SC2086 # four words
        set -- $line
        if [ "$(sha256 "$jobs/$source")" != "$2" ]; then
            echo "$module: $source has changed since it was built; run jobs/build.sh"
        elif [ "$(sha256 "$jobs/$module")" != "$3" ]; then
            echo "$module: not the module that was recorded; run jobs/build.sh"
        elif [ "$(toolchain "$kind")" != "$4" ]; then
            echo "$module: matches its record; built by $4, which is not here, so not built again" >&2
        elif ! build "$kind" "$jobs/$source" "$scratch/module" >&2; then
            echo "$module: does not build"
        elif ! cmp -s "$scratch/module" "$jobs/$module"; then
            echo "$module: $4 builds other bytes from $source"
        else
            echo "$module: matches its record, and builds again to the same bytes" >&2
        fi
    done >"$scratch/wrong"
    [ ! -s "$scratch/wrong" ] || { cat "$scratch/wrong" >&2; exit 1; }
}

case "${1-} $#" in
' 0') build_all ;;
'--check 1') check_all ;;
*)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac
