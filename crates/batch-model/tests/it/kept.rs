//! What it means that nothing was lost.

use batch_model::{ObjectShape, Shape};
use serde_json::Value;

/// Says what of `read` is not in `written`, which came out of parsing and writing it.
///
/// Free to change are: nulls, the spelling of known names, single values for lists, and numbers that
/// were quoted or the other way round. Everything else is as it was, and nothing is added.
pub(crate) fn losses(read: &Value, written: &Value, shape: &'static ObjectShape) -> Vec<String> {
    let mut losses = Vec::new();
    compare(read, written, &Shape::Object(shape), "$", &mut losses);
    losses
}

fn compare(read: &Value, written: &Value, shape: &Shape, path: &str, losses: &mut Vec<String>) {
    let same = match shape {
        Shape::Object(object) => {
            let (Some(from), Some(to)) = (read.as_object(), written.as_object()) else {
                return losses.push(format!("{path}: {read} became {written}"));
            };
            let mut names = Vec::new();
            for (name, value) in from {
                let member = object.member(name);
                if member.is_some() && value.is_null() {
                    continue;
                }
                let name = member.map_or(name.as_str(), |member| member.name());
                let path = format!("{path}.{name}");
                names.push(name);
                match to.get(name) {
                    None => losses.push(format!("{path} is gone")),
                    Some(kept) => {
                        compare(value, kept, &member.map_or(Shape::Any, |member| member.shape()), &path, losses);
                    }
                }
            }
            to.keys().all(|name| names.contains(&name.as_str()))
        }
        Shape::List(element) => {
            let single = std::slice::from_ref(read);
            let from: Vec<&Value> =
                read.as_array().map_or(single, Vec::as_slice).iter().filter(|v| !v.is_null()).collect();
            let to = written.as_array().map_or(&[][..], Vec::as_slice);
            for (i, (read, written)) in from.iter().zip(to).enumerate() {
                compare(read, written, element, &format!("{path}[{i}]"), losses);
            }
            from.len() == to.len()
        }
        Shape::Map(element) if !matches!(**element, Shape::Any) => {
            let from = read.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            let mut count = 0;
            for (name, value) in from {
                count += 1;
                match written.get(name) {
                    None => losses.push(format!("{path}.{name} is gone")),
                    Some(kept) => compare(value, kept, element, &format!("{path}.{name}"), losses),
                }
            }
            written.as_object().is_some_and(|to| to.len() == count)
        }
        Shape::Enum(names) => match written {
            // A number becomes its name, where that is known.
            Value::String(name) if read.is_i64() => names.contains(&name.as_str()),
            _ => read == written,
        },
        Shape::String | Shape::Bool | Shape::Integer | Shape::Number => {
            read == written || number_or_text(read) == number_or_text(written)
        }
        _ => read == written,
    };
    if !same {
        losses.push(format!("{path}: {read} became {written}"));
    }
}

/// A scalar without its quotes, numbers in one form: `"100"`, `100` and `100.0` are the same.
fn number_or_text(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse::<f64>().map_or(text, |number| format!("{number:?}"))
}
