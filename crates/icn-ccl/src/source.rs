//! Places in source files, and where imported files come from. Reads nothing itself.
use icn_model::Cid;

/// A range of bytes in one of the source files of a contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which file: 0 is the contract, the others are its imports in the order of [`Sources`].
    pub source: u16,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// Bits of a packed [`Span`] that an offset takes; files are smaller than two to this power.
const OFFSET_BITS: u32 = 20;

impl Span {
    /// From the first byte of `self` to the last of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            end: other.end.max(self.start),
            ..self
        }
    }

    /// The range of bytes.
    pub fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The span as one number, as compiled modules carry it.
    pub fn pack(self) -> i64 {
        i64::from(self.source) << (2 * OFFSET_BITS)
            | i64::from(self.start) << OFFSET_BITS
            | i64::from(self.end)
    }

    /// The span that `packed` stands for, if it can stand for one.
    pub fn unpack(packed: i64) -> Option<Self> {
        let mask = (1 << OFFSET_BITS) - 1;
        Some(Self {
            source: u16::try_from(packed >> (2 * OFFSET_BITS)).ok()?,
            start: u32::try_from(packed >> OFFSET_BITS & mask).ok()?,
            end: u32::try_from(packed & mask).ok()?,
        })
    }
}

/// One source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its content id, as raw bytes.
    pub cid: Cid,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A source file with this text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            cid: Cid::of_raw(text.as_bytes()),
            text,
        }
    }
}

/// The source files of a contract: itself, and what it imports.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub(crate) fn add(&mut self, source: Source) -> u16 {
        let index = u16::try_from(self.files.len()).expect("the checker bounds the files by MAX_MODULES");
        self.files.push(source);
        index
    }

    /// All files; the first is the contract.
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// The text that `span` covers.
    pub fn text(&self, span: Span) -> &str {
        let file = self.files.get(usize::from(span.source));
        file.and_then(|file| file.text.get(span.range()))
            .unwrap_or_default()
    }

    /// Line and column of the first byte of `span`, both from 1; the column counts characters.
    pub fn position(&self, span: Span) -> (usize, usize) {
        let text = self
            .files
            .get(usize::from(span.source))
            .map_or("", |file| &file.text);
        let before = text.get(..span.start as usize).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// Finds the text of imported modules. The caller supplies it: this crate does no IO.
pub trait Resolver {
    /// The text of the file that `cid` names, if it can be had. That it is what the id names is checked by
    /// the caller of this function.
    fn source(&self, cid: &Cid) -> Option<&str>;
}

/// A resolver that has no modules.
#[derive(Clone, Copy, Debug)]
pub struct NoModules;

impl Resolver for NoModules {
    fn source(&self, _: &Cid) -> Option<&str> {
        None
    }
}

/// Modules that are at hand, each under its id.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    files: std::collections::BTreeMap<Cid, String>,
}

impl Modules {
    /// Adds a module; gives the id under which contracts import it.
    pub fn add(&mut self, text: impl Into<String>) -> Cid {
        let source = Source::new(text);
        self.files.insert(source.cid, source.text);
        source.cid
    }
}

impl Resolver for Modules {
    fn source(&self, cid: &Cid) -> Option<&str> {
        self.files.get(cid).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_survive_packing() {
        let span = Span {
            source: 15,
            start: 262_143,
            end: 262_144,
        };
        assert_eq!(Span::unpack(span.pack()), Some(span));
        assert_eq!(Span::unpack(-1), None);
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let mut sources = Sources::default();
        let source = sources.add(Source::new("a\nü b"));
        let span = Span {
            source,
            start: 5,
            end: 6,
        };
        assert_eq!(sources.position(span), (2, 3));
        assert_eq!(sources.text(span), "b");
    }
}
