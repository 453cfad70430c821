//! What the network counts. Plain atomics: whoever exports metrics reads [`Counters::values`].
use crate::class::Class;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the counters once, as atomics and as plain values.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// Counters since the start of the network.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub(crate) $name: Counter,)+
        }

        /// Values of [`Counters`] at one moment. The fields are read one after the other.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct CounterValues {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Reads every counter.
            pub fn values(&self) -> CounterValues {
                CounterValues { $($name: self.$name.get(),)+ }
            }
        }

        impl CounterValues {
            /// Every counter with its name, in the order of declaration.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Frames written to urgent streams.
    urgent_out_messages,
    /// Bytes of those frames, without headers.
    urgent_out_bytes,
    /// Frames read from urgent streams.
    urgent_in_messages,
    /// Bytes of those frames.
    urgent_in_bytes,
    /// Frames written to bulk streams.
    bulk_out_messages,
    /// Bytes of those frames.
    bulk_out_bytes,
    /// Frames read from bulk streams.
    bulk_in_messages,
    /// Bytes of those frames.
    bulk_in_bytes,
    /// Frames dropped because a newer one needed the place in a queue to a peer.
    frames_dropped_out,
    /// Urgent frames dropped because their consumer was too slow.
    frames_dropped_in,
    /// Frames that broke the rules; each ended its stream.
    frames_invalid,
    /// Messages larger than the limit, refused before sending.
    messages_oversized,
    /// Connections established, either way.
    connections_opened,
    /// Connections closed, either way.
    connections_closed,
    /// Connections refused by a limit, a block or a foreign kind of key.
    connections_refused,
    /// Dials that reached nobody.
    dials_failed,
    /// Addresses that answered with another key than expected.
    wrong_keys,
    /// Streams of peers outside the tracked sets, refused.
    streams_refused,
    /// Gossip messages handed to at least one peer.
    gossip_published,
    /// Valid gossip messages received.
    gossip_received,
    /// Gossip messages that failed validation; each lowers the score of the peer that sent it.
    gossip_rejected,
    /// Gossip messages ignored by the validator or because the peer sent too many.
    gossip_ignored,
    /// Gossip messages waiting for a subscriber at the last attempt; the only value that also falls.
    gossip_queued,
    /// Gossip messages dropped: pushed out of a full queue, or a consumer was too slow.
    gossip_dropped,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        // Counters order nothing.
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: usize) {
        self.0.store(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn frame_out(&self, class: Class, bytes: usize) {
        let (messages, total) = match class {
            Class::Urgent => (&self.urgent_out_messages, &self.urgent_out_bytes),
            Class::Bulk => (&self.bulk_out_messages, &self.bulk_out_bytes),
        };
        messages.add(1);
        total.add(bytes);
    }

    pub(crate) fn frame_in(&self, class: Class, bytes: usize) {
        let (messages, total) = match class {
            Class::Urgent => (&self.urgent_in_messages, &self.urgent_in_bytes),
            Class::Bulk => (&self.bulk_in_messages, &self.bulk_in_bytes),
        };
        messages.add(1);
        total.add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_class() {
        let counters = Counters::default();
        counters.frame_out(Class::Bulk, 7);
        counters.frame_in(Class::Urgent, 3);
        counters.frame_in(Class::Urgent, 4);
        let values = counters.values();
        assert_eq!((values.bulk_out_messages, values.bulk_out_bytes), (1, 7));
        assert_eq!((values.urgent_in_messages, values.urgent_in_bytes), (2, 7));
        assert!(values.named().contains(&("urgent_in_bytes", 7)));
    }
}
