//! The fields of an answer that is an object.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::cursor::{Cursor, Stops};
use crate::block::BLOCK;
use crate::json::Members;

/// Where the names and the values of an object lie in its text, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(Name, Range<usize>)>);

/// The name of a field.
#[derive(Clone, Debug)]
enum Name {
    /// It lies there in the text.
    At(Range<usize>),
    /// It has escapes.
    Apart(String),
}

impl Fields {
    /// So many bytes are looked through without memory of their own.
    const SHORT: usize = 2048;

    /// Those of a text that is an object without white space between its tokens; the text is proved to be one.
    /// `None` for any other, and for an object that is unusual.
    pub(super) fn find(text: &str) -> Option<Self> {
        if !text.starts_with('{') {
            return None;
        }
        let mut stops = Stops::default();
        let mut few = [0; Self::SHORT / BLOCK];
        let mut cursor =
            if text.len() < Self::SHORT { Cursor::in_short(text, &mut few)? } else { Cursor::new(text, &mut stops)? };
        let mut fields = Vec::new();
        cursor.members(|cursor, name| {
            fields.push((Name::At(cursor.range_of(name)), cursor.value()?));
            Some(())
        })?;
        (cursor.is_at_end() && !cursor.has_spaces()).then_some(Self(fields))
    }

    /// Those of a text that is known to be JSON; none where it is no object.
    pub(super) fn parse(json: &str) -> Self {
        let Ok(members) = serde_json::from_str::<Members<'_>>(json) else { return Self::default() };
        let base = json.as_ptr().addr();
        let range = |text: &str| {
            // The values are slices of the text that they were read from, and so are names without escapes.
            let start = text.as_ptr().addr() - base;
            start..start + text.len()
        };
        let field = |(name, value): (Cow<'_, str>, &RawValue)| {
            let name = match name {
                Cow::Borrowed(name) => Name::At(range(name)),
                Cow::Owned(name) => Name::Apart(name),
            };
            (name, range(value.get()))
        };
        Self(members.0.into_iter().map(field).collect())
    }

    /// The names and the values, which are JSON, in the text that they were found in; of another text nothing that
    /// holds.
    pub(super) fn of<'t>(
        &'t self,
        text: &'t str,
    ) -> impl DoubleEndedIterator<Item = (&'t str, &'t str)> + ExactSizeIterator {
        self.0.iter().map(move |(name, value)| {
            let name = match name {
                Name::At(range) => text.get(range.clone()).unwrap_or_default(),
                Name::Apart(name) => name,
            };
            (name, text.get(value.clone()).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json;

    fn shown(fields: &Fields, text: &str) -> Vec<(String, String)> {
        fields.of(text).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn fields_are_found_whatever_their_names() {
        for (object, expected, is_usual) in [
            (r#"{}"#, vec![], true),
            (r#"{"a":1,"b":{"a":"x y"}}"#, vec![("a", "1"), ("b", r#"{"a":"x y"}"#)], true),
            (r#"{"a":1,"":"\"","\u0062":[2]}"#, vec![("a", "1"), ("", r#""\"""#), ("b", "[2]")], false),
            (r#"{"a": 1}"#, vec![("a", "1")], false),
            (r#"{"a":[1, 2]}"#, vec![("a", "[1, 2]")], false),
            ("{\"a\":1\n}", vec![("a", "1")], false),
        ] {
            let expected: Vec<_> = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(shown(&Fields::parse(object), object), expected, "{object}");
            let found = Fields::find(object).map(|fields| shown(&fields, object));
            assert_eq!(found, is_usual.then_some(expected), "{object}");
        }
        for text in ["", "{", "[]", "1", "{}x", " {}", "{} ", r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a":01}"#] {
            assert!(Fields::find(text).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// What is found is what the parser finds, in a text that is JSON and has no space.
        #[test]
        fn what_is_found_is_what_the_parser_finds(
            members in proptest::collection::vec(
                (
                    "[a-c\\\\\"é]{0,2}",
                    prop_oneof!["[0-9.e-]{1,3}", "\"[a \"é\\\\]{0,90}\"", "\\[[0-9,\\[\\] ]{0,4}\\]", Just("{\"x\":null}".to_owned())],
                ),
                0..5,
            ),
            separator in prop_oneof![9 => Just(","), 1 => Just(", ")],
            long in 0_usize..3,
        ) {
            let mut members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            members.extend((0..long).map(|number| format!("\"l{number}\":\"{}\"", "xé".repeat(700))));
            let text = format!("{{{}}}", members.join(separator));
            let parsed = serde_json::from_str::<&RawValue>(&text).is_ok();
            let found = Fields::find(&text);
            if let Some(found) = &found {
                prop_assert!(parsed && matches!(json::compact(&text), Cow::Borrowed(_)), "{}", text);
                prop_assert_eq!(shown(found, &text), shown(&Fields::parse(&text), &text));
            } else {
                // What is usual is found.
                prop_assert!(!parsed || text.contains(' ') || text.contains('\\'), "{}", text);
            }
        }
    }
}
