#!/bin/sh
# Makes the keys of three nodes and the genesis of their federation, if there is none yet. Runs in the container `founding`.
#
#   found.sh [A B C FEDERATION]
#
# A, B and C are the nodes' data directories, FEDERATION is where genesis.json goes.
set -eu
a=${1:-/var/lib/icn} b=${2:-/nodes/b} c=${3:-/nodes/c} federation=${4:-/federation}

[ ! -e "$federation/genesis.json" ] || exit 0
set --
for node in "a $a" "b $b" "c $c"; do
    key="${node#? }/node.key"
    [ -e "$key" ] || icn-cli --quiet key new "$key" >/dev/null
    did=$(icn-cli key show "$key" | awk '$1 == "identity" { print $2 }')
    set -- "$@" --founder "node-${node%% *}=$did"
done
icn-cli --quiet federation create devnet "$@" --parameters devnet --output "$federation/genesis.json.new" >/dev/null
# New volumes are root's, and so is who runs this in the container; the nodes are not.
[ "$(id -u)" != 0 ] || chown -R 1000:1000 "$a" "$b" "$c"
chmod 644 "$federation/genesis.json.new"
mv "$federation/genesis.json.new" "$federation/genesis.json"
