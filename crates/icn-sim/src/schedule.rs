//! What goes wrong and when: drawn from the seed, whatever the nodes do.
use crate::{
    config::{Config, Fault, millis},
    executor::Manner,
    weather::Weather,
};
use icn_model::Millis;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Sets the schedule's numbers apart from the runtime's and the workload's.
const STREAM: u64 = 0x5c4e_d01e;

/// Something that happens to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It dies.
    Kill(usize),
    /// It comes back.
    Start(usize),
    /// Its seat is to have another key.
    Rotate(usize),
}

/// Two nodes with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twins {
    /// Whose key.
    pub seat: usize,
    /// Whom the first talks to.
    pub left: Vec<usize>,
    /// Whom the second talks to.
    pub right: Vec<usize>,
    /// Whether everybody hears the votes of both.
    pub loud: bool,
}

/// A stretch of trouble. When it is over, everything is mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Episode {
    /// How long.
    pub lasts_ms: u64,
    /// One direction of a link, and how it behaves.
    pub links: BTreeMap<(usize, usize), Weather>,
    /// Executors that behave badly.
    pub manners: Vec<(usize, Manner)>,
    /// Two nodes with one key.
    pub twins: Option<Twins>,
    /// When what happens, in order.
    pub steps: Vec<(u64, Step)>,
    /// Nodes that are off at the end and stay off through the calm that follows.
    pub stay_off: BTreeSet<usize>,
    /// Whether the network falls apart.
    pub is_partition: bool,
    /// In words.
    pub what: Vec<String>,
}

impl Episode {
    /// Adds to the trouble of one direction of a link.
    fn worsen(&mut self, link: (usize, usize), weather: Weather) {
        let known = self.links.entry(link).or_insert(Weather::FAIR);
        *known = known.and(weather);
    }
}

/// Draws episodes.
pub struct Schedule {
    rng: StdRng,
    nodes: usize,
    tolerated: usize,
    kinds: Vec<Fault>,
    /// How long everything is well between troubles, in the mean.
    calm: Duration,
    /// Nodes whose seats have been given their other key.
    rotated: BTreeSet<usize>,
}

impl Schedule {
    /// For a run.
    pub fn new(config: &Config) -> Self {
        // With one node there are no links, with fewer than four no lie is tolerated.
        let possible = |fault: &Fault| match fault {
            Fault::Kills | Fault::Rotations => true,
            Fault::Partitions | Fault::Loss | Fault::Delay => config.nodes > 1,
            Fault::Equivocation => config.tolerated() > 0,
            Fault::Liars => config.nodes > 2,
        };
        Self {
            rng: StdRng::seed_from_u64(config.seed ^ STREAM),
            nodes: config.nodes,
            tolerated: config.tolerated(),
            kinds: config.faults.iter().filter(possible).collect(),
            calm: config.calm,
            rotated: BTreeSet::new(),
        }
    }

    /// How long everything is well before the next trouble.
    pub fn calm(&mut self) -> Millis {
        let half = millis(self.calm).get() / 2;
        Millis::new(self.rng.random_range(half..=3 * half))
    }

    /// Of buffered commits, how many the disk has when the power goes.
    pub fn kept(&mut self, buffered: usize) -> usize {
        self.rng.random_range(0..=buffered)
    }

    /// The next trouble, if there is any at all; `off` are the nodes that do not run.
    pub fn next(&mut self, off: &BTreeSet<usize>) -> Option<Episode> {
        if self.kinds.is_empty() {
            return None;
        }
        let mut kinds = self.kinds.clone();
        kinds.shuffle(&mut self.rng);
        let count = self.rng.random_range(1..=kinds.len().min(3));
        kinds.truncate(count);
        kinds.sort_unstable();
        let mut episode = Episode {
            lasts_ms: self.rng.random_range(5_000..40_000),
            ..Episode::default()
        };
        let mut healthy = self.tolerated.saturating_sub(off.len());
        let mut spared = off.clone();
        if kinds.contains(&Fault::Equivocation) && healthy > 0 {
            healthy -= 1;
            episode.lasts_ms = episode.lasts_ms.max(25_000);
            let twins = self.twins(off);
            spared.insert(twins.seat);
            episode.what.push(format!(
                "seat {} runs twice: {:?} and {:?}",
                twins.seat, twins.left, twins.right
            ));
            episode.twins = Some(twins);
        }
        for kind in kinds {
            match kind {
                Fault::Kills => self.kills(&mut episode, healthy, &spared),
                Fault::Partitions => self.partition(&mut episode),
                Fault::Loss | Fault::Delay => self.weather(&mut episode, kind),
                Fault::Liars => self.liar(&mut episode),
                Fault::Rotations => self.rotation(&mut episode, &spared),
                Fault::Equivocation => {}
            }
        }
        episode.steps.sort_by_key(|(at_ms, _)| *at_ms);
        Some(episode)
    }

