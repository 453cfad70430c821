//! Ports for the federations that test programs start side by side.
use std::net::TcpListener;

/// As many as a devnet reaches over, and some for nodes that join it.
const SIZE: u16 = 400;
const FIRST: u16 = 10_000;
/// From here on, systems give ports to connections that leave: one would have a node's while that is down.
const END: u16 = 16_000;

/// Ports in a row that no other test has, also while no node listens on them.
pub(crate) struct Ports {
    pub(crate) base: u16,
    /// Whoever listens on the last one has them all.
    _last: TcpListener,
}

impl Ports {
    pub(crate) fn take() -> Self {
        (FIRST..END)
            .step_by(usize::from(SIZE))
            .find_map(|base| {
                let last = base + SIZE - 1;
                let held = listen(last)?;
                let free = (base..last).all(|port| listen(port).is_some());
                free.then_some(Self { base, _last: held })
            })
            .unwrap_or_else(|| panic!("no {SIZE} ports in a row are free between {FIRST} and {END}"))
    }
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).ok()
}
