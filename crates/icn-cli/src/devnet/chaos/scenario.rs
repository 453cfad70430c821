//! What can be done to a federation, to whom, and what is to be expected meanwhile.
use crate::devnet::load::next;
use clap::ValueEnum;
use icn_api::node::NetworkStatus;
use serde::Serialize;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(super) enum Scenario {
    /// Some are cut off from the others.
    NetworkPartition,
    /// Some are killed (SIGKILL), and started again.
    NodeFailure,
    /// Some have a disk that takes long to write.
    SlowDisk,
    /// Some have a disk with no room left.
    FullDisk,
    /// Some have a clock that is wrong.
    ClockSkew,
    /// Some compute something else than the others.
    Byzantine,
    /// Packets are lost between all.
    PacketLoss,
    /// Each of these, with a federation of its own.
    All,
}

impl Scenario {
    /// Everything that `all` stands for.
    pub(super) const EACH: [Self; 7] = [
        Self::NetworkPartition,
        Self::NodeFailure,
        Self::SlowDisk,
        Self::FullDisk,
        Self::ClockSkew,
        Self::PacketLoss,
        Self::Byzantine,
    ];

    /// The name on the command line and in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NetworkPartition => "network_partition",
            Self::NodeFailure => "node_failure",
            Self::SlowDisk => "slow_disk",
            Self::FullDisk => "full_disk",
            Self::ClockSkew => "clock_skew",
            Self::Byzantine => "byzantine",
            Self::PacketLoss => "packet_loss",
            Self::All => "all",
        }
    }

    /// Whether nodes need hosts of their own for it.
    pub(super) const fn needs_hosts(self) -> bool {
        matches!(self, Self::NetworkPartition | Self::PacketLoss | Self::FullDisk)
    }

    /// Whether nodes have to be started for it in a way of their own.
    pub(super) const fn needs_own_nodes(self) -> bool {
        matches!(self, Self::SlowDisk | Self::ClockSkew | Self::FullDisk)
    }

    /// Whether nodes need the library of faults.
    pub(super) const fn needs_library(self) -> bool {
        matches!(self, Self::SlowDisk | Self::ClockSkew)
    }
}

/// What is to be expected of nodes while something is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// They are enough, and order blocks.
    GoOn,
    /// They are too few, and order nothing.
    StandStill,
    /// Nothing in particular.
    Anything,
}

/// Nodes that hear each other, by their places, and what is to be expected of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) members: Vec<usize>,
    pub(super) expect: Expect,
}

/// How many of `seats` have to agree.
pub(super) fn quorum(seats: usize) -> usize {
    let seats = u32::try_from(seats).unwrap_or(u32::MAX);
    usize::try_from(NetworkStatus::quorum_of(seats)).unwrap_or(usize::MAX)
}

/// How many of `seats` may be lost.
pub(super) fn spare(seats: usize) -> usize {
    seats.saturating_sub(quorum(seats))
}

/// All places in an order by chance.
pub(super) fn shuffled(seats: usize, random: &mut u64) -> Vec<usize> {
    let mut places: Vec<_> = (0..seats).collect();
    for at in (1..seats).rev() {
        let other = usize::try_from(next(random) % (at as u64 + 1)).unwrap_or_default();
        places.swap(at, other);
    }
    places
}

/// So many of a hundred of `seats`, rounded up, at least one.
pub(super) fn share(seats: usize, percent: u32) -> usize {
    let percent = usize::try_from(percent).unwrap_or(100);
    (seats * percent).div_ceil(100).clamp(1, seats)
}

/// Divides places into sides of the sizes that are asked for; without any, as few as can be lost are cut off.
pub(super) fn sides(order: &[usize], split: &[usize]) -> Vec<Side> {
    let seats = order.len();
    let few = spare(seats).max(1);
    let default = [seats - few, few];
    let sizes = if split.is_empty() { &default[..] } else { split };
    let mut rest = order;
    let mut sides = Vec::new();
    for size in sizes {
        let (members, others) = rest.split_at((*size).min(rest.len()));
        rest = others;
        let expect = if members.len() >= quorum(seats) {
            Expect::GoOn
        } else {
            Expect::StandStill
        };
        sides.push(Side {
            members: members.to_vec(),
            expect,
        });
    }
    sides
}

/// Reads `20%`, or `20`.
pub(super) fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let wrong = || format!("{text:?} is not a share like 20%");
    let percent: u32 = number.trim().parse().map_err(|_| wrong())?;
    if (1..=100).contains(&percent) {
        Ok(percent)
    } else {
        Err(wrong())
    }
}

/// Reads `5,3`, or `5|3`.
pub(super) fn split(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("{text:?} is not a split like 6,2");
    let sizes: Vec<usize> = text
        .split([',', '|'])
        .map(|size| size.trim().parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    if sizes.len() >= 2 && sizes.iter().all(|size| *size > 0) {
        Ok(sizes)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_are_cut_off_as_can_be_lost() {
        for (seats, sizes) in [(4, [3, 1]), (8, [6, 2]), (12, [9, 3])] {
            let order: Vec<_> = (0..seats).collect();
            let sides = sides(&order, &[]);
            assert_eq!([sides[0].members.len(), sides[1].members.len()], sizes);
            assert_eq!(
                [sides[0].expect, sides[1].expect],
                [Expect::GoOn, Expect::StandStill]
            );
        }
        // Where none can be lost, one is.
        assert_eq!(sides(&[0, 1, 2], &[])[0].expect, Expect::StandStill);
    }

    #[test]
    fn five_of_eight_order_nothing() {
        let order: Vec<_> = (0..8).collect();
        for split in [[5, 3], [4, 4]] {
            let sides = sides(&order, &split);
            assert!(sides.iter().all(|side| side.expect == Expect::StandStill));
        }
    }

    #[test]
    fn shares_and_splits_are_read() {
        assert_eq!(percent("20%"), Ok(20));
        assert_eq!(percent("5"), Ok(5));
        assert_eq!(split("6,2"), Ok(vec![6, 2]));
        assert_eq!(split("2|1|1"), Ok(vec![2, 1, 1]));
        for text in ["", "0%", "101", "x", "-1"] {
            assert!(percent(text).is_err(), "{text}");
        }
        for text in ["", "8", "8,0", "a,b"] {
            assert!(split(text).is_err(), "{text}");
        }
        assert_eq!(
            [share(8, 20), share(4, 20), share(12, 20), share(4, 100)],
            [2, 1, 3, 4]
        );
    }

    #[test]
    fn an_order_by_chance_has_everybody_once() {
        let mut random = 7;
        let mut order = shuffled(12, &mut random);
        assert_ne!(order, shuffled(12, &mut random));
        order.sort_unstable();
        assert_eq!(order, (0..12).collect::<Vec<_>>());
    }
}
