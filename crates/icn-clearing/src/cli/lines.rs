//! Records of a CSV file, one a line, with the number of the line.
//!
//! Lines are split here, so that their numbers are right after empty lines and with every kind of line end, and so that
//! a file without any is not read into memory. Quoted fields are taken apart by csv-core; they do not go on in the next
//! line.
use anyhow::{Context as _, bail, ensure};
use csv_core::ReadRecordResult;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    ops::{Index, Range},
    path::Path,
};

/// No line is longer.
const LINE_MAX_BYTES: usize = 1 << 14;
/// More fields than any record has here; the rest of a line is not looked at.
const FIELDS_MAX: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file, line by line.
pub(crate) struct Lines {
    source: Box<dyn BufRead>,
    path: String,
    number: u64,
    line: Vec<u8>,
    /// The fields of a line with quotes, one after the other.
    unquoted: Vec<u8>,
    fields: Vec<Range<usize>>,
    parser: csv_core::Reader,
}

/// The fields of one line.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    bytes: &'a [u8],
    fields: &'a [Range<usize>],
}

impl Record<'_> {
    pub(crate) const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether these are its fields, in capitals or not.
    pub(crate) fn is(&self, columns: &[&str]) -> bool {
        let same = |(at, column): (usize, &&str)| self[at].eq_ignore_ascii_case(column.as_bytes());
        self.len() == columns.len() && columns.iter().enumerate().all(same)
    }
}

impl Index<usize> for Record<'_> {
    type Output = [u8];

    fn index(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].clone()]
    }
}

impl Lines {
    /// Opens a file, or stdin for `-`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let source: Box<dyn BufRead> = if name == "-" {
            Box::new(BufReader::with_capacity(1 << 16, io::stdin().lock()))
        } else {
            let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Ok(Self {
            source,
            path: name,
            number: 0,
            line: Vec::new(),
            unquoted: vec![0; LINE_MAX_BYTES + 1],
            fields: Vec::new(),
            parser: csv_core::Reader::new(),
        })
    }

    /// Where one is: the file and the line.
    pub(crate) fn place(&self) -> String {
        format!("{}, line {}", self.path, self.number)
    }

    /// The next line that is not empty.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Record<'_>>> {
        while self.next_line()? {
            if !self.line.is_empty() {
                self.split().with_context(|| self.place())?;
                let quoted = self.line.contains(&b'"');
                let bytes = if quoted { &self.unquoted } else { &self.line };
                return Ok(Some(Record {
                    bytes,
                    fields: &self.fields,
                }));
            }
        }
        Ok(None)
    }

    /// Reads a line without its end, and whether there was one.
    fn next_line(&mut self) -> anyhow::Result<bool> {
        self.line.clear();
        let mut source = self.source.by_ref().take(LINE_MAX_BYTES as u64 + 1);
        let read = source.read_until(b'\n', &mut self.line);
        if read.with_context(|| format!("cannot read {}", self.path))? == 0 {
            return Ok(false);
        }
        self.number += 1;
        ensure!(
            self.line.len() <= LINE_MAX_BYTES,
            "{}: longer than {LINE_MAX_BYTES} bytes",
            self.place()
        );
        for end in [b'\n', b'\r'] {
            if self.line.last() == Some(&end) {
                self.line.pop();
            }
        }
        if self.number == 1 {
            if self.line.starts_with(&[0xff, 0xfe]) || self.line.starts_with(&[0xfe, 0xff]) {
                bail!(
                    "{}: this looks like UTF-16: save the file as CSV UTF-8",
                    self.place()
                );
            }
            if self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
        }
        Ok(true)
    }

    /// Finds the fields of the line.
    fn split(&mut self) -> anyhow::Result<()> {
        self.fields.clear();
        let mut from = 0;
        if !self.line.contains(&b'"') {
            for field in self.line.split(|&byte| byte == b',').take(FIELDS_MAX) {
                self.fields.push(from..from + field.len());
                from += field.len() + 1;
            }
            return Ok(());
        }
        self.line.push(b'\n');
        self.parser.reset();
        let mut ends = [0; FIELDS_MAX];
        let (result, read, _, count) = self.parser.read_record(&self.line, &mut self.unquoted, &mut ends);
        match result {
            ReadRecordResult::Record => {}
            ReadRecordResult::OutputEndsFull => bail!("more than {FIELDS_MAX} fields"),
            _ => bail!("a quote is not closed on its line"),
        }
        // To the parser this ends a record, too: what is behind it would be lost.
        ensure!(
            read == self.line.len(),
            "a carriage return (CR) ends no line: save the file with line ends LF or CRLF"
        );
        for &end in &ends[..count] {
            self.fields.push(from..end);
            from = end;
        }
        Ok(())
    }
}
