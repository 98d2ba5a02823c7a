//! Bodies of V1 and V2, Seldon's messages and feedback, and the events that are made of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::contract::Contract;
use domain::time::Instant;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::once;
use super::mutation::like;
use super::{config, rules};
use crate::config::Payloads as Settings;
use crate::decode::{self, Framing, Names};
use crate::payloads::pairs::Group;
use crate::payloads::rows::{MOST_INSTANCES, Side};
use crate::payloads::{Part, Payload, event};
use crate::sources::cloudevents::CloudEvent;
use crate::sources::kserve;

/// A body of V1, as far as it says how many instances it has.
#[derive(Deserialize)]
struct V1<'a> {
    #[serde(borrow)]
    instances: Vec<&'a RawValue>,
}

fn payload(part: Part, data: Vec<u8>) -> Payload {
    let extensions = BTreeMap::from([("inferenceservicename".to_owned(), "iris".to_owned())]);
    let event = CloudEvent {
        id: "7".to_owned(),
        source: "s".to_owned(),
        kind: kserve::REQUEST.to_owned(),
        time: None,
        content_type: String::new(),
        extensions,
        data: Bytes::from(data),
    };
    let received_at: Instant = rules().received_at;
    Payload { part, event, received_at, models: Vec::new() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_broken_body_becomes_a_row_an_instance_or_is_refused(
        body in like("v1v2"), is_request in any::<bool>(), known in prop::collection::vec("[a-c]", 0..3)
    ) {
        let side = if is_request { Side::Inputs } else { Side::Outputs };
        let Ok(rows) = kserve::rows(&body, side, &known) else { return Ok(()) };
        prop_assert!((1..=MOST_INSTANCES).contains(&rows.rows.len()), "{} rows", rows.rows.len());
        for row in &rows.rows {
            let row: Value = serde_json::from_str(row).expect("each row is JSON");
            prop_assert!(row.is_object(), "{row}");
        }
        let text = serde_json::from_slice::<serde_json::Map<String, Value>>(&body).ok();
        let is_v1 = is_request && text.is_some_and(|fields| !fields.contains_key("inputs"));
        if let (true, Ok(V1 { instances })) = (is_v1, serde_json::from_slice(&body)) {
            prop_assert_eq!(rows.rows.len(), instances.len());
        }
    }

    #[test]
    fn what_is_made_of_broken_payloads_is_events_each_of_which_comes_out_once(
        request in like("v1v2"), response in prop::option::of(like("v1v2")), is_feedback in any::<bool>()
    ) {
        let settings = Settings::default();
        let request = payload(if is_feedback { Part::Feedback } else { Part::Request }, request);
        let response = response.map(|data| payload(Part::Response, data));
        let group = match is_feedback {
            true => Group::of(Part::Feedback, &request),
            false => Group { request: Some(&request), response: response.as_ref(), feedback: None },
        };
        let Ok(lines) = event::lines(&group, &settings, |_| Contract::default()) else { return Ok(()) };
        let expected = Some(lines.text.lines().count());
        let (body, mut names) = (lines.text.as_bytes(), Names::default());
        if lines.are_outcomes {
            once(&decode::outcomes(body, Framing::Lines, &mut names, &rules()), expected)?;
        } else {
            once(&decode::predictions(body, Framing::Lines, &mut names, &rules()), expected)?;
        }
    }
}
