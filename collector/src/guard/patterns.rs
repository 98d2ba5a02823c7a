//! Finds e-mail addresses, card numbers and phone numbers in texts by their form, and puts words in their place.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use domain::contract::Pattern;
use regex::Regex;

/// Broad on purpose: what looks like an address to a person is one here.
static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"[^\s@<>"'(),:;\[\]=]+@[^\s@<>"'(),:;\[\]=]+\.[^\s@<>"'(),:;\[\]=.]+"#).ok()
});

/// Digits of a card number.
const CARD: std::ops::RangeInclusive<usize> = 12..=19;
/// Digits of a phone number.
const PHONE: std::ops::RangeInclusive<usize> = 8..=15;

/// The text with what was found replaced by `[email]`, `[card]` or `[phone]`.
pub fn replaced<'t>(text: &'t str, patterns: &[Pattern]) -> Cow<'t, str> {
    let mut found: Vec<(Range<usize>, &str)> = Vec::new();
    if patterns.contains(&Pattern::Email)
        && text.contains('@')
        && let Some(email) = EMAIL.as_ref()
    {
        found.extend(email.find_iter(text).map(|found| (found.range(), "[email]")));
    }
    let wants = |pattern| patterns.contains(&pattern);
    if wants(Pattern::Card) || wants(Pattern::Phone) {
        for run in runs(text) {
            if wants(Pattern::Card)
                && let Some(card) = run.card(text)
            {
                found.push((card, "[card]"));
            } else if wants(Pattern::Phone) && run.is_phone(text) {
                found.push((run.range(), "[phone]"));
            }
        }
    }
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|(range, _)| range.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, word) in found {
        if range.start >= at {
            out.push_str(text.get(at..range.start).unwrap_or_default());
            out.push_str(word);
        }
        at = at.max(range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether anything would be replaced.
pub fn is_found(text: &str, patterns: &[Pattern]) -> bool {
    matches!(replaced(text, patterns), Cow::Owned(_))
}

/// Groups of digits with single separators between them: `+49 30 1234-5678`.
#[derive(Debug, Default)]
struct Run {
    groups: Vec<Range<usize>>,
}

/// What may stand between two groups of one number.
const SEPARATORS: &[u8] = b" -./()";

fn runs(text: &str) -> Vec<Run> {
    let bytes = text.as_bytes();
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    while let Some(start) = bytes.iter().skip(at).position(u8::is_ascii_digit).map(|skip| at + skip) {
        let length = bytes.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
        let group = start..start + length;
        let between = runs.last().and_then(|run| bytes.get(run.range().end..start));
        let joins = between.is_some_and(|between| {
            between.len() <= 2 && between.iter().all(|byte| SEPARATORS.contains(byte))
        });
        match runs.last_mut() {
            Some(run) if joins => run.groups.push(group),
            _ => runs.push(Run { groups: vec![group] }),
        }
        at = start + length;
    }
    runs
}

impl Run {
    fn range(&self) -> Range<usize> {
        let start = self.groups.first().map_or(0, |group| group.start);
        start..self.groups.last().map_or(start, |group| group.end)
    }

    /// The longest stretch of whole groups that is a card number.
    fn card(&self, text: &str) -> Option<Range<usize>> {
        let stretches = (0..self.groups.len())
            .flat_map(|first| (first..self.groups.len()).map(move |last| (first, last)));
        let cards = stretches.filter_map(|(first, last)| {
            let groups = self.groups.get(first..=last)?;
            let n: usize = groups.iter().map(ExactSizeIterator::len).sum();
            let range = groups.first()?.start..groups.last()?.end;
            (CARD.contains(&n) && has_check_digit(text.get(range.clone())?)).then_some((n, range))
        });
        cards.max_by_key(|(n, _)| *n).map(|(_, range)| range)
    }

    fn is_phone(&self, text: &str) -> bool {
        let range = self.range();
        let n: usize = self.groups.iter().map(ExactSizeIterator::len).sum();
        let before = text.get(..range.start).and_then(|before| before.chars().next_back());
        let after = text.get(range.end..).and_then(|after| after.chars().next());
        let stands_alone =
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric);
        let is_international = before == Some('+');
        let lengths: Vec<usize> = self.groups.iter().map(ExactSizeIterator::len).collect();
        PHONE.contains(&n)
            && stands_alone
            && (is_international || self.groups.len() > 1)
            && !is_date(&lengths)
            && !self.is_address(text, &lengths)
            && !self.is_decimal(text)
    }

    /// Four groups of at most three digits with dots between them are a machine's address.
    fn is_address(&self, text: &str, lengths: &[usize]) -> bool {
        let dots = text.get(self.range()).unwrap_or_default().bytes().filter(|byte| *byte == b'.').count();
        dots == 3 && lengths.len() == 4 && lengths.iter().all(|length| *length <= 3)
    }

    /// Two groups with a dot between them are a number.
    fn is_decimal(&self, text: &str) -> bool {
        let [one, other] = self.groups.as_slice() else { return false };
        text.get(one.end..other.start) == Some(".")
    }
}

fn is_date(lengths: &[usize]) -> bool {
    matches!(lengths, [4, 2, 2] | [2, 2, 4])
}

/// Luhn: every second digit from the right doubled, the digits of all added up, divisible by ten.
fn has_check_digit(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> String {
        replaced(text, &Pattern::ALL).into_owned()
    }

    #[test]
    fn what_looks_like_an_address_a_card_or_a_phone_is_replaced() {
        let cases = [
            ("write to ada.lovelace+x@example.co.uk, please", "write to [email], please"),
            ("<zoë@exämple.org>", "<[email]>"),
            ("4111111111111111", "[card]"),
            ("card 4111 1111 1111 1111 exp 12/27", "card [card] exp 12/27"),
            ("5500-0000-0000-0004", "[card]"),
            ("call +49 30 1234-5678 now", "call +[phone] now"),
            ("+15551234567", "+[phone]"),
            ("(555) 123-4567", "([phone]"),
            ("ada@example.com 4111111111111111", "[email] [card]"),
        ];
        for (text, expected) in cases {
            assert_eq!(all(text), expected);
        }
    }

    #[test]
    fn what_only_has_digits_is_left_alone() {
        for text in [
            "4111111111111112",
            "2026-11-20",
            "2026-11-20T18:00:00Z",
            "192.168.100.200",
            "12345678",
            "3.14159265358",
            "123e4567-e89b-12d3-a456-426614174000",
            "a@b",
            "JFK",
            "",
        ] {
            assert_eq!(all(text), text);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_looked_for() {
        let text = "ada@example.com 4111111111111111 +49 30 12345678";
        assert_eq!(replaced(text, &[]), text);
        assert_eq!(replaced(text, &[Pattern::Email]), "[email] 4111111111111111 +49 30 12345678");
    }

    proptest! {
        #[test]
        fn whatever_is_found_is_gone_and_looking_again_finds_nothing(
            before in "[a-z ]{0,8}", after in "[ ][a-z ]{0,8}", user in "[a-z]{1,8}", n in 0_u64..10_000_000_000
        ) {
            let email = format!("{user}@host.example");
            let card = format!("400000{:09}", n % 1_000_000_000);
            let card = (0..10).map(|digit| format!("{card}{digit}")).find(|card| has_check_digit(card)).expect("one fits");
            for secret in [email, card] {
                let text = all(&format!("{before} {secret}{after}"));
                prop_assert!(!text.contains(&secret));
                prop_assert_eq!(all(&text), text);
            }
        }
    }
}
