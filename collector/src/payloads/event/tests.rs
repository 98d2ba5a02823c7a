use bytes::Bytes;

use super::*;
use crate::payloads::Part;

fn payload(part: Part, at: &str, data: &str, extensions: &[(&str, &str)]) -> Payload {
    let usual = [("inferenceservicename", "iris"), ("namespace", "prod"), ("component", "predictor")];
    let extensions = usual.iter().chain(extensions);
    let event = CloudEvent {
        id: "7".to_owned(),
        source: "s".to_owned(),
        kind: kserve::REQUEST.to_owned(),
        time: at.parse().ok(),
        content_type: String::new(),
        extensions: extensions.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        data: Bytes::copy_from_slice(data.as_bytes()),
    };
    Payload { part, event, received_at: Instant::from_seconds(9), models: Vec::new() }
}

const ASKED: &str = "2026-11-20T18:00:00Z";
const INPUTS: &str = r#"{"instances":[[1,2],[3,4]]}"#;

fn of(
    request: Option<&Payload>,
    response: Option<&Payload>,
    settings: &Settings,
) -> Result<Vec<Value>, Wrong> {
    let group = Group { request, response, feedback: None };
    let lines = lines(&group, settings, |_| Contract::default())?;
    Ok(lines.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[test]
fn a_request_and_its_response_become_an_event_an_instance() {
    let request = payload(Part::Request, ASKED, INPUTS, &[("endpoint", "default")]);
    let answer =
        r#"{"model_version":"3","outputs":[{"name":"p","shape":[2],"datatype":"FP32","data":[0.5,1]}]}"#;
    let trace = ("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01");
    let response =
        payload(Part::Response, "2026-11-20T18:00:00.025Z", answer, &[trace, ("endpoint", "default")]);
    let events = of(Some(&request), Some(&response), &Settings::default()).expect("events");
    let expected = json!({"model": "iris", "version": "3", "environment": "production", "timestamp": ASKED,
        "latency_ms": 25.0, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "tags": {"namespace": "prod", "component": "predictor", "endpoint": "default"},
        "id": "7-1", "features": {"f0": 3, "f1": 4}, "prediction": {"p": 1.0}});
    assert_eq!(events.len(), 2);
    assert_eq!(events[1], expected);
}

#[test]
fn half_an_inference_is_what_it_is() {
    let request = payload(Part::Request, ASKED, r#"{"instances":[{"a":1}]}"#, &[]);
    let events = of(Some(&request), None, &Settings::default()).expect("events");
    assert_eq!(
        (&events[0]["id"], &events[0]["features"]["a"], &events[0]["prediction"]),
        (&json!("7"), &json!(1), &Value::Null)
    );
    let response = payload(Part::Response, "", r#"{"predictions":[0.5]}"#, &[]);
    let events = of(None, Some(&response), &Settings::default()).expect("events");
    assert_eq!((&events[0]["features"], &events[0]["prediction"]["value"]), (&Value::Null, &json!(0.5)));
    assert_eq!(events[0]["timestamp"], "1970-01-01T00:00:09Z");
}

#[test]
fn sides_that_do_not_fit_are_refused() {
    let request = payload(Part::Request, ASKED, INPUTS, &[]);
    let response = payload(Part::Response, ASKED, r#"{"predictions":[0.5]}"#, &[]);
    let wrong = of(Some(&request), Some(&response), &Settings::default()).expect_err("refused");
    assert_eq!(wrong.to_string(), "outputs: the response has 1 instances, the request 2");
}

#[test]
fn model_and_environment_come_from_attributes_as_configured() {
    let event = |extensions: &[(&str, &str)]| payload(Part::Request, ASKED, INPUTS, extensions).event;
    let settings = Settings::default();
    let name = |extensions: &[(&str, &str)]| model(&event(extensions), &settings).expect("a model");
    assert_eq!(name(&[]), "iris");
    assert_eq!(name(&[("component", "transformer")]), "iris-transformer");
    assert_eq!(name(&[("modelid", "node")]), "iris.node");
    assert_eq!(name(&[("modelid", "iris")]), "iris");
    assert_eq!(environment(&event(&[("endpoint", "canary")]), &settings).as_deref(), Some("canary"));
    let settings = Settings {
        namespace_in_model: true,
        environment_from: EnvironmentFrom::Namespace,
        environments: [("prod".to_owned(), "production".to_owned())].into(),
        ..Settings::default()
    };
    assert_eq!(model(&event(&[]), &settings).as_deref(), Some("prod.iris"));
    assert_eq!(environment(&event(&[]), &settings).as_deref(), Some("production"));
}

#[test]
fn wanted_headers_and_the_sampling_rate_become_tags() {
    let metadata = r#"{"X-Region":["eu","us"],"Cookie":["secret"]}"#;
    let request = payload(Part::Request, ASKED, INPUTS, &[("metadata", metadata), ("sampledrate", "10")]);
    let settings = Settings { metadata_tags: vec!["x-region".to_owned()], ..Settings::default() };
    let tags = of(Some(&request), None, &settings).expect("events")[0]["tags"].clone();
    assert_eq!(
        (&tags["x-region"], &tags["sampledrate"], &tags["cookie"]),
        (&json!("eu"), &json!("10"), &Value::Null)
    );
}

#[test]
fn a_feedback_becomes_outcomes_of_its_request() {
    let truth = r#"{"truth":{"data":{"ndarray":[1,0]}},"reward":1}"#;
    let feedback = payload(Part::Feedback, ASKED, truth, &[("requestid", "r")]);
    let group = Group { request: None, response: None, feedback: Some(&feedback) };
    let known = Contract { outputs: vec!["fraud".to_owned()], ..Contract::default() };
    let lines = lines(&group, &Settings::default(), |_| known.clone()).expect("events");
    assert!(lines.are_outcomes);
    let first: Value = serde_json::from_str(lines.text.lines().next().expect("a line")).expect("JSON");
    let expected =
        json!({"model": "iris", "timestamp": ASKED, "id": "r-0", "outcome": {"fraud": 1, "reward": 1.0}});
    assert_eq!(first, expected);
}
