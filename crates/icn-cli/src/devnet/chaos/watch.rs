//! Looks at all nodes again and again: how high each is, and whether two ever had different roots at one height.
use crate::devnet::fleet::Fleet;
use icn_model::{Digest, Height};
use std::collections::{BTreeMap, BTreeSet};

/// Heights whose roots are kept to compare with.
const KEPT: usize = 4_096;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Who had which root first, by height.
    roots: BTreeMap<Height, (String, Digest)>,
    /// The highest that each node was seen at.
    heights: BTreeMap<usize, Height>,
    /// Nodes with a wrong root that is known of.
    liars: BTreeSet<usize>,
    told: BTreeSet<String>,
    /// What was wrong.
    pub(super) failures: Vec<String>,
}

impl Watch {
    /// Takes nodes for liars from now on, and no others.
    pub(super) fn suspect(&mut self, liars: impl IntoIterator<Item = usize>) {
        self.liars = liars.into_iter().collect();
    }

    /// Forgets how high a node was: it begins anew.
    pub(super) fn forget(&mut self, at: usize) {
        self.heights.remove(&at);
    }

    /// Asks all that run; those that do not answer count as they were.
    pub(super) fn look(&mut self, fleet: &Fleet) {
        let seen = fleet.ask_all(|client| {
            let federation = client.federation()?;
            Ok((federation.height, federation.root))
        });
        for (at, answer) in seen.into_iter().enumerate() {
            if let Some(Ok((height, root))) = answer {
                self.note(at, &fleet.nodes()[at].name, height, root);
            }
        }
        while self.roots.len() > KEPT {
            self.roots.pop_first();
        }
    }

    fn note(&mut self, at: usize, name: &str, height: Height, root: Digest) {
        let highest = self.heights.entry(at).or_default();
        if height < *highest {
            self.failures
                .push(format!("{name} was at height {highest}, and is at {height} now"));
        }
        *highest = (*highest).max(height);
        if self.liars.contains(&at) {
            return;
        }
        let (first, other) = self
            .roots
            .entry(height)
            .or_insert_with(|| (name.to_owned(), root));
        if *other != root && self.told.insert(name.to_owned()) {
            self.failures.push(format!(
                "{name} has root {root} at height {height}, where {first} has {other}: their states differ"
            ));
        }
    }

    /// The highest that any of these was seen at.
    pub(super) fn highest<'a>(&self, members: impl IntoIterator<Item = &'a usize>) -> Height {
        let heights = members.into_iter().filter_map(|at| self.heights.get(at));
        heights.max().copied().unwrap_or_default()
    }

    /// The highest of all.
    pub(super) fn top(&self) -> Height {
        self.heights.values().max().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_roots_and_lost_heights_are_noticed_once() {
        let mut watch = Watch::default();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        watch.note(0, "bakery", Height::new(5), one);
        watch.note(1, "dairy", Height::new(5), one);
        assert!(watch.failures.is_empty());
        watch.note(2, "mill", Height::new(5), other);
        watch.note(2, "mill", Height::new(5), other);
        assert_eq!(watch.failures.len(), 1);
        assert!(watch.failures[0].contains("mill has root") && watch.failures[0].contains("bakery"));
        watch.note(0, "bakery", Height::new(4), one);
        assert_eq!(watch.failures.len(), 2);
        assert_eq!(watch.highest(&[0, 1]), Height::new(5));
        watch.forget(0);
        watch.suspect([2]);
        watch.note(2, "mill", Height::new(6), other);
        watch.note(1, "dairy", Height::new(6), one);
        assert_eq!((watch.failures.len(), watch.top()), (2, Height::new(6)));
    }
}
