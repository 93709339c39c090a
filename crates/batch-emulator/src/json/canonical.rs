//! One form for all spellings of the same request.

use twox_hash::XxHash3_128;

use super::messages::{Field, Kind, Message};
use super::tree::{Json, View, write_scalar, write_text};

/// Writes a message in its canonical form: members sorted, nulls left out, numbers the
/// short way, field names in lowerCamelCase, a single value where a list is due as a list
/// of one.
pub(crate) fn canonical(json: Json<'_>, message: &Message, out: &mut Vec<u8>) {
    write_message(json, message, &[], &|_| None, out);
}

/// [`canonical`] for a `GenerateContentRequest`, without what does not change the answer:
/// `labels` only sort the bill, and `model` is the job's business.
///
/// `known` gives the canonical form of members that were met before.
pub(crate) fn canonical_request<'k>(
    json: Json<'_>,
    message: &Message,
    known: &dyn Fn(Json<'_>) -> Option<&'k [u8]>,
    out: &mut Vec<u8>,
) {
    write_message(json, message, &["labels", "model"], known, out);
}

/// The canonical form of the member `name` of a message alone.
pub(crate) fn canonical_member(name: &str, value: Json<'_>, message: &Message, out: &mut Vec<u8>) {
    match message.field(name) {
        Some(field) => write_field(value, field, out),
        None => write_free(value, out),
    }
}

/// The hash by which requests with the same canonical form are found. It is the same on
/// every machine and in every version, so that answers are too.
pub(crate) fn hash(canonical: &[u8]) -> u128 {
    XxHash3_128::oneshot(canonical)
}

fn write_message<'k>(
    json: Json<'_>,
    message: &Message,
    without: &[&str],
    known: &dyn Fn(Json<'_>) -> Option<&'k [u8]>,
    out: &mut Vec<u8>,
) {
    let View::Object(members) = json.view() else {
        write_free(json, out);
        return;
    };
    let mut named: Vec<(&str, Option<&Field>, Json<'_>)> = members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match message.field(name) {
            Some(field) => (field.name(), Some(field), value),
            None => (name, None, value),
        })
        .filter(|(name, ..)| !without.contains(name))
        .collect();
    if !named.is_sorted_by(|a, b| a.0 <= b.0) {
        named.sort_by(|a, b| a.0.cmp(b.0));
    }
    out.push(b'{');
    for (i, (name, field, value)) in named.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match field {
            // It may stand there in its other spelling.
            Some(_) => write_text(name, out),
            None => value.write_name(out),
        }
        out.push(b':');
        match (known(value), field) {
            (Some(known), _) => out.extend_from_slice(known),
            (None, Some(field)) => write_field(value, field, out),
            (None, None) => write_free(value, out),
        }
    }
    out.push(b'}');
}

fn write_field(value: Json<'_>, field: &Field, out: &mut Vec<u8>) {
    match field.kind() {
        Kind::Message(message) if field.is_repeated() => {
            write_list(value.items_or_self(), out, |item, out| {
                write_message(item, message, &[], &|_| None, out);
            });
        }
        Kind::Message(message) => write_message(value, message, &[], &|_| None, out),
        Kind::Map(message) => match value.view() {
            View::Object(members) => {
                write_members(members.sorted(), out, |value, out| match message {
                    Some(message) => write_message(value, message, &[], &|_| None, out),
                    None => write_free(value, out),
                });
            }
            _ => write_free(value, out),
        },
        _ if field.is_repeated() => write_list(value.items_or_self(), out, write_free),
        _ => write_free(value, out),
    }
}

/// Free-form JSON: sorted and without nulls too, as the import knows no free forms.
fn write_free(json: Json<'_>, out: &mut Vec<u8>) {
    match json.view() {
        View::Array(items) => write_list(items, out, write_free),
        View::Object(members) => write_members(members.sorted(), out, write_free),
        _ => write_scalar(json, out),
    }
}

fn write_list<'t>(items: impl Iterator<Item = Json<'t>>, out: &mut Vec<u8>, write: impl Fn(Json<'t>, &mut Vec<u8>)) {
    out.push(b'[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_members<'t>(
    members: impl Iterator<Item = (&'t str, Json<'t>)>,
    out: &mut Vec<u8>,
    write: impl Fn(Json<'t>, &mut Vec<u8>),
) {
    out.push(b'{');
    let present = members.filter(|(_, value)| !value.is_null());
    for (i, (_, value)) in present.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        value.write_name(out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Messages, Tree};

    fn canonical_of(text: &str) -> String {
        let tree = Tree::parse(text).unwrap();
        let mut out = Vec::new();
        canonical_request(tree.root(), Messages::get().request(), &|_| None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn spellings_of_one_request_are_one() {
        let sent = r#"{"labels":{"id":"n1"},"system_instruction":{"parts":{"text":"s"}},
            "contents":[{"role":"user","parts":[{"text":"a"},{"file_data":{"file_uri":"gs://b/o"}}]}],
            "generation_config":{"temperature":1.0,"max_output_tokens":5}}"#;
        let echoed = r#"{"contents":[{"parts":[{"fileData":null,"text":"a"},{"fileData":{"fileUri":"gs://b/o"},"text":null}],"role":"user"}],
            "generationConfig":{"maxOutputTokens":5,"temperature":1},"systemInstruction":{"parts":[{"text":"s"}]}}"#;
        assert_eq!(canonical_of(sent), canonical_of(echoed));
        assert_eq!(
            canonical_of(sent),
            r#"{"contents":[{"parts":[{"text":"a"},{"fileData":{"fileUri":"gs://b/o"}}],"role":"user"}],"generationConfig":{"maxOutputTokens":5,"temperature":1},"systemInstruction":{"parts":[{"text":"s"}]}}"#
        );
    }

    #[test]
    fn free_forms_keep_their_names() {
        assert_eq!(
            canonical_of(
                r#"{"generationConfig":{"responseJsonSchema":{"properties":{"max_output_tokens":{"type":"string"},"b":null}}}}"#
            ),
            r#"{"generationConfig":{"responseJsonSchema":{"properties":{"max_output_tokens":{"type":"string"}}}}}"#
        );
        assert_eq!(
            canonical_of(r#"{"generation_config":{"response_schema":{"properties":{"max_items":{"max_items":2}}}}}"#),
            r#"{"generationConfig":{"responseSchema":{"properties":{"max_items":{"maxItems":2}}}}}"#
        );
    }
}
