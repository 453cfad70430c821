//! `icn-node` with test hooks: a node that can be told to go wrong, to see what the others and it make of that.
#[path = "../main.rs"]
mod node;

fn main() -> std::process::ExitCode {
    node::main()
}
