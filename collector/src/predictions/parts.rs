//! What columns are made of: texts, maps and lists, each one buffer with the ends of its rows.
//!
//! Invariant: ends never fall, and the last one is the length of what they lie in.

/// A column of texts: row `i` is the bytes `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug)]
pub struct Texts {
    pub offsets: Vec<i32>,
    pub bytes: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: String::new() }
    }
}

impl Texts {
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.offsets.push(offset(self.bytes.len()));
    }

    pub fn get(&self, row: usize) -> &str {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    pub fn is_empty_at(&self, row: usize) -> bool {
        self.offsets[row] == self.offsets[row + 1]
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity() + 4 * self.offsets.capacity()
    }

    pub(super) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows);
        self.bytes.reserve(bytes);
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.bytes.push_str(&other.bytes);
        append_offsets(&mut self.offsets, &other.offsets);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.bytes.truncate(cut_offsets(&mut self.offsets, rows));
    }
}

/// A map column: the entries of row `i` are `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug)]
pub struct Entries<V> {
    pub offsets: Vec<i32>,
    /// Numbers of names.
    pub keys: Vec<i32>,
    pub values: V,
}

impl<V: Default> Default for Entries<V> {
    fn default() -> Self {
        Self { offsets: vec![0], keys: Vec::new(), values: V::default() }
    }
}

impl<V> Entries<V> {
    pub fn end_row(&mut self) {
        self.offsets.push(offset(self.keys.len()));
    }

    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    pub(super) fn reserve(&mut self, rows: usize, entries: usize) {
        self.offsets.reserve(rows);
        self.keys.reserve(entries);
    }

    pub(super) fn append(&mut self, other: &Self, keys: Option<&[i32]>, values: impl FnOnce(&mut V, &V)) {
        append_offsets(&mut self.offsets, &other.offsets);
        append_numbers(&mut self.keys, &other.keys, keys);
        values(&mut self.values, &other.values);
    }

    pub(super) fn truncate(&mut self, rows: usize, values: impl FnOnce(&mut V, usize)) {
        let entries = cut_offsets(&mut self.offsets, rows);
        self.keys.truncate(entries);
        values(&mut self.values, entries);
    }
}

impl<T> Entries<Vec<T>> {
    pub fn push(&mut self, key: u32, value: T) {
        self.keys.push(key as i32);
        self.values.push(value);
    }

    /// The entries of one row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (i32, &T)> {
        let range = self.range(row);
        self.keys[range.clone()].iter().copied().zip(&self.values[range])
    }
}

/// A column of lists: the items of list `i` are `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug)]
pub struct Lists<I> {
    pub offsets: Vec<i32>,
    pub items: I,
}

impl<I: Default> Default for Lists<I> {
    fn default() -> Self {
        Self { offsets: vec![0], items: I::default() }
    }
}

impl<I: Counted> Lists<I> {
    pub(super) fn push(&mut self, fill: impl FnOnce(&mut I)) {
        fill(&mut self.items);
        self.offsets.push(offset(self.items.count()));
    }

    pub(super) fn range(&self, list: usize) -> std::ops::Range<usize> {
        self.offsets[list] as usize..self.offsets[list + 1] as usize
    }

    pub(super) fn append(&mut self, other: &Self, items: impl FnOnce(&mut I, &I)) {
        items(&mut self.items, &other.items);
        append_offsets(&mut self.offsets, &other.offsets);
    }

    pub(super) fn truncate(&mut self, lists: usize, items: impl FnOnce(&mut I, usize)) {
        items(&mut self.items, cut_offsets(&mut self.offsets, lists));
    }
}

/// What lists are made of.
pub trait Counted {
    fn count(&self) -> usize;
}

impl Counted for Vec<f32> {
    fn count(&self) -> usize {
        self.len()
    }
}

impl Counted for Texts {
    fn count(&self) -> usize {
        self.offsets.len() - 1
    }
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("a batch is bounded far below 2^31 bytes and entries")
}

fn append_offsets(to: &mut Vec<i32>, from: &[i32]) {
    let base = to.last().copied().unwrap_or(0);
    offset(base as usize + from.last().copied().unwrap_or(0) as usize);
    to.extend(from.iter().skip(1).map(|end| base + end));
}

/// Keeps the ends of the first rows; gives where the last of them ends.
fn cut_offsets(offsets: &mut Vec<i32>, rows: usize) -> usize {
    offsets.truncate(rows + 1);
    offsets.last().copied().unwrap_or(0) as usize
}

/// Adds numbers of names, each as `here` says, or as it is.
pub(super) fn append_numbers(to: &mut Vec<i32>, from: &[i32], here: Option<&[i32]>) {
    match here {
        Some(here) => to.extend(from.iter().map(|number| here[*number as usize])),
        None => to.extend_from_slice(from),
    }
}
