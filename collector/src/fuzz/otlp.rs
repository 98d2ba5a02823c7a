//! Log records, as protobuf and as JSON.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;
use prost::Message as _;

use super::json::once;
use super::mutation::{like, like_any_of};
use super::{config, corpus, rules};
use crate::decode::{self, Framing, Names};
use crate::sources::otlp::{Encoding, Lines, lines};

/// The corpus in protobuf.
fn messages() -> Vec<Vec<u8>> {
    let message = |text: Vec<u8>| {
        serde_json::from_slice::<ExportLogsServiceRequest>(&text).expect("a request").encode_to_vec()
    };
    corpus("otlp").into_iter().map(message).collect()
}

fn records(request: &ExportLogsServiceRequest) -> usize {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

/// That every record became a line, or is counted.
fn all_are_counted(read: &Lines) -> Result<(), TestCaseError> {
    let Lines { predictions, outcomes, others, refused, records } = read;
    let counted = predictions.lines().count() + outcomes.lines().count() + others.0 + refused.len();
    prop_assert_eq!(counted, *records);
    let (rules, mut names) = (rules(), Names::default());
    let expected = predictions.lines().count();
    once(&decode::predictions(predictions.as_bytes(), Framing::Lines, &mut names, &rules), Some(expected))?;
    let expected = outcomes.lines().count();
    once(&decode::outcomes(outcomes.as_bytes(), Framing::Lines, &mut names, &rules), Some(expected))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_record_of_a_broken_message_comes_out_once(body in like_any_of(messages())) {
        let read = lines(&body, Encoding::Protobuf, rules().received_at);
        // What a whole decoder takes, ours takes, and finds as many records in it.
        if let Ok(request) = ExportLogsServiceRequest::decode(body.as_slice()) {
            prop_assert_eq!(read.as_ref().map(|read| read.records), Ok(records(&request)));
        }
        read.iter().try_for_each(all_are_counted)?;
    }

    #[test]
    fn every_record_of_a_broken_request_in_json_comes_out_once(body in like("otlp")) {
        let read = lines(&body, Encoding::Json, rules().received_at);
        if let (Ok(read), Ok(request)) = (&read, serde_json::from_slice::<ExportLogsServiceRequest>(&body)) {
            prop_assert_eq!(read.records, records(&request));
        }
        read.iter().try_for_each(all_are_counted)?;
    }
}
