//! Bare `NaN`, `Infinity` and `-Infinity`, which some senders write although JSON has no such numbers.

/// The same text with these words in quotes; `None` where none stands outside strings.
pub fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut out = Vec::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped, mut found) = (false, false, false);
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let word = if in_string { None } else { WORDS.iter().find(|word| rest.starts_with(word)) };
        if let Some(word) = word {
            out.push(b'"');
            out.extend_from_slice(word);
            out.push(b'"');
            rest = rest.get(word.len()..).unwrap_or_default();
            found = true;
            continue;
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        out.push(*byte);
        rest = after;
    }
    found.then_some(out)
}

/// The number that such a word means.
pub fn number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_outside_strings_are_quoted() {
        let text = br#"{"NaN \" NaN": NaN, "b": [-Infinity, Infinity]}"#;
        let expected = br#"{"NaN \" NaN": "NaN", "b": ["-Infinity", "Infinity"]}"#;
        assert_eq!(quoted(text).as_deref(), Some(expected.as_slice()));
        assert_eq!(quoted(br#"{"a": "NaN"}"#), None);
    }
}
