//! What holds for all JSON.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Messages, Place, Shape, Tree, canonical_request, write_plain};

/// Any JSON; names come from few letters, so that rows meet at the same paths, and lists
/// hold objects more often than not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON knows no others", |n| n.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 5, |inner| {
        let object = prop::collection::hash_map("[a-cA_]{1,2}", inner.clone(), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()));
        prop_oneof![
            prop::collection::vec(object.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            object,
        ]
    })
}

/// `1.0` is `1`, and what is null is not there.
fn plainly(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(n) if number.is_f64() && n.fract() == 0.0 && n.abs() < 9e15 => json!(n as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(plainly).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), plainly(value)))
            .collect(),
        other => other.clone(),
    }
}

fn canonical(text: &str) -> Vec<u8> {
    let tree = Tree::parse(text).unwrap();
    let mut out = Vec::new();
    canonical_request(tree.root(), Messages::get().request(), &|_| None, &mut out);
    out
}

proptest! {
    #[test]
    fn what_is_parsed_is_written_again(value in any_json()) {
        let text = value.to_string();
        let tree = Tree::parse(&text).unwrap();
        let mut out = Vec::new();
        write_plain(tree.root(), &mut out);
        let written: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(plainly(&written), plainly(&value));
    }

    /// An echo differs from its row in order, nulls and the writing of numbers only, so
    /// that a recording is found by it.
    #[test]
    fn an_echo_says_what_its_row_says(rows in prop::collection::vec(any_json(), 1..4)) {
        let rows: Vec<Value> = rows.into_iter().map(|row| json!({ "contents": row, "x": 1 })).collect();
        let mut shape = Shape::default();
        for (at, row) in rows.iter().enumerate() {
            let text = row.to_string();
            let tree = Tree::parse(&text).unwrap();
            // An empty object is the import's business.
            let _ = shape.observe(tree.root(), Place::new(0, at as u64));
        }
        for row in &rows {
            let text = row.to_string();
            let tree = Tree::parse(&text).unwrap();
            let mut echo = Vec::new();
            Shape::write_echo(Some(&shape), tree.root(), &mut echo);
            let echo = String::from_utf8(echo).unwrap();
            let read: Value = serde_json::from_str(&echo).unwrap();
            prop_assert_eq!(plainly(&read), plainly(row));
            prop_assert_eq!(canonical(&echo), canonical(&text));
        }
    }

    #[test]
    fn digits_stay_what_they_were_when_written(rows in prop::collection::vec("[0-9]{1,18}|[a-z]", 1..4)) {
        let mut shape = Shape::default();
        for (at, row) in rows.iter().enumerate() {
            let text = json!({ "k": row }).to_string();
            let tree = Tree::parse(&text).unwrap();
            shape.observe(tree.root(), Place::new(0, at as u64)).unwrap();
        }
        let all_digits = rows.iter().all(|row| row.parse::<i64>().is_ok());
        for row in &rows {
            let text = json!({ "k": row }).to_string();
            let mut tree = Tree::parse(&text).unwrap();
            shape.retype(&mut tree);
            let mut out = Vec::new();
            write_plain(tree.root(), &mut out);
            let expected = match all_digits {
                true => json!({ "k": row.parse::<i64>().unwrap() }),
                false => json!({ "k": row }),
            };
            prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
        }
    }
}
