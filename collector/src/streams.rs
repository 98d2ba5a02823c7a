//! Events of one (model, version, environment) in a batch: their counts stand on the first of them.

use std::collections::HashMap;

use crate::event::Name;
use crate::predictions::Predictions;

#[derive(Debug)]
pub struct Stream {
    pub model: Name,
    /// Ascending; never empty.
    pub rows: Vec<u32>,
}

/// The streams of a batch, in the order of their first rows.
pub fn streams(events: &Predictions) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    let mut found: HashMap<[i32; 3], usize> = HashMap::new();
    let mut last = ([-1; 3], 0);
    for row in 0..events.len() {
        let key = [events.models[row], events.versions[row], events.environments[row]];
        if key != last.0 {
            let index = *found.entry(key).or_insert_with(|| {
                let model = events.labels.name(events.models[row] as u32).clone();
                streams.push(Stream { model, rows: Vec::new() });
                streams.len() - 1
            });
            last = (key, index);
        }
        streams[last.1].rows.push(row as u32);
    }
    streams
}