    fn order(&mut self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.nodes).collect();
        order.shuffle(&mut self.rng);
        order
    }

    fn twins(&mut self, off: &BTreeSet<usize>) -> Twins {
        let mut others: Vec<_> = self.order().into_iter().filter(|at| !off.contains(at)).collect();
        let seat = others.pop().unwrap_or(0);
        let mut right = others.split_off(others.len() / 2);
        right.extend(off.iter().copied());
        Twins {
            seat,
            left: others,
            right,
            loud: self.rng.random_bool(0.5),
        }
    }

    /// At most `most` nodes die at a time; at times all do, for a power cut is nobody's lie.
    fn kills(&mut self, episode: &mut Episode, most: usize, spared: &BTreeSet<usize>) {
        let lasts_ms = episode.lasts_ms;
        if episode.twins.is_none() && self.rng.random_bool(0.15) {
            let at_ms = self.rng.random_range(0..lasts_ms / 2);
            for node in 0..self.nodes {
                let back_ms = at_ms + self.rng.random_range(200..lasts_ms / 2);
                episode
                    .steps
                    .extend([(at_ms, Step::Kill(node)), (back_ms, Step::Start(node))]);
            }
            episode.what.push("the power fails everywhere".into());
            return;
        }
        // Too few seats to spare one: then the log stands still until it is back.
        let most = if self.tolerated == 0 { 1 } else { most };
        let order = self.order();
        let victims = order.into_iter().filter(|node| !spared.contains(node));
        let count = if most == 0 {
            0
        } else {
            self.rng.random_range(1..=most)
        };
        let victims: Vec<_> = victims.take(count).collect();
        for node in &victims {
            let mut at_ms = self.rng.random_range(0..lasts_ms / 2);
            while at_ms < lasts_ms {
                let back_ms = at_ms + self.rng.random_range(200..15_000);
                episode.steps.push((at_ms, Step::Kill(*node)));
                if back_ms < lasts_ms {
                    episode.steps.push((back_ms, Step::Start(*node)));
                } else if self.tolerated > 0 && self.rng.random_bool(0.3) {
                    episode.stay_off.insert(*node);
                }
                at_ms = back_ms + self.rng.random_range(200..20_000);
            }
        }
        if !victims.is_empty() {
            episode.what.push(format!("nodes {victims:?} die"));
        }
    }

    /// Two or three groups, or a few single directions.
    fn partition(&mut self, episode: &mut Episode) {
        episode.is_partition = true;
        let pairs = pairs(self.nodes);
        if self.rng.random_bool(0.3) {
            let cut: Vec<_> = pairs.into_iter().filter(|_| self.rng.random_bool(0.3)).collect();
            episode
                .what
                .push(format!("{} directions of links fail", cut.len()));
            cut.into_iter()
                .for_each(|link| episode.worsen(link, Weather::CUT));
            return;
        }
        let groups = self.rng.random_range(2..=3_usize).min(self.nodes);
        let mut order = self.order();
        // Everybody of the first places is in a group of its own, so no group is empty.
        let group: Vec<_> = (0..self.nodes)
            .map(|place| {
                if place < groups {
                    place
                } else {
                    self.rng.random_range(0..groups)
                }
            })
            .collect();
        let of = |node: usize| {
            order
                .iter()
                .position(|other| *other == node)
                .map(|place| group[place])
        };
        let cut = pairs.into_iter().filter(|(from, to)| of(*from) != of(*to));
        cut.for_each(|link| episode.worsen(link, Weather::CUT));
        let mut parts = vec![Vec::new(); groups];
        for (place, node) in order.drain(..).enumerate() {
            parts[group[place]].push(node);
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        episode
            .what
            .push(format!("the network falls apart into {parts:?}"));
    }

    fn weather(&mut self, episode: &mut Episode, kind: Fault) {
        let share = self.rng.random_range(0.2..1.0);
        let mut touched = 0;
        for link in pairs(self.nodes) {
            if !self.rng.random_bool(share) {
                continue;
            }
            touched += 1;
            let weather = match kind {
                Fault::Loss => Weather {
                    arriving: self.rng.random_range(600..970),
                    ..Weather::FAIR
                },
                _ => {
                    let least = self.rng.random_range(50..700);
                    Weather {
                        delay_ms: (least, least + self.rng.random_range(10..400)),
                        ..Weather::FAIR
                    }
                }
            };
            episode.worsen(link, weather);
        }
        let how = if kind == Fault::Loss {
            "lose messages"
        } else {
            "are slow"
        };
        episode.what.push(format!("{touched} directions of links {how}"));
    }

    /// One seat that still has its first key gets the other; it may die or be cut off before its turn comes.
    fn rotation(&mut self, episode: &mut Episode, spared: &BTreeSet<usize>) {
        let order = self.order();
        let mut left = order
            .into_iter()
            .filter(|node| !spared.contains(node) && !self.rotated.contains(node));
        let Some(node) = left.next() else {
            return;
        };
        self.rotated.insert(node);
        let at_ms = self.rng.random_range(0..episode.lasts_ms);
        episode.steps.push((at_ms, Step::Rotate(node)));
        episode.what.push(format!("seat {node} is to have another key"));
    }

    fn liar(&mut self, episode: &mut Episode) {
        let node = self.rng.random_range(0..self.nodes);
        let manner = if self.rng.random_bool(0.5) {
            Manner::Lies
        } else {
            Manner::Slow
        };
        episode.manners.push((node, manner));
        let how = if manner == Manner::Lies {
            "lies about"
        } else {
            "is too slow with"
        };
        episode.what.push(format!("executor {node} {how} its jobs"));
    }
}

