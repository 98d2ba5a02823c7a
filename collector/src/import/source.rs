//! The file that is imported: where its bytes are, how they are written, and the rows in it.
//!
//! Invariant: the rows of one content come in the same order with the same numbers each time they are read.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::ValueEnum;
use sha2::{Digest, Sha256};

use super::csv_rows::CsvRows;
use super::ndjson_rows::NdjsonRows;
use super::parquet_rows::ParquetRows;
use super::row::{BadRow, Column, Row};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Parquet,
    Csv,
    Ndjson,
}

impl Format {
    /// What one row is called in an error.
    pub fn row_word(self) -> &'static str {
        match self {
            Self::Parquet => "row",
            Self::Csv | Self::Ndjson => "line",
        }
    }
}

#[derive(Clone, Debug)]
enum Content {
    File(PathBuf),
    Bytes(Bytes),
}

/// A file to import, or bytes that stand for one.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's name without its folders, or its path in the directory that is imported; for people.
    pub name: String,
    pub format: Format,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// The rows of a file, one after the other.
pub enum Rows {
    Parquet(Box<ParquetRows>),
    Csv(Box<CsvRows>),
    Ndjson(Box<NdjsonRows>),
}

impl Rows {
    /// The columns known so far: those of NDJSON grow while it is read.
    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Parquet(rows) => rows.columns(),
            Self::Csv(rows) => rows.columns(),
            Self::Ndjson(rows) => rows.columns(),
        }
    }

    /// How many rows there are, where the file says so.
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Parquet(rows) => Some(rows.total()),
            Self::Csv(_) | Self::Ndjson(_) => None,
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// Where the file itself cannot be read further; a row that makes no sense is a [`BadRow`] instead.
    pub fn next_row(&mut self) -> anyhow::Result<Option<Result<Row, BadRow>>> {
        match self {
            Self::Parquet(rows) => Ok(rows.next_row()?.map(Ok)),
            Self::Csv(rows) => rows.next_row(),
            Self::Ndjson(rows) => rows.next_row(),
        }
    }
}

impl Source {
    /// A file on disk. Its format is `stated` or follows from its name: `.parquet`, `.csv`, `.ndjson` or `.jsonl`,
    /// the text formats also with `.gz` or `.zst` behind.
    pub fn file(path: &Path, stated: Option<Format>) -> anyhow::Result<Self> {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
        let Some(format) = stated.or_else(|| format_of(&name)) else {
            bail!(
                "\"{}\" does not say by its name what it is (known: .parquet, .csv, .ndjson, .jsonl): add --format",
                path.display()
            );
        };
        Self::named(path, name, format)
    }

    /// A file on disk under another name than its own, such as its path in a directory that is imported.
    pub fn named(path: &Path, name: String, format: Format) -> anyhow::Result<Self> {
        File::open(path).with_context(|| format!("\"{}\" cannot be opened", path.display()))?;
        Ok(Self { name, format, content: Content::File(path.to_owned()) })
    }

    /// Bytes in memory under a name.
    pub fn bytes(name: &str, format: Format, bytes: Bytes) -> Self {
        Self { name: name.to_owned(), format, content: Content::Bytes(bytes) }
    }

    /// The hash of the content, in hexadecimal: what an import is known by.
    pub fn sha256(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        match &self.content {
            Content::Bytes(bytes) => hash.update(bytes),
            Content::File(_) => {
                let mut reader = self.open()?;
                let mut buffer = vec![0; 1 << 20];
                loop {
                    let read = reader.read(&mut buffer).with_context(|| self.unreadable())?;
                    if read == 0 {
                        break;
                    }
                    hash.update(&buffer[..read]);
                }
            }
        }
        Ok(hexadecimal(&hash.finalize()))
    }

    /// The rows from the beginning. `null_words` are texts of a CSV file that mean that there is no value.
    pub fn rows(&self, null_words: &[String]) -> anyhow::Result<Rows> {
        let rows = match self.format {
            Format::Parquet => match &self.content {
                Content::File(path) => {
                    let file = File::open(path).with_context(|| self.unreadable())?;
                    Rows::Parquet(Box::new(ParquetRows::of(file).with_context(|| self.unreadable())?))
                }
                Content::Bytes(bytes) => {
                    let bytes = bytes.clone();
                    Rows::Parquet(Box::new(ParquetRows::of(bytes).with_context(|| self.unreadable())?))
                }
            },
            Format::Csv => {
                let rows = CsvRows::of(self.unpacked()?, null_words).with_context(|| self.unreadable())?;
                Rows::Csv(Box::new(rows))
            }
            Format::Ndjson => Rows::Ndjson(Box::new(NdjsonRows::of(self.unpacked()?))),
        };
        Ok(rows)
    }

    /// The content as text, unpacked: what formats of lines are read from.
    pub fn unpacked(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        let raw = self.open()?;
        Ok(match packing_of(&self.name) {
            Packing::Plain => raw,
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(raw)),
            Packing::Zstd => Box::new(zstd::Decoder::new(raw).with_context(|| self.unreadable())?),
        })
    }

    fn open(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        Ok(match &self.content {
            Content::File(path) => {
                let file = File::open(path).with_context(|| self.unreadable())?;
                Box::new(BufReader::with_capacity(1 << 20, file))
            }
            Content::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
        })
    }

    fn unreadable(&self) -> String {
        format!("\"{}\" cannot be read as {}", self.name, format!("{:?}", self.format).to_uppercase())
    }
}

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn packing_of(name: &str) -> Packing {
    match name.rsplit('.').next() {
        Some("gz") => Packing::Gzip,
        Some("zst") => Packing::Zstd,
        _ => Packing::Plain,
    }
}

pub fn format_of(name: &str) -> Option<Format> {
    let name = name.to_lowercase();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match plain.rsplit('.').next()? {
        "parquet" | "pq" if plain == name => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_format() {
        assert_eq!(format_of("a.parquet"), Some(Format::Parquet));
        assert_eq!(format_of("a.CSV.gz"), Some(Format::Csv));
        assert_eq!(format_of("b.jsonl.zst"), Some(Format::Ndjson));
        assert_eq!(format_of("a.txt"), None);
        let error = Source::file(Path::new("events.txt"), None).expect_err("unknown");
        assert!(error.to_string().contains("--format"), "{error}");
    }

    #[test]
    fn the_hash_is_that_of_the_content() {
        let source = Source::bytes("a.csv", Format::Csv, Bytes::from_static(b"abc"));
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(source.sha256().expect("a hash"), known);
    }
}
