//! Cuts a body into the texts of its events, without understanding them: one bad event must not hide the next.

use super::Unreadable;

/// How events follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `application/json`: an object or an array; also lines, for senders that do not say so.
    Json,
    /// `application/x-ndjson`: an object a line.
    Lines,
}

/// The texts of a body's events, in order.
pub enum Texts<'a> {
    One(Option<&'a [u8]>),
    Lines(&'a [u8]),
    Array { rest: &'a [u8], index: usize, ended: bool },
}

pub fn split(body: &[u8], framing: Framing) -> Result<Texts<'_>, Unreadable> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    match (body.first(), framing) {
        (None, _) => Err(Unreadable::Empty),
        (Some(b'{'), Framing::Json) => Ok(object_or_lines(body)),
        (Some(b'['), Framing::Json) => {
            Ok(Texts::Array { rest: body.get(1..).unwrap_or_default(), index: 0, ended: false })
        }
        (Some(_), Framing::Lines) => Ok(Texts::Lines(body)),
        (Some(first), Framing::Json) => Err(Unreadable::NoEvents(char::from(*first))),
    }
}

/// A single object may stretch over lines; whatever follows a whole first object is a further line.
fn object_or_lines(body: &[u8]) -> Texts<'_> {
    match scan(body, Until::Closed) {
        Some(end) if end + 1 < body.len() => Texts::Lines(body),
        _ => Texts::One(Some(body)),
    }
}

/// What a scan looks for, outside strings.
#[derive(Clone, Copy)]
enum Until {
    /// The bracket that closes the first one.
    Closed,
    /// The comma after an element of an array, or the array's own closing bracket.
    ElementEnds,
}

fn scan(text: &[u8], until: Until) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (position, byte) in text.iter().copied().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match (byte, until) {
            (b'"', _) => in_string = true,
            (b'{' | b'[', _) => depth += 1,
            (b',' | b']', Until::ElementEnds) if depth == 0 => return Some(position),
            (b'}' | b']', Until::Closed) if depth <= 1 => return Some(position),
            (b'}' | b']', _) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

impl<'a> Iterator for Texts<'a> {
    type Item = Result<&'a [u8], Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(text) => text.take().map(Ok),
            Self::Lines(rest) => next_line(rest).map(Ok),
            Self::Array { ended: true, .. } => None,
            Self::Array { rest, index, ended } => {
                let next = next_element(rest, *index, ended);
                *index += 1;
                *ended |= matches!(next, Some(Err(_)));
                next
            }
        }
    }
}

fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        *rest = after.get(1..).unwrap_or_default();
        let line = line.trim_ascii();
        if !line.is_empty() {
            return Some(line);
        }
    }
    None
}

fn next_element<'a>(
    rest: &mut &'a [u8],
    index: usize,
    ended: &mut bool,
) -> Option<Result<&'a [u8], Unreadable>> {
    let Some(end) = scan(rest, Until::ElementEnds) else { return Some(Err(Unreadable::Open { index })) };
    let (element, after) = rest.split_at(end);
    let is_last = after.first() == Some(&b']');
    *rest = after.get(1..).unwrap_or_default();
    *ended = is_last;
    if is_last && !rest.trim_ascii().is_empty() {
        return Some(Err(Unreadable::Trailing));
    }
    let element = element.trim_ascii();
    // `[]` has no events; a comma before the end is one event that is wrong.
    if element.is_empty() && is_last && index == 0 { None } else { Some(Ok(element)) }
}