fn pairs(nodes: usize) -> Vec<(usize, usize)> {
    (0..nodes)
        .flat_map(|from| (0..nodes).filter(move |to| *to != from).map(move |to| (from, to)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Faults;
    use std::time::Duration;

    fn episodes(nodes: usize, seed: u64, faults: Faults) -> Vec<Episode> {
        let config = Config {
            faults,
            ..Config::new(seed, nodes, Duration::from_secs(600))
        };
        let mut schedule = Schedule::new(&config);
        let mut off = BTreeSet::new();
        std::iter::from_fn(|| {
            let episode = schedule.next(&off)?;
            off = episode.stay_off.clone();
            Some(episode)
        })
        .take(200)
        .collect()
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(episodes(4, 7, Faults::all()), episodes(4, 7, Faults::all()));
        assert_ne!(episodes(4, 7, Faults::all()), episodes(4, 8, Faults::all()));
        assert_eq!(episodes(4, 7, Faults::none()), []);
    }

    #[test]
    fn no_more_seats_are_faulty_at_once_than_are_tolerated() {
        for nodes in [1, 2, 3, 4, 7, 12] {
            let tolerated = Config::new(1, nodes, Duration::from_secs(60)).tolerated();
            let mut before = BTreeSet::new();
            for episode in episodes(nodes, 3, Faults::all()) {
                let killed: BTreeSet<_> = episode
                    .steps
                    .iter()
                    .filter_map(|(_, step)| match step {
                        Step::Kill(at) | Step::Start(at) => Some(*at),
                        Step::Rotate(_) => None,
                    })
                    .collect();
                let is_power_cut = killed.len() == nodes;
                let faulty =
                    killed.len() + usize::from(episode.twins.is_some()) + before.difference(&killed).count();
                assert!(is_power_cut || faulty <= tolerated.max(1), "{nodes}: {episode:?}");
                assert!(
                    !is_power_cut || episode.twins.is_none() || nodes == 1,
                    "{episode:?}"
                );
                assert!(episode.stay_off.len() <= tolerated, "{episode:?}");
                if let Some(twins) = &episode.twins {
                    assert!(!killed.contains(&twins.seat) && !before.contains(&twins.seat));
                    assert_eq!(twins.left.len() + twins.right.len() + 1, nodes);
                }
                before = episode.stay_off;
            }
        }
    }

    #[test]
    fn every_kind_comes_up_and_is_in_order() {
        let episodes = episodes(7, 1, Faults::all());
        assert!(episodes.iter().any(|episode| episode.twins.is_some()));
        assert!(episodes.iter().any(|episode| episode.is_partition));
        assert!(episodes.iter().any(|episode| !episode.stay_off.is_empty()));
        assert!(episodes.iter().any(|episode| !episode.manners.is_empty()));
        for episode in &episodes {
            assert!(episode.steps.is_sorted_by_key(|(at_ms, _)| *at_ms));
            assert!(!episode.what.is_empty() || episode.steps.is_empty());
            assert!(
                episode
                    .links
                    .keys()
                    .all(|(from, to)| from != to && from.max(to) < &7)
            );
        }
    }
}
