use super::*;

fn known(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn all(body: &str, side: Side, names: &[&str]) -> Vec<String> {
    rows(body.as_bytes(), side, &known(names)).expect("rows").rows
}

fn wrong(body: &[u8], side: Side) -> String {
    rows(body, side, &[]).expect_err("refused").to_string()
}

#[test]
fn v1_instances_and_predictions_become_rows() {
    let body = r#"{"instances": [[6.8, 2.8], [6.0, NaN]], "signature_name": "x"}"#;
    assert_eq!(all(body, Side::Inputs, &[]), [r#"{"f0":6.8,"f1":2.8}"#, r#"{"f0":6.0,"f1":"NaN"}"#]);
    assert_eq!(all(r#"{"instances": [[6.8, 2.8]]}"#, Side::Inputs, &["w", "h"]), [r#"{"w":6.8,"h":2.8}"#]);
    assert_eq!(
        all(r#"{"instances": [{"w": 1, "h": {"x": "y"}}]}"#, Side::Inputs, &[]),
        [r#"{"w":1,"h":{"x":"y"}}"#]
    );
    assert_eq!(
        all(r#"{"predictions": [1, "no"]}"#, Side::Outputs, &[]),
        [r#"{"value":1}"#, r#"{"value":"no"}"#]
    );
}

#[test]
fn named_tensors_are_features_of_every_instance() {
    let body = r#"{"id":"1","inputs":[
        {"name":"amount","shape":[2],"datatype":"FP64","data":[12.5,3]},
        {"name":"country","shape":[2,1],"datatype":"BYTES","data":[["BR"],["DE"]]},
        {"name":"new","shape":[2],"datatype":"BOOL","data":[true,null]},
        {"name":"place","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}]}"#;
    assert_eq!(
        all(body, Side::Inputs, &[]),
        [
            r#"{"amount":12.5,"country":"BR","new":true,"place.0":1.0,"place.1":2.0}"#,
            r#"{"amount":3.0,"country":"DE","new":null,"place.0":3.0,"place.1":4.0}"#
        ]
    );
}

#[test]
fn a_table_in_one_tensor_has_the_contracts_names_or_made_ones() {
    let body = r#"{"inputs":[{"name":"input-0","shape":[2,2],"datatype":"FP32","data":[[6.8,2.8],[6,3]]}]}"#;
    assert_eq!(all(body, Side::Inputs, &[]), [r#"{"f0":6.8,"f1":2.8}"#, r#"{"f0":6.0,"f1":3.0}"#]);
    assert_eq!(all(body, Side::Inputs, &["w", "h"]), [r#"{"w":6.8,"h":2.8}"#, r#"{"w":6.0,"h":3.0}"#]);
    assert!(
        rows(body.as_bytes(), Side::Inputs, &known(&["w"]))
            .expect_err("refused")
            .problem
            .contains("2 values")
    );
}

#[test]
fn outputs_say_which_model_and_version_answered() {
    let body = r#"{"model_name":"iris","model_version":"v3","outputs":[
        {"name":"predict","shape":[1],"datatype":"INT64","data":[2]},
        {"name":"proba","shape":[1,3],"datatype":"FP64","data":[0.1,0.2,0.7],"parameters":{"content_type":"np"}}]}"#;
    let found = rows(body.as_bytes(), Side::Outputs, &[]).expect("rows");
    assert_eq!(found.rows, [r#"{"predict":2.0,"proba.0":0.1,"proba.1":0.2,"proba.2":0.7}"#]);
    assert_eq!((found.model.as_deref(), found.version.as_deref()), (Some("iris"), Some("v3")));
}

#[test]
fn tensors_of_more_dimensions_are_vectors_and_large_ones_their_norm() {
    let body = r#"{"inputs":[{"name":"image","shape":[1,2,2],"datatype":"UINT8","data":[3,4,0,0]}]}"#;
    assert_eq!(all(body, Side::Inputs, &[]), [r#"{"image":[3.0,4.0,0.0,0.0]}"#]);
    let data = vec!["1"; 64 * 64 * 3].join(",");
    let body =
        format!(r#"{{"inputs":[{{"name":"image","shape":[1,64,64,3],"datatype":"FP32","data":[{data}]}}]}}"#);
    assert_eq!(all(&body, Side::Inputs, &[]), [r#"{"image":{"norm":110.85125168440814,"length":12288}}"#]);
}

#[test]
fn tensors_in_binary_are_read_after_the_json() {
    let json = br#"{"inputs":[
        {"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},
        {"name":"h","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},
        {"name":"b","shape":[2],"datatype":"BF16","parameters":{"binary_data_size":4}},
        {"name":"i","shape":[2],"datatype":"INT64","parameters":{"binary_data_size":16}},
        {"name":"t","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},
        {"name":"j","shape":[2],"datatype":"INT8","data":[1,2]}]}"#;
    let mut body = json.to_vec();
    body.extend([1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
    body.extend([0x3e00_u16, 0xc000].iter().flat_map(|x| x.to_le_bytes()));
    body.extend([0x3fc0_u16, 0xc000].iter().flat_map(|x| x.to_le_bytes()));
    body.extend([7_i64, -7].iter().flat_map(|x| x.to_le_bytes()));
    body.extend(b"\x02\0\0\0BR\x01\0\0\0D");
    let found = rows(&body, Side::Inputs, &[]).expect("rows").rows;
    assert_eq!(
        found,
        [
            r#"{"a":1.5,"h":1.5,"b":1.5,"i":7.0,"t":"BR","j":1.0}"#,
            r#"{"a":-2.0,"h":-2.0,"b":-2.0,"i":-7.0,"t":"D","j":2.0}"#
        ]
    );
    body.pop();
    assert!(wrong(&body, Side::Inputs).contains("more than the bytes after the JSON"));
    body.extend(b"DD");
    assert!(wrong(&body, Side::Inputs).contains("more after the end"));
}

#[test]
fn what_is_no_payload_is_refused_with_its_field() {
    let tensor = |rest: &str| {
        wrong(format!(r#"{{"inputs":[{{"name":"a","shape":[2],{rest}}}]}}"#).as_bytes(), Side::Inputs)
    };
    assert!(wrong(b"", Side::Inputs).contains("no JSON object"));
    assert!(wrong(b"[]", Side::Inputs).contains("no JSON object"));
    assert!(wrong(b"\xff{}", Side::Inputs).contains("no JSON object"));
    assert!(wrong(b"{}", Side::Outputs).contains("outputs: is missing"));
    assert!(wrong(br#"{"inputs":[],"inputs":[]}"#, Side::Inputs).contains("comes twice"));
    assert!(wrong(br#"{"inputs":[]}"#, Side::Inputs).contains("no instances"));
    assert!(wrong(br#"{"instances":[1]} x"#, Side::Inputs).contains("more after the end"));
    assert!(wrong(br#"{"instances":[1e999]}"#, Side::Inputs).contains("instances[0]"));
    assert!(wrong(br#"{"instances":{"a":[1]}}"#, Side::Inputs).contains("is no array"));
    assert!(tensor(r#""datatype":"FP32","data":[1]"#).contains("1 values where its shape is [2]"));
    assert!(tensor(r#""datatype":"FP8","data":[1,2]"#).contains("known: BOOL, UINT8"));
    assert!(tensor(r#""datatype":"FP32""#).contains("neither data nor binary_data_size"));
    assert!(tensor(r#""datatype":"FP32","data":[1,{}]"#).contains("inputs.a: cannot be read"));
    assert!(tensor(r#""datatype":"FP32","data":[1,2],"data":[1,2]"#).contains("duplicate field"));
    let huge = br#"{"inputs":[{"name":"a","shape":[4294967296,4294967296],"datatype":"FP32","data":[]}]}"#;
    assert!(wrong(huge, Side::Inputs).contains("0 values where"));
    let twice = r#"{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]},
        {"name":"a","shape":[1],"datatype":"FP32","data":[1]}]}"#;
    assert!(wrong(twice.as_bytes(), Side::Inputs).contains("inputs.a: comes twice"));
    let many = format!(r#"{{"instances":[{}]}}"#, vec!["1"; 10_001].join(","));
    assert!(wrong(many.as_bytes(), Side::Inputs).contains("at most 10000"));
    let deep = format!(r#"{{"instances":[{}]}}"#, "[".repeat(100_000));
    assert!(wrong(deep.as_bytes(), Side::Inputs).contains("JSON"));
}
