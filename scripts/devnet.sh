# What the scripts that run federations share: finding or building the programs, and ending what they started. Not run by
# itself: the scripts read it.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)

# Says what is wrong with the command line, and ends with 2.
refuse() {
    echo "$(basename "$0"): $1" >&2
    echo "$(basename "$0") --help says what there is" >&2
    exit 2
}

# needs_value OPTION COUNT: refuses an option at the end of the command line.
needs_value() { [ "$2" -gt 1 ] || refuse "$1 needs a value"; }

# The comment at the head of a script.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# programs DIR: sets `bin` to DIR, or builds the programs if it is empty.
programs() {
    if [ -n "$1" ]; then
        bin=$(cd "$1" 2>/dev/null && pwd) || refuse "there is no directory $1"
    else
        (cd "$root" && cargo build --package icn-node --package icn-cli) || exit 1
        bin=${CARGO_TARGET_DIR:-$root/target}/debug
    fi
    for program in icn-node icn-cli; do
        [ -x "$bin/$program" ] || { echo "$bin/$program is missing: cargo build -p icn-node -p icn-cli" >&2 && exit 1; }
    done
}

# Runs a command that is told to end when this script is, and waits for it either way.
attend() {
    local code=0 child
    "$@" &
    child=$!
    trap 'kill -TERM $child 2>/dev/null || true' INT TERM HUP
    wait $child || code=$?
    # A signal ends the wait, not the command.
    while kill -0 $child 2>/dev/null; do
        code=0
        wait $child || code=$?
    done
    trap - INT TERM HUP
    return $code
}

# runs DIR: whether any node of the devnet in DIR runs.
runs() {
    local nodes
    # It fails where one does not.
    nodes=$("$bin/icn-cli" --quiet --json devnet status --dir "$1" 2>/dev/null) || true
    case ${nodes//[[:space:]]/} in *'"running":true'*) ;; *) return 1 ;; esac
}

# test_hooks DIR: sees to it that `bin` holds the node that can be told to go wrong, and builds it if DIR is empty.
test_hooks() {
    if [ -z "$1" ]; then
        (cd "$root" && cargo build --package icn-node --features test-hooks --bin icn-node-test-hooks) || exit 1
    fi
    [ -x "$bin/icn-node-test-hooks" ] || {
        echo "$bin/icn-node-test-hooks is missing, a node that goes wrong when it is told to:" >&2
        echo "cargo build -p icn-node --features test-hooks --bin icn-node-test-hooks" >&2
        exit 1
    }
}
