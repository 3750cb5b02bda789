//! The rows of a CSV file, one at a time and never more than [`MOST_ROW`] bytes of one. Any bytes
//! may come: what is no row is an error with its line, never a panic.

use super::ImportError;
use super::findings::Reason;
use csv::ByteRecord;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Bytes of one row at most.
pub const MOST_ROW: usize = 64 * 1024;

/// A file, read row by row.
pub struct Rows<R: Read = File> {
    file: PathBuf,
    reader: csv::Reader<Metered<R>>,
    delimiter: u8,
    left: Rc<Cell<usize>>,
    header: Vec<String>,
    record: ByteRecord,
}

/// Lets no more through than the present row may have.
struct Metered<R> {
    inner: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left.get());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "row too long"));
        }
        let count = self.inner.read(&mut buffer[..most])?;
        self.left.set(self.left.get() - count);
        Ok(count)
    }
}

impl Rows<File> {
    /// Opens a file and reads its header. Without a `delimiter` takes the one of `,` `;` tab `|` that the
    /// first line has most of.
    pub fn open(file: &Path, delimiter: Option<u8>) -> Result<Self, ImportError> {
        let io = |cause| ImportError::Io { file: file.to_owned(), cause };
        let delimiter = match delimiter {
            Some(delimiter) => delimiter,
            None => {
                let mut first = Vec::new();
                let open = BufReader::new(File::open(file).map_err(io)?);
                open.take(MOST_ROW as u64).read_until(b'\n', &mut first).map_err(io)?;
                likeliest_delimiter(&first)
            }
        };
        Self::read(file, File::open(file).map_err(io)?, delimiter)
    }
}

impl<R: Read> Rows<R> {
    /// Reads from `source`; `file` names it in messages.
    pub fn read(file: &Path, source: R, delimiter: u8) -> Result<Self, ImportError> {
        let left = Rc::new(Cell::new(MOST_ROW));
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            // A carriage return before it goes as space around the last field; so lines are counted right.
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(Metered { inner: source, left: Rc::clone(&left) });
        let not_text = |what| ImportError::NotText { file: file.to_owned(), what };
        let record = ByteRecord::new();
        let mut rows = Self { file: file.to_owned(), reader, delimiter, left, header: Vec::new(), record };
        if rows.advance()?.is_none() {
            return Err(not_text("it is empty"));
        }
        let mut header = Vec::with_capacity(rows.record.len());
        for (n, name) in rows.record.iter().enumerate() {
            let name = if n == 0 { name.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(name) } else { name };
            if name.contains(&0) {
                return Err(not_text("it has zero bytes, as UTF-16 or a spreadsheet file does"));
            }
            match std::str::from_utf8(name) {
                Ok(text) => header.push(text.trim().to_owned()),
                Err(_) => return Err(not_text("its first line is not UTF-8 text")),
            }
        }
        rows.header = header;
        Ok(rows)
    }

