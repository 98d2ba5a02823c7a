//! Requests that wait for their responses, and responses that wait for their requests: in bounded number, for a bounded
//! time.
//!
//! Invariant: every payload that was added comes out once, in a group or as a duplicate.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant as Moment};

use serde::{Deserialize, Serialize};

use super::{Key, Part};

/// What belongs together: a request with its response, one of both alone, or a feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group<P> {
    pub request: Option<P>,
    pub response: Option<P>,
    pub feedback: Option<P>,
}

impl<P: Copy> Group<P> {
    pub fn of(part: Part, place: P) -> Self {
        let none = Self { request: None, response: None, feedback: None };
        match part {
            Part::Request => Self { request: Some(place), ..none },
            Part::Response => Self { response: Some(place), ..none },
            Part::Feedback => Self { feedback: Some(place), ..none },
        }
    }

    pub fn parts(&self) -> impl Iterator<Item = P> {
        [self.request, self.response, self.feedback].into_iter().flatten()
    }
}

/// What came of a payload that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added<P> {
    Waits,
    Whole(Group<P>),
    /// The same part of the same inference had come before.
    Duplicate(P),
}

#[derive(Debug)]
enum State<P> {
    Half(Part, P),
    /// Both came; remembered as long as a half would wait, so that what is sent again is known.
    Whole,
}

#[derive(Debug)]
pub struct Pairs<P> {
    within: Duration,
    most: usize,
    states: HashMap<Key, State<P>>,
    order: VecDeque<(Moment, Key)>,
}

impl<P: Copy> Pairs<P> {
    pub fn new(within: Duration, most: usize) -> Self {
        Self { within, most, states: HashMap::new(), order: VecDeque::new() }
    }

    pub fn add(&mut self, key: Key, part: Part, place: P, now: Moment) -> Added<P> {
        if part == Part::Feedback {
            return Added::Whole(Group::of(part, place));
        }
        let Some(state) = self.states.get_mut(&key) else {
            self.states.insert(key, State::Half(part, place));
            self.order.push_back((now, key));
            return Added::Waits;
        };
        match *state {
            State::Half(waiting, other) if waiting != part => {
                *state = State::Whole;
                let (one, two) = (Group::of(waiting, other), Group::of(part, place));
                let (request, response) = (one.request.or(two.request), one.response.or(two.response));
                Added::Whole(Group { request, response, feedback: None })
            }
            State::Half(..) | State::Whole => Added::Duplicate(place),
        }
    }

    /// Takes out what has waited long enough, and the oldest where too many wait.
    pub fn expire(&mut self, now: Moment) -> Vec<Group<P>> {
        let mut alone = Vec::new();
        while let Some((since, key)) = self.order.front().copied() {
            if self.order.len() <= self.most && now.saturating_duration_since(since) < self.within {
                break;
            }
            self.order.pop_front();
            if let Some(State::Half(part, place)) = self.states.remove(&key) {
                alone.push(Group::of(part, place));
            }
        }
        alone
    }

    /// When the next one has waited long enough.
    pub fn due(&self) -> Option<Moment> {
        self.order.front().map(|(since, _)| *since + self.within)
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Key {
        Key([n; 16])
    }

    const WITHIN: Duration = Duration::from_secs(60);

    #[test]
    fn request_and_response_meet_whichever_comes_first() {
        let now = Moment::now();
        let mut pairs = Pairs::new(WITHIN, 10);
        assert_eq!(pairs.add(key(1), Part::Request, 1, now), Added::Waits);
        assert_eq!(pairs.add(key(2), Part::Response, 2, now), Added::Waits);
        let whole = |request, response| {
            Added::Whole(Group { request: Some(request), response: Some(response), feedback: None })
        };
        assert_eq!(pairs.add(key(1), Part::Response, 3, now), whole(1, 3));
        assert_eq!(pairs.add(key(2), Part::Request, 4, now), whole(4, 2));
        assert_eq!(pairs.add(key(2), Part::Request, 5, now), Added::Duplicate(5));
        assert_eq!(pairs.add(key(2), Part::Feedback, 6, now), Added::Whole(Group::of(Part::Feedback, 6)));
        assert_eq!(pairs.expire(now + WITHIN), []);
        assert!(pairs.is_empty() && pairs.states.is_empty());
    }

    #[test]
    fn what_waited_long_enough_comes_alone() {
        let now = Moment::now();
        let mut pairs = Pairs::new(WITHIN, 10);
        pairs.add(key(1), Part::Request, 1, now);
        pairs.add(key(2), Part::Response, 2, now + Duration::from_secs(1));
        assert_eq!(pairs.due(), Some(now + WITHIN));
        assert_eq!(pairs.expire(now + WITHIN), [Group::of(Part::Request, 1)]);
        assert_eq!(pairs.expire(now + WITHIN + WITHIN), [Group::of(Part::Response, 2)]);
    }

    #[test]
    fn beyond_the_bound_the_oldest_goes_alone() {
        let now = Moment::now();
        let mut pairs = Pairs::new(WITHIN, 2);
        for n in 0..3 {
            pairs.add(key(n), Part::Request, n, now);
        }
        assert_eq!(pairs.expire(now), [Group::of(Part::Request, 0)]);
        assert_eq!(pairs.len(), 2);
    }

    proptest! {
        #[test]
        fn every_payload_comes_out_once(
            added in prop::collection::vec((0_u8..20, 0_u8..3, 0_u64..40), 0..300), most in 1_usize..30
        ) {
            let (mut now, mut pairs) = (Moment::now(), Pairs::new(WITHIN, most));
            let mut out: Vec<usize> = Vec::new();
            for (place, (n, part, wait)) in added.iter().enumerate() {
                now += Duration::from_secs(*wait);
                let part = [Part::Request, Part::Response, Part::Feedback][usize::from(*part)];
                match pairs.add(key(*n), part, place, now) {
                    Added::Waits => {}
                    Added::Whole(group) => out.extend(group.parts()),
                    Added::Duplicate(place) => out.push(place),
                }
                out.extend(pairs.expire(now).iter().flat_map(Group::parts));
                prop_assert!(pairs.len() <= most);
                prop_assert!(pairs.states.len() <= pairs.order.len());
            }
            out.extend(pairs.expire(now + WITHIN).iter().flat_map(Group::parts));
            prop_assert_eq!(out.len(), added.len());
            prop_assert_eq!(out.into_iter().collect::<BTreeSet<_>>().len(), added.len());
        }
    }
}
