//! The one transport: names resolved, TCP with a read deadline, Noise, Yamux.
pub(crate) mod deadline;
pub(crate) mod resolve;

use deadline::Deadline;
use libp2p::{
    PeerId, Transport as _,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    noise, tcp, yamux,
};
use resolve::Resolving;
use std::time::Duration;

/// Open substreams of one connection. A node uses about a dozen; a stranger gets no more than this.
const MAX_SUBSTREAMS: usize = 256;

/// `silence`: read deadline of a connection. `dial_timeout`: limit for connecting plus handshakes.
pub(crate) fn build(
    key: &Keypair,
    silence: Duration,
    dial_timeout: Duration,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let mut multiplex = yamux::Config::default();
    multiplex.set_max_num_streams(MAX_SUBSTREAMS);
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    Ok(Resolving::new(tcp)
        .map(move |io, _| Deadline::new(io, silence))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(multiplex)
        .timeout(dial_timeout)
        .boxed())
}
