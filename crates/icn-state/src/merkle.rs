//! The Merkle root over all records, against which a snapshot of the state is checked.
//!
//! The tree is that of RFC 6962 (section 2.1) over SHA-256: leaves are hashed with a 0 before, nodes with a
//! 1, and a tree of n leaves splits at the largest power of two below n. A leaf is the length of the key in
//! four bytes, big-endian, the key, and the value. It makes no proofs: a snapshot is checked as a whole.
use alloc::vec::Vec;
use icn_model::Digest;

/// Builds the root of leaves that come in order, in memory logarithmic in their number.
#[derive(Default)]
pub struct MerkleTree {
    /// Roots of complete subtrees, the largest first, with their heights.
    subtrees: Vec<(u32, Digest)>,
}

impl MerkleTree {
    /// Appends a record.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut height = 0;
        let mut hash = Digest::of_parts(&[&[0], &key_len, key, value]);
        while let Some((_, left)) = self.subtrees.pop_if(|(other, _)| *other == height) {
            hash = node(&left, &hash);
            height += 1;
        }
        self.subtrees.push((height, hash));
    }

    /// The root; the hash of nothing if there was no record.
    pub fn root(&self) -> Digest {
        let mut roots = self.subtrees.iter().rev().map(|(_, hash)| *hash);
        match roots.next() {
            Some(last) => roots.fold(last, |right, left| node(&left, &right)),
            None => Digest::of(&[]),
        }
    }
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962, word by word.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition_for_every_size() {
        let mut tree = MerkleTree::default();
        let mut leaves = Vec::new();
        assert_eq!(tree.root(), by_definition(&leaves));
        for at in 0..70_u8 {
            tree.push(&[at], b"value");
            leaves.push(Digest::of_parts(&[&[0, 0, 0, 0, 1, at], b"value"]));
            assert_eq!(tree.root(), by_definition(&leaves), "{} leaves", leaves.len());
        }
    }
}
