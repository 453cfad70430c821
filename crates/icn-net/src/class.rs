//! The two classes of consensus messages.

/// Each class has its own substream per direction, so that a block in flight never delays a vote:
/// the multiplexer interleaves substreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Votes, certificates, small requests. Arrivals that find their consumer's backlog full are dropped.
    Urgent,
    /// Blocks and backfill. A full backlog pushes back on the sender, whose own queue then drops.
    Bulk,
}

impl Class {
    pub(crate) const ALL: [Self; 2] = [Self::Urgent, Self::Bulk];
}
