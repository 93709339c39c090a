//! Parse, then write: nothing is lost.

use batch_model::{
    BatchPredictionJob, GenerateContentRequest, GenerateContentResponse, ObjectShape, Operation, Prediction, Shape,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{fixtures, kept::losses};

/// Checks that nothing is lost, that what was written reads the same, and that parsing text and
/// parsing a `Value` agree.
fn check<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    from: &str,
    value: &Value,
    shape: &'static ObjectShape,
) {
    let parsed: T = serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{from}: {error}: {value}"));
    assert_eq!(serde_json::from_value::<T>(value.clone()).unwrap(), parsed, "{from}");
    let text = serde_json::to_string(&parsed).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(losses(value, &written, shape), Vec::<String>::new(), "{from}: {value}");
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), parsed, "{from}");
}

#[test]
fn every_fixture() {
    for (from, value) in fixtures::all("requests") {
        check::<GenerateContentRequest>(&from, &value, GenerateContentRequest::shape());
    }
    for (from, value) in fixtures::all("jobs") {
        check::<BatchPredictionJob>(&from, &value, BatchPredictionJob::shape());
    }
    for (from, value) in fixtures::all("responses") {
        if from == "every-member.json" {
            check::<GenerateContentResponse>(&from, &value, GenerateContentResponse::shape());
            continue;
        }
        check::<Prediction>(&from, &value, Prediction::shape());
        if let Some(request) = value.get("request").filter(|request| request.get("messages").is_none()) {
            check::<GenerateContentRequest>(&from, request, GenerateContentRequest::shape());
        }
    }
}

/// The service's field lists, once through: no member of theirs is one that we do not know, and all
/// that we know is there, except what stands in no v1 document.
#[test]
fn every_member_of_the_api_is_known() {
    let mut unknown = Vec::new();
    let mut missing = Vec::new();
    for (folder, shape) in [
        ("requests", GenerateContentRequest::shape()),
        ("responses", GenerateContentResponse::shape()),
        ("jobs", BatchPredictionJob::shape()),
    ] {
        survey(&fixtures::one(folder, "every-member.json"), &Shape::Object(shape), &mut unknown, &mut missing);
    }
    assert_eq!(unknown, Vec::<String>::new());
    missing.retain(|member| !member.starts_with("Schema.")); // Its members stand in the outer one.
    assert_eq!(missing, ["GenerationConfig.modelConfig", "Candidate.score"]);
}

fn survey(value: &Value, shape: &Shape, unknown: &mut Vec<String>, missing: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Object(object), Value::Object(map)) => {
            for (name, value) in map {
                match object.member(name) {
                    Some(member) => survey(value, &member.shape(), unknown, missing),
                    None => unknown.push(format!("{}.{name}", object.name())),
                }
            }
            let absent = object.members().iter().filter(|member| !map.contains_key(member.name()));
            missing.extend(absent.map(|member| format!("{}.{}", object.name(), member.name())));
        }
        (Shape::List(element), Value::Array(items)) => {
            for item in items {
                survey(item, element, unknown, missing);
            }
        }
        (Shape::Map(element), Value::Object(map)) => {
            for value in map.values() {
                survey(value, element, unknown, missing);
            }
        }
        (Shape::Enum(names), Value::String(name)) if !names.contains(&name.as_str()) => unknown.push(name.clone()),
        _ => {}
    }
}

