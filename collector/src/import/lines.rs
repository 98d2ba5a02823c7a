//! The lines of a text, numbered as an editor numbers them; blank ones are left out.

use std::io::{BufRead, BufReader, Read};

/// No event is longer; a file of one endless line must not fill the memory.
const LONGEST: u64 = 16 << 20;

pub struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    number: u64,
}

pub struct Line {
    pub number: u64,
    /// What is no UTF-8 in it is replaced; it will then be refused as JSON or carry the replacement.
    pub text: String,
}

impl Lines {
    pub fn of(content: Box<dyn Read + Send>) -> Self {
        Self { reader: BufReader::with_capacity(1 << 18, content), number: 0 }
    }

    pub fn next_line(&mut self) -> std::io::Result<Option<Line>> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            if self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if buffer.len() as u64 == LONGEST && buffer.last() != Some(&b'\n') {
                return Err(std::io::Error::other(format!("line {} is longer than 16 MiB", self.number)));
            }
            let text = String::from_utf8_lossy(&buffer);
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Ok(Some(Line { number: self.number, text: text.to_owned() }));
            }
        }
    }
}
