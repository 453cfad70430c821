//! A stream of choices: bytes that proptest makes and shortens, so that a failing program becomes small.

pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte; 0, which everywhere means the simplest, when there are none left.
    pub(crate) fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub(crate) fn number(&mut self) -> i64 {
        const EDGES: [i64; 12] = [
            0,
            1,
            -1,
            2,
            3,
            -7,
            100,
            1_000_000,
            i64::MAX,
            i64::MIN,
            i64::MAX / 2 + 1,
            1 << 32,
        ];
        match self.below(4) {
            0 | 1 => EDGES[self.below(8)],
            2 => i64::from(i8::from_le_bytes([self.byte()])),
            _ => EDGES[self.below(EDGES.len())],
        }
    }

    pub(crate) fn text(&mut self) -> String {
        const WORDS: [&str; 8] = [
            "",
            "a",
            "ab",
            "abc",
            "b",
            "größer",
            "a longer text of some sixty-four bytes, or even of a few more",
            "z",
        ];
        WORDS[self.below(WORDS.len())].to_owned()
    }
}
