//! Reads as much of a statement as serving it over HTTP needs: what kind it is, where an INSERT's data begins, which FORMAT
//! the text names.
//!
//! It is a tokeniser, not a parser: the text goes to the engine as it came, except that the FORMAT clause of a streamed INSERT
//! is cut off. Whatever it does not understand is `Kind::Other`, and the engine says what is wrong with it.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use crate::exception::Exception;

/// What a statement is, as far as the HTTP interface treats it differently.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// INSERT whose data follows: the text up to `head_end` (without FORMAT clause), the format, and where the data begins.
    Insert { head_end: usize, format: Option<String>, data_start: usize },
    /// SELECT or WITH: its result can be streamed. `whole` where it must not be cut in parts (totals).
    Select { format: Option<String>, whole: bool },
    /// Everything else, with the format it names.
    Other { format: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a [u8]),
    Quoted,
    Sign(u8),
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// Reads a statement. An error where it holds several, or reads or writes a file of the client's.
pub fn read(text: &[u8]) -> Result<Kind, Exception> {
    let mut tokens = Tokens { text, at: 0 };
    let mut first = tokens.next();
    while first.is_some_and(|(_, token)| token == Token::Sign(b'(')) {
        first = tokens.next();
    }
    match first {
        Some((_, token)) if token.is("INSERT") => read_insert(tokens),
        Some((_, token)) => {
            let select = token.is("SELECT") || token.is("WITH") || token.is("FROM");
            read_rest(tokens, token, select)
        }
        None => Err(Exception::new(62, "SYNTAX_ERROR", "Empty query")),
    }
}

fn read_insert(mut tokens: Tokens<'_>) -> Result<Kind, Exception> {
    let (mut depth, mut previous) = (0_i32, Token::Word(b"INSERT"));
    while let Some((start, token)) = tokens.next() {
        // After these words, and after a dot, stands a name, whatever it is called.
        let is_name = previous.is("INTO") || previous.is("TABLE") || previous == Token::Sign(b'.');
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth -= 1,
            Token::Sign(b';') if depth == 0 => {
                refuse_second_statement(&mut tokens)?;
                return Ok(Kind::Insert { head_end: start, format: None, data_start: tokens.text.len() });
            }
            _ if is_name => {}
            _ if token.is("SELECT") || (token.is("WITH") && depth == 0) => {
                return read_rest(tokens, token, false);
            }
            _ if token.is("INFILE") && depth == 0 => return Err(client_file("FROM INFILE")),
            _ if token.is("VALUES") && depth == 0 => {
                let (head_end, data_start) = (start, tokens.at);
                return Ok(Kind::Insert { head_end, format: Some("Values".to_owned()), data_start });
            }
            _ if token.is("FORMAT") && depth == 0 => {
                if let Some((_, Token::Word(name))) = tokens.next() {
                    let format = Some(String::from_utf8_lossy(name).into_owned());
                    return Ok(Kind::Insert {
                        head_end: start,
                        format,
                        data_start: tokens.after_line_break(),
                    });
                }
            }
            _ => {}
        }
        previous = token;
    }
    let end = tokens.text.len();
    Ok(Kind::Insert { head_end: end, format: None, data_start: end })
}

/// Reads a statement whose text is all there is: the format it names, and that nothing stands behind it.
fn read_rest(mut tokens: Tokens<'_>, first: Token<'_>, select: bool) -> Result<Kind, Exception> {
    let (mut format, mut whole, mut select) = (None, false, select);
    let (mut depth, mut previous) = (0_i32, first);
    while let Some((_, token)) = tokens.next() {
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth -= 1,
            Token::Sign(b';') => {
                refuse_second_statement(&mut tokens)?;
                break;
            }
            Token::Word(name) if previous.is("FORMAT") && depth <= 0 => {
                format = Some(String::from_utf8_lossy(name).into_owned());
            }
            _ if token.is("OUTFILE") && previous.is("INTO") => return Err(client_file("INTO OUTFILE")),
            // `WITH … INSERT INTO … SELECT` writes.
            _ if token.is("INSERT") && depth == 0 => select = false,
            // Totals and extremes come after the rows and arrays of rows close at the end: such answers are not cut in parts.
            _ if token.is("TOTALS")
                || token.is("extremes")
                || token.is("output_format_json_array_of_rows") =>
            {
                whole = true;
            }
            _ => {}
        }
        previous = token;
    }
    Ok(if select { Kind::Select { format, whole } } else { Kind::Other { format } })
}

fn refuse_second_statement(tokens: &mut Tokens<'_>) -> Result<(), Exception> {
    match tokens.find(|(_, token)| *token != Token::Sign(b';')) {
        Some(_) => Err(Exception::new(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")),
        None => Ok(()),
    }
}

fn client_file(clause: &str) -> Exception {
    Exception::new(
        48,
        "NOT_IMPLEMENTED",
        format!("{clause} reads or writes the client's files, which the server has not"),
    )
}

struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
    }

    /// Moves behind the next occurrence of `end`, or to the end of the text.
    fn skip_past(&mut self, end: &[u8]) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at = found.map_or(self.text.len(), |position| self.at + position + end.len());
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == 0);
            match (self.peek(0), self.peek(1)) {
                (Some(b'-'), Some(b'-')) | (Some(b'#'), Some(b' ' | b'!')) => self.skip_past(b"\n"),
                (Some(b'/'), Some(b'*')) => {
                    self.at += 2;
                    self.skip_past(b"*/");
                }
                _ => return,
            }
        }
    }

    /// Moves behind a quoted text: a backslash takes the next character with it, a doubled quote is one of the text.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.at += 1,
                _ if byte == quote && self.peek(1) == Some(quote) => self.at += 1,
                _ if byte == quote => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.text.len());
    }

    /// Moves behind `$tag$ … $tag$`, if one begins here.
    fn skip_heredoc(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_tag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let Some(close) = rest.iter().skip(1).position(|byte| !is_tag(byte)) else { return false };
        let Some((tag, _)) = rest.split_at_checked(close + 2) else { return false };
        if tag.last() != Some(&b'$') {
            return false;
        }
        self.at += tag.len();
        self.skip_past(tag);
        true
    }

    /// Where the data begins: behind blanks and at most one line break, as in ClickHouse.
    fn after_line_break(&mut self) -> usize {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | 0x0c));
        if self.peek(0) == Some(b';') {
            self.at += 1;
        }
        if self.peek(0) == Some(b'\r') {
            self.at += 1;
        }
        if self.peek(0) == Some(b'\n') {
            self.at += 1;
        }
        self.at
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let byte = self.peek(0)?;
        let token = match byte {
            b'\'' | b'"' | b'`' => {
                self.skip_quoted(byte);
                Token::Quoted
            }
            b'$' if self.skip_heredoc() => Token::Quoted,
            _ if is_word(byte) => {
                self.skip_while(is_word);
                Token::Word(self.text.get(start..self.at).unwrap_or_default())
            }
            _ => {
                self.at += 1;
                Token::Sign(byte)
            }
        };
        Some((start, token))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
