//! The model's answer to inputs that never happened.
//!
//! The file carries the score of each flight as it was. When a fault changes an input, the real model would have
//! answered differently; it is not at hand, so the score of a real flight with such inputs stands in: same airport,
//! same hour, nearest wind. The demonstration says so on its pages.

use std::collections::HashMap;

use super::flights::Flight;

/// Flights of the year by airport and hour, each list ordered by wind.
pub struct Scorer {
    by_place: HashMap<(String, i64), Vec<(f64, f64)>>,
}

impl Scorer {
    pub fn learn(flights: &[Flight]) -> Self {
        let mut by_place: HashMap<(String, i64), Vec<(f64, f64)>> = HashMap::new();
        for flight in flights {
            if let Some(wind) = flight.number("wind_speed") {
                by_place.entry(place(flight)).or_default().push((wind, flight.score));
            }
        }
        by_place.values_mut().for_each(|seen| seen.sort_by(|a, b| a.0.total_cmp(&b.0)));
        Self { by_place }
    }

    /// The score of the flight in whose place this one is; `luck` (0 to 1) chooses among equally near ones.
    pub fn score(&self, flight: &Flight, luck: f64) -> f64 {
        let (Some(wind), Some(seen)) = (flight.number("wind_speed"), self.by_place.get(&place(flight)))
        else {
            return flight.score;
        };
        const NEAREST: usize = 25;
        let middle = seen.partition_point(|(other, _)| *other < wind);
        let first = middle.saturating_sub(NEAREST / 2).min(seen.len().saturating_sub(NEAREST));
        let near = &seen[first..(first + NEAREST).min(seen.len())];
        near.get((luck.clamp(0.0, 0.999_999) * near.len() as f64) as usize)
            .map_or(flight.score, |(_, score)| *score)
    }
}

fn place(flight: &Flight) -> (String, i64) {
    (flight.origin().to_owned(), flight.number("sched_hour").unwrap_or(0.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::super::flights;
    use super::*;

    #[test]
    fn the_score_is_one_of_a_flight_with_like_wind_from_the_same_airport() {
        let seen = flights::read(flights::FILE, 320_000).expect("flights");
        let scorer = Scorer::learn(&seen);
        let mut flight = seen[0].clone();
        flight.set_number("wind_speed", Some(1_000.0));
        let score = scorer.score(&flight, 0.5);
        assert!(seen.iter().any(|other| other.origin() == flight.origin() && other.score == score));
    }

    #[test]
    fn an_unknown_place_keeps_the_recorded_score() {
        let flight = flights::read(flights::FILE, 336_775).expect("a flight").remove(0);
        assert_eq!(Scorer::learn(&[]).score(&flight, 0.3), flight.score);
    }
}
