//! Bodies of `POST /v1/predictions` and `POST /v1/outcomes`.

use std::fmt::Debug;

use domain::signal::MAX_NAME_BYTES;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::mutation::like;
use super::{config, rules};
use crate::decode::{self, Decoded, Framing, MOST_REFUSED, Names, Unreadable};
use crate::predictions::Predictions;

/// How many events a body has, where a reader that is not ours can tell.
fn expected(body: &[u8], framing: Framing) -> Option<usize> {
    match framing {
        Framing::Lines => Some(lines(body)),
        Framing::Json => serde_json::from_slice::<Vec<&RawValue>>(body).ok().map(|all| all.len()),
    }
}

/// Lines with something in them.
pub fn lines(body: &[u8]) -> usize {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()
}

/// That every event came out once.
pub fn once<E: Debug>(
    outcome: &Result<Decoded<E>, Unreadable>,
    expected: Option<usize>,
) -> Result<(), TestCaseError> {
    match outcome {
        Ok(Decoded { events, refused }) => {
            let all = events.len() + refused.len();
            prop_assert!(expected.is_none_or(|expected| expected == all), "{all} of {expected:?}");
            let indices: Vec<usize> = refused.iter().map(|refused| refused.index).collect();
            prop_assert!(indices.is_sorted_by(|a, b| a < b), "{indices:?}");
            prop_assert!(indices.last().is_none_or(|last| *last < all), "{indices:?}");
            prop_assert!(refused.iter().all(|refused| !refused.error.is_empty()));
        }
        Err(Unreadable::Empty) => prop_assert!(expected.is_none_or(|expected| expected == 0)),
        Err(Unreadable::TooManyRefused { .. } | Unreadable::TooMany) => {
            prop_assert!(expected.is_none_or(|expected| expected > MOST_REFUSED));
        }
        Err(unreadable) => prop_assert_eq!(expected, None, "{}", unreadable),
    }
    Ok(())
}

fn names() -> Names {
    let mut names = Names::default();
    names.make_ids_of(Some("fuzz".to_owned()));
    names
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_prediction_of_a_broken_body_comes_out_once_as_rows_and_as_columns(
        body in like("events"), framing in prop_oneof![Just(Framing::Json), Just(Framing::Lines)]
    ) {
        let rules = rules();
        let rows = decode::predictions(&body, framing, &mut names(), &rules);
        once(&rows, expected(&body, framing))?;
        let mut columns = Predictions::default();
        let refused = decode::predictions_into(&body, framing, &mut names(), &rules, &mut columns);
        let Ok(Decoded { events, refused: refused_rows }) = rows else {
            prop_assert!(refused.is_err());
            return Ok(());
        };
        prop_assert_eq!(refused.expect("the same body"), refused_rows);
        prop_assert_eq!(columns.len(), events.len());
        for (column, row) in columns.rows().zip(&events) {
            prop_assert!(!row.model.is_empty() && row.timestamp >= rules.oldest && row.timestamp <= rules.newest);
            let signals = row.numbers.iter().map(|(name, _)| name).chain(row.categories.iter().map(|(name, _)| name));
            for name in signals {
                prop_assert!(name.len() <= MAX_NAME_BYTES + 32 && !name.chars().any(char::is_control), "{name:?}");
            }
            // NaN is not equal to itself.
            prop_assert_eq!(format!("{column:?}"), format!("{row:?}"));
        }
    }

    #[test]
    fn every_outcome_of_a_broken_body_comes_out_once(
        body in like("outcomes"), framing in prop_oneof![Just(Framing::Json), Just(Framing::Lines)]
    ) {
        once(&decode::outcomes(&body, framing, &mut names(), &rules()), expected(&body, framing))?;
    }
}
