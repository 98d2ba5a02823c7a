//! The values of an event, written over those of the event before it: most events name the same signals in the same order, and
//! a name that lies there already need not be shared once more.
//!
//! Invariant: what is given are the values of this event alone, in the order in which they came.

use crate::event::Name;

#[derive(Debug)]
pub struct Row<V> {
    entries: Vec<(Name, V)>,
    /// How many of them are this event's.
    filled: usize,
}

impl<V> Row<V> {
    /// An empty row in the memory of another event, with what stands in it still.
    pub fn over(entries: Vec<(Name, V)>) -> Self {
        Self { entries, filled: 0 }
    }

    pub fn put(&mut self, name: &Name, value: V) {
        match self.entries.get_mut(self.filled) {
            Some((known, old)) => {
                if known.address() != name.address() {
                    *known = name.clone();
                }
                *old = value;
            }
            None => self.entries.push((name.clone(), value)),
        }
        self.filled += 1;
    }

    /// What was put in, and nothing more.
    pub fn entries(&mut self) -> &mut Vec<(Name, V)> {
        self.entries.truncate(self.filled);
        &mut self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_the_values_of_its_event_alone() {
        let names = ["a", "b", "c", "d"].map(Name::from);
        let mut memory = Vec::new();
        for event in [vec![0, 1, 2], vec![0, 1, 2], vec![0, 2], vec![3, 1, 0, 2], vec![], vec![1]] {
            let mut row = Row::over(memory);
            event.iter().for_each(|place| row.put(&names[*place], *place));
            let expected: Vec<(Name, usize)> =
                event.into_iter().map(|place| (names[place].clone(), place)).collect();
            assert_eq!(*row.entries(), expected);
            memory = std::mem::take(row.entries());
        }
    }
}
