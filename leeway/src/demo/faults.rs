//! What breaks in the demonstration, and when: a pure schedule over the time since live events began.

use std::time::Duration;

use super::flights::Flight;

/// A fault of the data, as they happen in production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The temperature sensor of one airport sends nothing.
    TemperatureMissing,
    /// The wind sensor of one airport sends km/h where mph are expected.
    WindInKilometres,
    /// The pressure of all airports is the same for every flight.
    PressureStandsStill,
}

/// Where the faults happen that one sensor makes.
pub const AIRPORT: &str = "JFK";

/// Kilometres in a mile.
const KILOMETRES: f64 = 1.609_344;
/// Hectopascals that a feed repeats which has lost its source.
const STILL: f64 = 1_017.3;

/// Faults in turn: each begins so long after the last one ended, and lasts. The first begins a minute in.
const PAUSE: Duration = Duration::from_secs(60);
const LENGTH: Duration = Duration::from_secs(240);
/// After a fault the model needs healthy windows before its incident resolves.
const RECOVERY: Duration = Duration::from_secs(360);
const TURN: [Fault; 3] = [Fault::TemperatureMissing, Fault::WindInKilometres, Fault::PressureStandsStill];

impl Fault {
    /// The fault that is on, `elapsed` after live events began.
    pub fn at(elapsed: Duration) -> Option<Self> {
        let cycle = PAUSE + LENGTH + RECOVERY;
        let (turn, within) =
            ((elapsed.as_secs() / cycle.as_secs()) as usize, elapsed.as_secs() % cycle.as_secs());
        let on = within >= PAUSE.as_secs() && within < (PAUSE + LENGTH).as_secs();
        on.then(|| TURN[turn % TURN.len()])
    }

    /// Does to a flight what the fault does. Where one sensor fails, flights from elsewhere are left alone.
    pub fn apply(self, flight: &mut Flight) {
        let is_here = flight.origin() == AIRPORT;
        match self {
            Self::TemperatureMissing if is_here => flight.set_number("temp", None),
            Self::WindInKilometres if is_here => {
                let slipped = flight.number("wind_speed").map(|mph| mph * KILOMETRES);
                flight.set_number("wind_speed", slipped);
            }
            Self::PressureStandsStill => flight.set_number("pressure", Some(STILL)),
            Self::TemperatureMissing | Self::WindInKilometres => {}
        }
    }

    /// What a person at the terminal is told.
    pub fn sentence(self) -> String {
        match self {
            Self::TemperatureMissing => format!("the temperature of {AIRPORT} goes missing"),
            Self::WindInKilometres => format!("the wind at {AIRPORT} comes in km/h instead of mph"),
            Self::PressureStandsStill => "the pressure stands still at every airport".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(origin: &str) -> Flight {
        let mut flight = Flight {
            numbers: [Some(10.0); 13],
            categories: std::array::from_fn(|_| None),
            score: 0.2,
            late: Some(false),
        };
        flight.categories[0] = Some(origin.to_owned());
        flight
    }

    #[test]
    fn the_first_fault_begins_after_a_minute_and_ends_again() {
        let at = |seconds| Fault::at(Duration::from_secs(seconds));
        assert_eq!(at(59), None);
        assert_eq!(at(60), Some(Fault::TemperatureMissing));
        assert_eq!(at(299), Some(Fault::TemperatureMissing));
        assert_eq!(at(300), None);
        assert_eq!(at(660 + 60), Some(Fault::WindInKilometres));
        assert_eq!(at(2 * 660 + 60), Some(Fault::PressureStandsStill));
        assert_eq!(at(3 * 660 + 60), Some(Fault::TemperatureMissing));
    }

    #[test]
    fn only_flights_from_the_airport_are_touched_by_its_sensors() {
        let (mut here, mut elsewhere) = (flight(AIRPORT), flight("LGA"));
        for one in [&mut here, &mut elsewhere] {
            Fault::TemperatureMissing.apply(one);
            Fault::WindInKilometres.apply(one);
        }
        assert_eq!(here.number("temp"), None);
        assert_eq!(here.number("wind_speed"), Some(16.09344));
        assert_eq!(elsewhere, flight("LGA"));
        Fault::PressureStandsStill.apply(&mut elsewhere);
        assert_eq!(elsewhere.number("pressure"), Some(STILL));
    }
}
