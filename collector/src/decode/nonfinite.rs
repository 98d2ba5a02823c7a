//! Bare `NaN`, `Infinity` and `-Infinity`, which some senders write although JSON has no such numbers.

/// The same text with these words in quotes; `None` where none stands outside strings.
pub fn quoted(text: &str) -> Option<String> {
    const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped, mut found) = (false, false, false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let word = if in_string { None } else { WORDS.iter().find(|word| rest.starts_with(**word)) };
        if let Some(word) = word {
            out.extend(["\"", word, "\""]);
            rest = rest.get(word.len()..).unwrap_or_default();
            found = true;
            continue;
        }
        match next {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        out.push(next);
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
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
        let text = r#"{"NaN \" NaN": NaN, "b": [-Infinity, Infinity]}"#;
        let expected = r#"{"NaN \" NaN": "NaN", "b": ["-Infinity", "Infinity"]}"#;
        assert_eq!(quoted(text).as_deref(), Some(expected));
        assert_eq!(quoted(r#"{"a": "NaN"}"#), None);
    }
}
