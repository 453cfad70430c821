//! Faults: the closed, numbered list of what another node can do wrong to this one.
//!
//! A refusal answers an operation and stands in the log; a fault is what one node sees another do. It is
//! counted, what was sent is dropped, and where the sender's signature proves it, it becomes an event. A
//! number, once given, keeps its meaning for ever: proposals (61x), votes (62x), messages (63x),
//! connections (64x).
use crate::Code;
use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! faults {
    ($( $number:literal $variant:ident $name:literal, $meaning:literal, $remedy:literal; )*) => {
        /// What a node did wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum Fault {
            $( #[doc = $meaning] $variant, )*
        }

        impl Fault {
            /// Every fault, in order of the numbers.
            pub const ALL: &[Self] = &[ $( Self::$variant, )* ];

            /// Number, name, meaning and remedy.
            pub const fn code(self) -> Code {
                match self {
                    $( Self::$variant =>
                        Code { number: $number, name: $name, meaning: $meaning, remedy: $remedy }, )*
                }
            }
        }
    };
}

faults! {
    611 ForeignBlock "foreign-block",
        "A seat proposed a block of another federation.",
        "Nobody voted for it. Ask who runs the seat which genesis its node has.";
    612 BlockTime "block-time",
        "A seat proposed a block whose time is not after its parent's.",
        "Nobody voted for it. Ask who runs the seat which version its node has.";
    613 BlockTooLarge "block-too-large",
        "A seat proposed a block with more operations than a block may hold.",
        "Nobody voted for it. Ask who runs the seat which version its node has.";
    614 RootOutOfRange "root-out-of-range",
        "A seat proposed a block that names the outcome of a height that is too old, or not before it.",
        "Nobody voted for it. The seat's node may have fallen behind: its operator should look at `icn-cli status`.";
    615 FalseRoot "false-root",
        "A seat proposed a block that names an outcome which this node did not compute.",
        "Nobody who computed otherwise votes for it. The seat's state is damaged, or it lies: its operator should restore it from its peers.";
    616 FalseStateRoot "false-state-root",
        "A seat proposed a block whose state root is wrong, missing or out of place.",
        "Nobody voted for it. The seat's state is damaged, or it lies: its operator should restore it from its peers.";
    617 UnsignedInBlock "unsigned-in-block",
        "A seat proposed a block with an operation that its author did not sign.",
        "Nobody voted for it. The seat's node does not check what it proposes, or it lies.";
    621 DoubleVote "double-vote",
        "A seat voted for two blocks in one view.",
        "Only a seat that lies, or one key on two machines, does so: stop the second, and let the seat rotate its key.";
    622 DoubleFinalize "double-finalize",
        "A seat voted to make two blocks final in one view.",
        "Only a seat that lies, or one key on two machines, does so: stop the second, and let the seat rotate its key.";
    623 SkipAndFinalize "skip-and-finalize",
        "A seat voted to skip a view, and to make its block final.",
        "Only a seat that lies, or one key on two machines, does so: stop the second, and let the seat rotate its key.";
    631 MalformedMessage "malformed-message",
        "A peer sent bytes that are no message of their channel.",
        "They were dropped. Compare the versions of both nodes.";
    632 BadlySignedOperation "badly-signed-operation",
        "A peer passed on an operation that its author did not sign.",
        "It was dropped. The peer does not check what it passes on, or it lies.";
    633 BadlySignedBid "badly-signed-bid",
        "A bid was not signed by its bidder.",
        "It was dropped.";
    634 WrongBlockBytes "wrong-block-bytes",
        "A peer answered a request for a block with other bytes.",
        "They were dropped, and another peer was asked. The peer's disk may be failing.";
    635 BrokenFrame "broken-frame",
        "A peer sent a frame that breaks the rules of its channel: too long, or for a channel that there is not.",
        "The stream was closed. Compare the versions of both nodes.";
    641 WrongKey "wrong-key",
        "An address answered with another key than expected.",
        "The connection was closed. Check the address and the peer id in `bootstrap_peers`.";
    642 Stranger "stranger",
        "A peer without a seat opened a channel of the seats.",
        "The channel was refused.";
    643 RefusedConnection "refused-connection",
        "A connection was over a limit, of a blocked peer, or of a kind of key that is not in use.",
        "It was refused. If the peer belongs here, raise `max_peers`.";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{REFUSAL_CODES, canonical};
    use alloc::vec::Vec;

    #[test]
    fn numbers_and_names_are_unique_and_in_order() {
        let codes: Vec<_> = Fault::ALL.iter().map(|fault| fault.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a.number < b.number));
        for (at, code) in codes.iter().enumerate() {
            let others = codes[..at].iter().chain(REFUSAL_CODES);
            assert!(
                others
                    .clone()
                    .all(|other| other.name != code.name && other.number != code.number),
                "{}",
                code.name
            );
            assert!(
                code.meaning.ends_with('.') && code.remedy.ends_with('.'),
                "{}",
                code.name
            );
        }
    }

    #[test]
    fn the_name_is_what_is_stored() {
        for fault in Fault::ALL {
            let bytes = canonical::to_bytes(fault);
            assert!(bytes.ends_with(fault.code().name.as_bytes()), "{fault}");
        }
    }
}
