//! How a good body is broken: bits, bytes, words that parsers stumble over, pieces left out, repeated, or taken from another
//! body.

use proptest::prelude::*;
use proptest::sample::Index;

use super::corpus;

/// Words that parsers, or whoever comes after them, stumble over.
const WORDS: [&[u8]; 36] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"null",
    b"true",
    b"NaN",
    b"-Infinity",
    b"0",
    b"-0",
    b"01",
    b"1e999",
    b"-1e-999",
    b"1.7976931348623157e308",
    b"9007199254740993",
    b"18446744073709551616",
    b"\\ud800",
    b"\\u0000",
    b"\"\":1",
    b"\"model\":\"m\"",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":",
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    b"\x1f\x8b",
    b"2026-02-30T25:61:61Z",
];

#[derive(Clone, Debug)]
enum Mutation {
    Flip {
        at: Index,
        bit: u8,
    },
    Put {
        at: Index,
        byte: u8,
    },
    Word {
        at: Index,
        word: Index,
    },
    /// As often as brackets would have to be nested to use up a stack.
    Many {
        at: Index,
        word: Index,
        times: u16,
    },
    Cut {
        from: Index,
        n: u8,
    },
    End {
        at: Index,
    },
    Repeat {
        from: Index,
        n: u8,
        times: u8,
    },
    Splice {
        at: Index,
        other: Index,
        from: Index,
        n: u8,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        2 => (at(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Put { at, byte }),
        4 => (at(), at()).prop_map(|(at, word)| Mutation::Word { at, word }),
        1 => (at(), at(), 2_u16..2_000).prop_map(|(at, word, times)| Mutation::Many { at, word, times }),
        3 => (at(), 1_u8..40).prop_map(|(from, n)| Mutation::Cut { from, n }),
        1 => at().prop_map(|at| Mutation::End { at }),
        2 => (at(), 1_u8..60, 1_u8..4).prop_map(|(from, n, times)| Mutation::Repeat { from, n, times }),
        2 => (at(), at(), at(), 1_u8..80).prop_map(|(at, other, from, n)| Mutation::Splice { at, other, from, n }),
    ]
}

fn chosen(word: &Index) -> &'static [u8] {
    WORDS[word.index(WORDS.len())]
}

impl Mutation {
    fn apply(&self, text: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |at: &Index, text: &[u8]| at.index(text.len() + 1);
        let piece = |from: &Index, n: u8, text: &[u8]| {
            let from = from.index(text.len() + 1);
            from..(from + usize::from(n)).min(text.len())
        };
        let insert = |text: &mut Vec<u8>, at: usize, new: &[u8]| {
            text.splice(at..at, new.iter().copied());
        };
        match self {
            Self::Flip { at, bit } if !text.is_empty() => {
                let at = at.index(text.len());
                text[at] ^= 1 << bit;
            }
            Self::Put { at, byte } if !text.is_empty() => {
                let at = at.index(text.len());
                text[at] = *byte;
            }
            Self::Flip { .. } | Self::Put { .. } => {}
            Self::Word { at, word } => insert(text, place(at, text), chosen(word)),
            Self::Many { at, word, times } => {
                insert(text, place(at, text), &chosen(word).repeat(usize::from(*times)));
            }
            Self::Cut { from, n } => {
                text.drain(piece(from, *n, text));
            }
            Self::End { at } => text.truncate(place(at, text)),
            Self::Repeat { from, n, times } => {
                let piece = piece(from, *n, text);
                let new = text[piece.clone()].repeat(usize::from(*times));
                insert(text, piece.end, &new);
            }
            Self::Splice { at, other, from, n } => {
                let other = other.get(seeds);
                let new = other[piece(from, *n, other)].to_vec();
                insert(text, place(at, text), &new);
            }
        }
    }
}

/// Texts like those of one folder of the corpus.
pub fn like(folder: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    like_any_of(corpus(folder))
}

/// Texts like these.
pub fn like_any_of(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    assert!(!seeds.is_empty(), "there is nothing to break");
    (any::<Index>(), prop::collection::vec(mutation(), 0..6)).prop_map(move |(seed, mutations)| {
        let mut text = seed.get(&seeds).clone();
        mutations.iter().for_each(|mutation| mutation.apply(&mut text, &seeds));
        text
    })
}
