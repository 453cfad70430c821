# What developers do daily, as `just` runs it: `just --list`. Everything here is a cargo command that can be typed as well.

# What there is.
default:
    @just --list

# Says what this machine lacks, and fetches everything that a build needs.
setup:
    sh scripts/setup.sh
    cargo fetch --locked

# The node, the command line and the Federation Service.
build:
    cargo build --package icn-node --package icn-cli
    cargo build --package icn-federation

# The same as they ship.
release:
    cargo build --release --package icn-node --package icn-cli
    cargo build --release --package icn-federation

# All tests: federations of real processes and simulated ones.
test *args:
    cargo xtask test {{ args }}

# Formatting, clippy, and the dependency rules.
lint:
    cargo xtask lint

# Formats the sources.
fmt:
    cargo fmt --all

# A federation of four at work on this machine.
demo:
    cargo xtask demo

# A node in memory, to try things out.
node *args:
    cargo run --package icn-node -- --test-mode {{ args }}

# A federation of processes on this machine: `just devnet up --seats 4`, `just devnet down`.
devnet *args:
    cargo run --package icn-cli -- devnet {{ args }}

# 500 simulated federations of ten minutes.
sim *args:
    cargo xtask sim {{ args }}

# Checks everything below deploy/, and the compose files, without a cluster.
deployment *args:
    scripts/deployment_test.py {{ args }}

# The image of the node.
image tag="icn-node":
    docker build --tag {{ tag }} .

# The programs with their papers and a Debian package, in one archive.
dist:
    cargo xtask dist
