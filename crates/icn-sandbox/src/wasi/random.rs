//! The random bytes of a run: a fixed function of the job's seed.
//!
//! The stream is the concatenation, for i = 0, 1, 2, …, of SHA-256("icn-wasip1/1 random" ‖ seed ‖ i)
//! with i as eight bytes, little-endian; each call takes the bytes that follow the last one's. It is
//! unpredictable to those who do not know the seed, and the seed of a job is public: never a source
//! of keys.

use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"icn-wasip1/1 random";

#[derive(Debug)]
pub(crate) struct Random {
    seed: [u8; 32],
    next_block: u64,
    block: [u8; 32],
    /// Bytes of `block` that are used up.
    used: usize,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            next_block: 0,
            block: [0; 32],
            used: 32,
        }
    }

    /// Fills `out` with the next bytes of the stream.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.used == self.block.len() {
                let hash = Sha256::new()
                    .chain_update(DOMAIN)
                    .chain_update(self.seed)
                    .chain_update(self.next_block.to_le_bytes());
                self.block = hash.finalize().into();
                self.next_block = self.next_block.wrapping_add(1);
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_documented_one_however_it_is_cut() {
        let seed = [7; 32];
        let mut expected = Vec::new();
        for i in 0..3_u64 {
            let mut text = b"icn-wasip1/1 random".to_vec();
            text.extend_from_slice(&seed);
            text.extend_from_slice(&i.to_le_bytes());
            expected.extend_from_slice(&Sha256::digest(&text));
        }
        let mut random = Random::new(seed);
        let mut out = vec![0; 96];
        let (first, rest) = out.split_at_mut(5);
        random.fill(first);
        random.fill(rest);
        assert_eq!(out, expected);
    }
}
