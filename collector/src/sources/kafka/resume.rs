//! Where a partition is taken up: from what is recorded, what is committed, and what its log still holds.
//!
//! Invariant: of a life's claims only the last may be unfinished. A range is claimed after the one before it was
//! stored, by whoever it was; so everything before the last claim is stored, and the last claim is finished first.

use sql::kafka_ranges::{Claim, Life, Range};

use super::config::Start;

/// What is known of a partition before anything is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The topic's identity now; empty where the brokers give none.
    pub topic_id: String,
    /// The last claim of each life, of former topics of this name as well.
    pub claims: Vec<Claim>,
    /// What the group has committed.
    pub committed: Option<i64>,
    /// The offsets of the log: the first that is there, and the first that is not there yet.
    pub low: i64,
    pub high: i64,
}

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    pub life: Life,
    /// The first offset to take.
    pub position: i64,
    /// A range that may be stored in part or not at all; it begins at `position`, or before it where its beginning is
    /// no longer there.
    pub open: Option<Range>,
    /// What cannot be taken any more.
    pub gap: Option<Gap>,
}

/// Offsets that were not taken and are no longer in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: i64,
    pub next: i64,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Retention, or somebody, removed them from the beginning of the log.
    Removed,
    /// The log ends before them: it lost its end, as in an unclean election. Its offsets are given to other messages.
    TakenBack,
}

/// Decides how a partition is taken up.
pub fn resume(known: &Known, start: Start) -> Resume {
    let (low, high) = (known.low, known.high);
    let of_topic = known.claims.iter().filter(|claim| claim.life.topic_id == known.topic_id);
    let last = of_topic.max_by_key(|claim| claim.life.era);
    let life = match last {
        Some(claim) => claim.life.clone(),
        None => Life { topic_id: known.topic_id.clone(), era: 0 },
    };
    let (position, open) = match (last, known.committed) {
        (Some(claim), Some(committed)) if committed >= claim.range.next => (committed, None),
        (Some(claim), _) => (claim.range.first, Some(claim.range.clone())),
        // The topic was made again: what was committed means another log.
        (None, _) if !known.claims.is_empty() => (low, None),
        (None, Some(committed)) => (committed, None),
        (None, None) => (if start == Start::Latest { high } else { low }, None),
    };
    if position > high {
        // Nothing of the lost end can come back, and its offsets will be others' claims: a new era.
        let gap = Gap { first: high, next: position, cause: Cause::TakenBack };
        let life = Life { era: life.era + 1, ..life };
        return Resume { life, position: high, open: None, gap: Some(gap) };
    }
    if position >= low {
        return Resume { life, position, open, gap: None };
    }
    let gap = Gap { first: position, next: low, cause: Cause::Removed };
    // What is left of an open range is still stored under its token.
    let open = open.filter(|range| range.next > low);
    Resume { life, position: low, open, gap: Some(gap) }
}

#[cfg(test)]
mod tests {
    use domain::time::Instant;

    use super::*;

    const ID: &str = "id-1";

    fn claim(topic_id: &str, era: u32, first: i64, next: i64) -> Claim {
        let messages = u32::try_from(next - first).expect("small");
        let received_at = Instant::from_seconds(first);
        let range = Range { first, next, messages, received_at, repeated: Vec::new() };
        Claim { life: Life { topic_id: topic_id.to_owned(), era }, range }
    }

    fn known(claims: Vec<Claim>, committed: Option<i64>) -> Known {
        Known { topic_id: ID.to_owned(), claims, committed, low: 0, high: 1_000 }
    }

    fn earliest(known: &Known) -> Resume {
        resume(known, Start::Earliest)
    }

    fn taken_up(position: i64, open: Option<Range>) -> Resume {
        Resume { life: Life { topic_id: ID.to_owned(), era: 0 }, position, open, gap: None }
    }

    #[test]
    fn a_group_that_never_was_there_begins_where_it_is_told() {
        assert_eq!(earliest(&Known { low: 7, ..known(vec![], None) }), taken_up(7, None));
        assert_eq!(resume(&known(vec![], None), Start::Latest), taken_up(1_000, None));
    }

    #[test]
    fn a_crash_before_the_claim_leaves_nothing_open() {
        assert_eq!(earliest(&known(vec![], Some(100))), taken_up(100, None));
        assert_eq!(earliest(&known(vec![claim(ID, 0, 0, 100)], Some(100))), taken_up(100, None));
    }

    #[test]
    fn a_crash_after_the_claim_or_the_insert_has_the_range_finished_first() {
        let last = claim(ID, 0, 100, 250);
        let expected = taken_up(100, Some(last.range.clone()));
        assert_eq!(earliest(&known(vec![last.clone()], Some(100))), expected);
        // The first batch of all: nothing was ever committed.
        assert_eq!(resume(&known(vec![last], None), Start::Latest), expected);
    }

    #[test]
    fn a_crash_after_the_commit_leaves_nothing_open() {
        assert_eq!(earliest(&known(vec![claim(ID, 0, 100, 250)], Some(250))), taken_up(250, None));
    }

    #[test]
    fn lost_or_older_commits_lead_to_the_last_claim() {
        let last = claim(ID, 0, 500, 600);
        for committed in [None, Some(0), Some(100), Some(599)] {
            let expected = taken_up(500, Some(last.range.clone()));
            assert_eq!(earliest(&known(vec![last.clone()], committed)), expected, "{committed:?}");
        }
    }

    #[test]
    fn who_moves_the_group_forward_is_heeded() {
        assert_eq!(earliest(&known(vec![claim(ID, 0, 100, 250)], Some(800))), taken_up(800, None));
    }

    #[test]
    fn what_retention_removed_is_a_gap_and_the_rest_of_an_open_range_stays_open() {
        let last = claim(ID, 0, 100, 250);
        let removed = |next| Some(Gap { first: 100, next, cause: Cause::Removed });
        let at = |low| earliest(&Known { low, ..known(vec![last.clone()], Some(100)) });
        assert_eq!(at(150), Resume { gap: removed(150), ..taken_up(150, Some(last.range.clone())) });
        assert_eq!(at(250), Resume { gap: removed(250), ..taken_up(250, None) });
        assert_eq!(at(400), Resume { gap: removed(400), ..taken_up(400, None) });
    }

    #[test]
    fn an_end_that_was_taken_back_begins_an_era() {
        let truncated = Known { high: 200, ..known(vec![claim(ID, 0, 100, 250)], Some(250)) };
        let found = earliest(&truncated);
        assert_eq!(found.life.era, 1);
        assert_eq!((found.position, found.open), (200, None));
        assert_eq!(found.gap, Some(Gap { first: 200, next: 250, cause: Cause::TakenBack }));
        // From then on the claims of the new era hold, although their offsets are lower.
        let later = Known { claims: vec![claim(ID, 0, 100, 250), claim(ID, 1, 200, 220)], ..truncated };
        let later = Known { committed: Some(220), high: 240, ..later };
        assert_eq!((earliest(&later).life.era, earliest(&later).position), (1, 220));
    }

    #[test]
    fn a_topic_that_was_made_again_begins_at_its_beginning() {
        let again = known(vec![claim("id-0", 0, 900, 950)], Some(300));
        assert_eq!(earliest(&again), taken_up(0, None));
        assert_eq!(resume(&again, Start::Latest), taken_up(0, None));
        let later = known(vec![claim("id-0", 0, 900, 950), claim(ID, 0, 0, 40)], Some(40));
        assert_eq!(earliest(&later), taken_up(40, None));
    }
}