    /// What stands in `column` of a broken row, and of the lines that an open quotation mark swallowed.
    pub fn seemingly(&self, column: Option<usize>) -> Vec<String> {
        let Some(column) = column else { return Vec::new() };
        let swallowed = self
            .record
            .iter()
            .flat_map(|field| field.split(|b| *b == b'\n').skip(1))
            .filter_map(|line| line.split(|b| *b == self.delimiter).nth(column));
        self.record
            .get(column)
            .into_iter()
            .chain(swallowed)
            .filter_map(|bytes| std::str::from_utf8(bytes).ok())
            .map(|text| text.lines().next().unwrap_or("").trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Goes to the next row that is not blank; the line it begins in, or `None` at the end.
    pub fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        loop {
            let line = self.next_record()?;
            let blank = self.record.len() == 1 && self.record[0].iter().all(u8::is_ascii_whitespace);
            if line.is_none() || !blank {
                return Ok(line);
            }
        }
    }

    fn next_record(&mut self) -> Result<Option<u64>, ImportError> {
        self.left.set(MOST_ROW);
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(self.record.position().map_or(line, csv::Position::line))),
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::Io(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                    ImportError::RowTooLong { file: self.file.clone(), line, most: MOST_ROW }
                }
                csv::ErrorKind::Io(cause) => ImportError::Io { file: self.file.clone(), cause },
                other => {
                    ImportError::Io { file: self.file.clone(), cause: io::Error::other(format!("{other:?}")) }
                }
            }),
        }
    }

    /// Whether the present row has as many fields as the header.
    pub fn check(&self) -> Result<(), (Reason, String)> {
        let (found, expected) = (self.record.len(), self.header.len());
        if found == expected {
            return Ok(());
        }
        let begin = self.record.position().map_or(0, csv::Position::line);
        let end = self.reader.position().line();
        let hint = if end > begin + 1 {
            format!("; it goes on to line {}: a quotation mark may be missing", end - 1)
        } else {
            String::new()
        };
        Err((Reason::ColumnCount, format!("expected {expected} columns, found {found}{hint}")))
    }

    /// A field of the present row, without spaces around it; empty if there is no such column.
    pub fn field(&self, column: Option<usize>) -> Result<&str, (Reason, String)> {
        let bytes = column.and_then(|c| self.record.get(c)).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.trim()),
            Err(_) => {
                let name = column.and_then(|c| self.header.get(c)).map_or("", String::as_str);
                Err((Reason::NotText, format!("{name}: {}", shown(&String::from_utf8_lossy(bytes)))))
            }
        }
    }

    /// Reads to the end and counts the rows that are left.
    pub fn count_rest(mut self) -> Result<u64, ImportError> {
        let mut count = 0;
        while self.advance()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

fn likeliest_delimiter(first: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [0_u32; 4];
    const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
    for byte in first {
        quoted ^= *byte == b'"';
        if let Some(n) = DELIMITERS.iter().position(|d| d == byte).filter(|_| !quoted) {
            counts[n] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|c| *c == most).map_or(b',', |n| DELIMITERS[n])
}

/// A value as a message shows it: cut, and without control characters.
pub(super) fn shown(value: &str) -> String {
    let mut text: String =
        value.chars().take(60).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if value.chars().nth(60).is_some() {
        text.push('…');
    }
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(bytes: &[u8]) -> Result<Rows<&[u8]>, ImportError> {
        Rows::read(Path::new("test.csv"), bytes, likeliest_delimiter(bytes))
    }

    #[test]
    fn delimiters_and_a_byte_order_mark_are_recognised() {
        for text in ["a,b\n1,2\n", "a;b\r\n1;2\r\n", "\u{FEFF}a\tb\n1\t2", "\"a\"|\"b\"\n\"1\"|\"2\"\n"] {
            let mut rows = rows(text.as_bytes()).unwrap();
            assert_eq!(rows.header(), ["a", "b"], "{text:?}");
            assert_eq!(rows.advance().unwrap(), Some(2));
            assert_eq!((rows.field(Some(0)).unwrap(), rows.field(Some(1)).unwrap()), ("1", "2"));
            assert_eq!(rows.advance().unwrap(), None);
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_does_and_blank_ones_are_passed_over() {
        for end in ["\n", "\r\n"] {
            let text = ["a,b", "1,\"x", "y\"", "", "  ", "2,\"z\"", ""].join(end);
            let mut rows = rows(text.as_bytes()).unwrap();
            assert_eq!(rows.advance().unwrap(), Some(2), "{end:?}");
            assert!(rows.check().is_ok());
            assert_eq!(rows.advance().unwrap(), Some(6), "{end:?}");
            assert_eq!(rows.field(Some(1)).unwrap(), "z");
            assert_eq!(rows.advance().unwrap(), None);
        }
    }

    #[test]
    fn a_row_with_other_columns_is_told_with_its_extent() {
        let mut rows = rows(b"a,b\n1\n\"2,3\n4,5\n").unwrap();
        assert_eq!(rows.advance().unwrap(), Some(2));
        assert_eq!(rows.check().unwrap_err().1, "expected 2 columns, found 1");
        assert_eq!(rows.advance().unwrap(), Some(3));
        assert!(rows.check().unwrap_err().1.contains("quotation mark"));
    }

    #[test]
    fn a_field_of_a_gigabyte_is_refused_in_little_memory() {
        let endless = b"a,b\n1,\"".chain(io::repeat(b'x').take(1 << 30));
        let mut rows = Rows::read(Path::new("test.csv"), endless, b',').unwrap();
        let error = rows.advance().unwrap_err();
        assert!(matches!(error, ImportError::RowTooLong { line: 2, .. }), "{error}");
    }

    #[test]
    fn utf16_spreadsheets_and_nothing_are_refused_in_words() {
        for (bytes, word) in
            [(&b""[..], "empty"), (b"\xFF\xFEa\0,\0b\0\n\0", "UTF"), (b"PK\x03\x04\x14\0\0\n", "spreadsheet")]
        {
            let message = rows(bytes).err().unwrap().to_string();
            assert!(message.contains(word) && message.contains("Nothing was imported"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000), delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|'])) {
            if let Ok(mut rows) = Rows::read(Path::new("test.csv"), &bytes[..], delimiter) {
                let mut last = 0;
                while let Ok(Some(line)) = rows.advance() {
                    prop_assert!(line >= last);
                    last = line;
                    let _ = rows.check();
                    for column in 0..rows.header().len() + 1 {
                        let _ = rows.field(Some(column));
                    }
                }
            }
        }

        #[test]
        fn likely_bytes_are_rows_or_an_error(text in "[a,;\"\n\r 1é]{0,200}") {
            if let Ok(mut rows) = rows(text.as_bytes()) {
                while let Ok(Some(_)) = rows.advance() {
                    let _ = rows.check();
                }
            }
        }
    }
}
