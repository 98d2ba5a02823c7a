//! CloudEvents in their three modes.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::config;
use super::mutation::{like, like_any_of};
use crate::sources::cloudevents::{self, CloudEvent, Mode};

/// The largest data that is taken here.
const MOST: usize = 2_048;

fn holds(event: &CloudEvent) -> Result<(), TestCaseError> {
    for text in [&event.id, &event.source, &event.kind] {
        prop_assert!(!text.is_empty() && text.len() <= 1_024, "{text:?}");
    }
    prop_assert!(event.data.len() <= MOST);
    Ok(())
}

/// Values of headers like those that are sent.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let good =
        ["1.0", "0.3", "7f3c", "http://localhost:9081/", "2025-11-20T18:00:00Z", "caf%C3%A9", "%ff", ""];
    like_any_of(good.iter().map(|text| text.as_bytes().to_vec()).collect())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_event_of_a_broken_batch_comes_out_once(body in like("cloudevents")) {
        let body = Bytes::from(body);
        let expected = serde_json::from_slice::<Vec<&RawValue>>(&body).ok().map(|all| all.len());
        let read = cloudevents::read(Mode::Batch, &HeaderMap::new(), body.clone(), MOST);
        prop_assert_eq!(read.as_ref().ok().map(Vec::len), expected);
        for event in read.unwrap_or_default().iter().flatten() {
            holds(event)?;
        }
    }

    #[test]
    fn a_broken_event_is_understood_or_refused(body in like("cloudevents")) {
        let read = cloudevents::read(Mode::Structured, &HeaderMap::new(), Bytes::from(body), MOST);
        let events = read.expect("one event, good or bad");
        prop_assert_eq!(events.len(), 1);
        events.iter().flatten().try_for_each(holds)?;
    }

    #[test]
    fn an_event_in_broken_headers_is_understood_or_refused(
        values in prop::collection::vec(value(), 6), body in like("v1v2")
    ) {
        let names = ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-traceparent"];
        let header = |(name, value): (&'static str, Vec<u8>)| {
            // What is no header at all does not come through the door.
            Some((HeaderName::from_static(name), HeaderValue::from_bytes(&value).ok()?))
        };
        let headers: HeaderMap = names.into_iter().zip(values).filter_map(header).collect();
        let read = cloudevents::read(Mode::Binary, &headers, Bytes::from(body), MOST).expect("one event, good or bad");
        prop_assert_eq!(read.len(), 1);
        read.iter().flatten().try_for_each(holds)?;
    }
}
