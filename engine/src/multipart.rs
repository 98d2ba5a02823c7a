//! Reads a `multipart/form-data` body: the statement and its parameters, as the `clickhouse` crate sends them.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use crate::exception::Exception;

/// The boundary that a content type names, if it is a form's.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    Some(boundary.trim_matches('"'))
}

/// The fields of a form, in their order.
pub fn fields(body: &[u8], boundary: &str) -> Result<Vec<(String, String)>, Exception> {
    let delimiter = format!("\r\n--{boundary}");
    let first = format!("--{boundary}");
    let mut rest = body
        .strip_prefix(first.as_bytes())
        .ok_or_else(|| malformed("it does not begin with its boundary"))?;
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let part = rest
            .strip_prefix(b"\r\n")
            .ok_or_else(|| malformed("a boundary is not followed by a line break"))?;
        let end =
            find(part, delimiter.as_bytes()).ok_or_else(|| malformed("its last boundary is missing"))?;
        let (field, tail) = part.split_at_checked(end).unwrap_or((part, b"--"));
        fields.push(read_field(field)?);
        rest = tail.strip_prefix(delimiter.as_bytes()).unwrap_or(b"--");
    }
    Ok(fields)
}

fn read_field(field: &[u8]) -> Result<(String, String), Exception> {
    let end = find(field, b"\r\n\r\n").ok_or_else(|| malformed("a part has no headers"))?;
    let (headers, value) = field.split_at_checked(end).unwrap_or((field, b""));
    let headers = String::from_utf8_lossy(headers).into_owned();
    if attribute(&headers, "filename").is_some() {
        return Err(Exception::new(
            48,
            "NOT_IMPLEMENTED",
            "external tables (files in a form) are not supported by the embedded engine",
        ));
    }
    let name = attribute(&headers, "name").ok_or_else(|| malformed("a part has no name"))?;
    let value = value.strip_prefix(b"\r\n\r\n").unwrap_or(value);
    let value = String::from_utf8(value.to_vec()).map_err(|_| malformed("a field is not UTF-8"))?;
    Ok((name, value))
}

fn attribute(headers: &str, name: &str) -> Option<String> {
    let (_, rest) = headers.split_once(&format!("; {name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn malformed(reason: &str) -> Exception {
    Exception::new(36, "BAD_ARGUMENTS", format!("the form is malformed: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn fields_come_in_order_with_line_breaks_in_their_values() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\n1\r\n2\r\n--B\r\n\
            Content-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1\r\n--B--\r\n";
        let read = fields(body, "B").unwrap();
        let wanted =
            [("param_a", "1\r\n2"), ("query", "SELECT 1")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(read, wanted);
        assert_eq!(fields(b"--B--\r\n", "B").unwrap(), []);
    }

    #[test]
    fn what_is_no_form_is_an_error_and_files_are_named() {
        for body in [&b"x"[..], b"--B", b"--B\r\nabc", b"--B\r\nabc\r\n--B--"] {
            assert_eq!(fields(body, "B").unwrap_err().code(), 36);
        }
        let file = b"--B\r\nContent-Disposition: form-data; name=\"t\"; filename=\"f\"\r\n\r\n1\r\n--B--";
        assert_eq!(fields(file, "B").unwrap_err().code(), 48);
    }

    #[test]
    fn the_boundary_is_read_from_the_content_type() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("Multipart/Form-Data;boundary=ab"), Some("ab"));
        assert_eq!(boundary("text/plain; boundary=ab"), None);
    }
}
