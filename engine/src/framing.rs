//! Joins the parts of a streamed result into one document of its format.
//!
//! libchdb gives each part as a complete document: with its own header, and in Arrow with its own end. So the header of every
//! part but the first is cut off, and the end is sent once. Formats whose parts cannot be joined are answered whole.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use bytes::Bytes;

use crate::exception::Exception;

/// The end of an Arrow stream: the continuation marker and a message of no bytes.
const ARROW_END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Plain,
    TabLines(usize),
    CsvLines(usize),
    RowBinaryHeader { types: bool },
    Arrow,
}

/// The joining of one result.
#[derive(Debug)]
pub struct Framing {
    layout: Layout,
    header: Option<Bytes>,
}

impl Framing {
    /// How to join parts of this format; `None` where they cannot be joined.
    pub fn of(format: &str) -> Option<Self> {
        let layout = match format.to_ascii_lowercase().as_str() {
            "tabseparated" | "tsv" | "tabseparatedraw" | "tsvraw" | "raw" | "csv" | "tskv" | "native"
            | "rowbinary" | "jsoneachrow" | "jsonlines" | "ndjson" | "jsoncompacteachrow"
            | "jsonstringseachrow" | "lineasstring" => Layout::Plain,
            "tabseparatedwithnames" | "tsvwithnames" => Layout::TabLines(1),
            "tabseparatedwithnamesandtypes" | "tsvwithnamesandtypes" => Layout::TabLines(2),
            "csvwithnames" => Layout::CsvLines(1),
            "csvwithnamesandtypes" => Layout::CsvLines(2),
            "rowbinarywithnames" => Layout::RowBinaryHeader { types: false },
            "rowbinarywithnamesandtypes" => Layout::RowBinaryHeader { types: true },
            "arrowstream" => Layout::Arrow,
            _ => return None,
        };
        Some(Self { layout, header: None })
    }

    /// What of the next part goes to the client.
    pub fn join(&mut self, part: Bytes) -> Result<Bytes, Exception> {
        let mut body = part;
        if self.layout == Layout::Arrow && body.ends_with(&ARROW_END) {
            body.truncate(body.len() - ARROW_END.len());
        }
        match &self.header {
            None => {
                let length = header_length(self.layout, &body).ok_or_else(broken)?;
                self.header = Some(body.slice(..length));
                Ok(body)
            }
            Some(header) if body.starts_with(header) => Ok(body.slice(header.len()..)),
            Some(_) => Err(broken()),
        }
    }

    /// What closes the document after its last part.
    pub fn end(&self) -> Bytes {
        match self.layout {
            Layout::Arrow if self.header.is_some() => Bytes::from_static(&ARROW_END),
            _ => Bytes::new(),
        }
    }
}

fn broken() -> Exception {
    Exception::new(1002, "UNKNOWN_EXCEPTION", "the parts of a streamed result do not fit together")
}

fn header_length(layout: Layout, part: &[u8]) -> Option<usize> {
    match layout {
        Layout::Plain => Some(0),
        Layout::TabLines(lines) => line_ends(part, false).nth(lines - 1),
        Layout::CsvLines(lines) => line_ends(part, true).nth(lines - 1),
        Layout::RowBinaryHeader { types } => row_binary_header(part, types),
        Layout::Arrow => {
            let metadata: [u8; 4] = part.get(4..8)?.try_into().ok()?;
            let length = usize::try_from(u32::from_le_bytes(metadata)).ok()?.checked_add(8)?;
            (length <= part.len()).then_some(length)
        }
    }
}

/// Where each line ends, its line break included; in CSV a quoted name may hold line breaks.
fn line_ends(part: &[u8], quotes: bool) -> impl Iterator<Item = usize> {
    let mut quoted = false;
    part.iter().enumerate().filter_map(move |(position, byte)| {
        quoted ^= quotes && *byte == b'"';
        (*byte == b'\n' && !quoted).then_some(position + 1)
    })
}

fn row_binary_header(part: &[u8], types: bool) -> Option<usize> {
    let (columns, mut at) = variable_length(part, 0)?;
    let texts = if types { columns.checked_mul(2)? } else { columns };
    for _ in 0..texts {
        let (length, start) = variable_length(part, at)?;
        at = start.checked_add(length)?;
    }
    (at <= part.len()).then_some(at)
}

/// Reads an unsigned LEB128 number; gives it and the place behind it.
fn variable_length(part: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (index, byte) in part.get(start..)?.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, start + index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn joined(format: &str, parts: &[&'static [u8]]) -> Vec<u8> {
        let mut framing = Framing::of(format).unwrap();
        let mut whole = Vec::new();
        for part in parts {
            whole.extend_from_slice(&framing.join(Bytes::from_static(part)).unwrap());
        }
        whole.extend_from_slice(&framing.end());
        whole
    }

    #[test]
    fn the_header_is_kept_once() {
        assert_eq!(
            joined("CSVWithNames", &[b"\"a\nb\",c\n1,2\n", b"\"a\nb\",c\n3,4\n"]),
            b"\"a\nb\",c\n1,2\n3,4\n"
        );
        assert_eq!(
            joined("tsvWithNamesAndTypes", &[b"a\nUInt8\n1\n", b"a\nUInt8\n2\n"]),
            b"a\nUInt8\n1\n2\n"
        );
        assert_eq!(
            joined("RowBinaryWithNamesAndTypes", &[b"\x01\x01a\x05UInt8\x07", b"\x01\x01a\x05UInt8\x08"]),
            b"\x01\x01a\x05UInt8\x07\x08"
        );
        assert_eq!(joined("TSV", &[b"1\n", b"1\n"]), b"1\n1\n");
    }

    #[test]
    fn an_arrow_stream_ends_once() {
        let part = b"\xff\xff\xff\xff\x02\0\0\0sc\xff\xff\xff\xff\x01\0\0\0b\xff\xff\xff\xff\0\0\0\0";
        let whole = b"\xff\xff\xff\xff\x02\0\0\0sc\xff\xff\xff\xff\x01\0\0\0b\xff\xff\xff\xff\x01\0\0\0b\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(joined("ArrowStream", &[part, part]), whole);
    }

    #[test]
    fn formats_with_an_envelope_are_not_cut() {
        for format in ["JSON", "Parquet", "Pretty", "Values", "Arrow", "Vertical", "nonsense"] {
            assert!(Framing::of(format).is_none(), "{format}");
        }
    }

    #[test]
    fn a_part_with_another_header_is_an_error() {
        let mut framing = Framing::of("TSVWithNames").unwrap();
        framing.join(Bytes::from_static(b"a\n1\n")).unwrap();
        assert!(framing.join(Bytes::from_static(b"b\n1\n")).is_err());
        assert!(Framing::of("RowBinaryWithNames").unwrap().join(Bytes::from_static(b"\x05\x7f")).is_err());
    }
}