/// Makes values of a shape, in all the ways in which they may be written, out of arbitrary bytes.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn up_to(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    fn any(&mut self, depth: usize) -> Value {
        match self.up_to(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(self.up_to(250)),
            3 => json!(0.1 + f64::from(u8::try_from(self.up_to(250)).unwrap())),
            4 => json!(-7.0),
            5 => json!(["", "007", "日本\u{2028}\n\"", "NaN"][self.up_to(4)]),
            6 => (0..self.up_to(3)).map(|_| self.any(depth - 1)).collect(),
            _ => (0..self.up_to(3)).map(|i| (format!("k{i}"), self.any(depth - 1))).collect::<Map<_, _>>().into(),
        }
    }

    fn of(&mut self, shape: &Shape, depth: usize) -> Value {
        match shape {
            Shape::String => [json!(""), json!("text"), json!("7"), json!("…\u{0}")][self.up_to(4)].clone(),
            Shape::Bool => [json!(true), json!(false), json!("true")][self.up_to(3)].clone(),
            Shape::Integer => [json!(0), json!(7), json!("7"), json!(-7), json!(7.0)][self.up_to(5)].clone(),
            Shape::Number => [
                json!(0),
                json!(0.2),
                json!(1.0),
                json!("0.5"),
                json!("NaN"),
                json!(-1e-9),
                json!(12345678901234567890_u64),
            ][self.up_to(7)]
            .clone(),
            Shape::Enum(names) => match self.up_to(4) {
                0 => json!(self.up_to(9)),
                1 => json!("INVENTED_LATER"),
                _ => json!(names[self.up_to(names.len())]),
            },
            Shape::List(element) => match self.up_to(4) {
                0 => json!([]),
                1 => self.of(element, depth),
                n => (1..n).map(|_| self.of(element, depth)).collect(),
            },
            Shape::Map(element) => {
                (0..self.up_to(3)).map(|i| (format!("k{i}"), self.of(element, depth))).collect::<Map<_, _>>().into()
            }
            Shape::Object(object) => {
                let mut map = Map::new();
                for member in object.members() {
                    let choice = self.up_to(if depth == 0 { 40 } else { 8 });
                    let value = match choice {
                        1 => Value::Null,
                        2..=4 if 0 < depth => self.of(&member.shape(), depth - 1),
                        _ => continue,
                    };
                    let name = if self.up_to(2) == 0 { member.name() } else { member.snake_name() };
                    map.insert(name.to_owned(), value);
                }
                if self.up_to(3) == 1 {
                    map.insert(format!("invented{}Later", self.up_to(9)), self.any(3));
                }
                map.into()
            }
            _ => match self.any(3) {
                // A null is no value.
                Value::Null => json!("any"),
                value => value,
            },
        }
    }
}

proptest! {
    #[test]
    fn any_request(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let value = Choices(bytes.iter()).of(&Shape::Object(GenerateContentRequest::shape()), 6);
        check::<GenerateContentRequest>("generated", &value, GenerateContentRequest::shape());
    }

    #[test]
    fn any_prediction(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let value = Choices(bytes.iter()).of(&Shape::Object(Prediction::shape()), 6);
        check::<Prediction>("generated", &value, Prediction::shape());
    }

    #[test]
    fn any_job(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let value = Choices(bytes.iter()).of(&Shape::Object(BatchPredictionJob::shape()), 6);
        // An empty list of a job, and an empty text, are the same as none.
        let parsed: BatchPredictionJob = serde_json::from_value(value).unwrap();
        check::<BatchPredictionJob>("generated", &serde_json::to_value(&parsed).unwrap(), BatchPredictionJob::shape());
    }

    /// What is no request is an error and no panic, and where it is none nothing is lost.
    #[test]
    fn any_json(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let value = Choices(bytes.iter()).any(5);
        for name in ["contents", "generationConfig", "tools", "labels"] {
            let body = json!({ name: value });
            if let Ok(parsed) = serde_json::from_value::<GenerateContentRequest>(body.clone()) {
                let written = serde_json::to_value(&parsed).unwrap();
                prop_assert_eq!(losses(&body, &written, GenerateContentRequest::shape()), Vec::<String>::new());
            }
        }
    }
}

#[test]
fn an_operation_keeps_what_it_has() {
    let value = json!({
        "name": "projects/1/locations/us-central1/operations/2",
        "metadata": {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata", "genericMetadata": {}},
        "done": true,
        "response": {"@type": "type.googleapis.com/google.protobuf.Empty"},
        "later": [null]
    });
    check::<Operation>("operation", &value, Operation::shape());
    assert!(serde_json::from_value::<Operation>(value).unwrap().is_done());
    assert!(!serde_json::from_str::<Operation>("{}").unwrap().is_done());
}
