//! Answers that are JSON, held against the schema that was asked for.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::Fields;
use super::format::AnswerFormat;
use super::schema::quote;
use crate::json::{self, Kind};
use crate::outcome::InvalidAnswer;

/// An answer that is JSON.
pub(super) struct JsonAnswer<'t> {
    pub(super) text: Cow<'t, str>,
    /// How it does not fit the schema.
    pub(super) misfit: Option<InvalidAnswer>,
    pub(super) fields: Fields,
}

impl<'t> JsonAnswer<'t> {
    fn of_word(word: &'t str) -> Self {
        Self { text: Cow::Borrowed(word), misfit: None, fields: Fields::default() }
    }

    fn of_object(text: Cow<'t, str>, fields: Fields, format: &AnswerFormat) -> Self {
        let misfit = misfit(&text, &fields, format);
        Self { text, misfit, fields }
    }

    pub(super) fn into_owned<'o>(self) -> JsonAnswer<'o> {
        JsonAnswer { text: Cow::Owned(self.text.into_owned()), ..self }
    }
}

/// Reads an answer for which JSON was asked, in a code fence or out of it, or one of the schema's words.
///
/// # Errors
/// It is none of these.
pub(super) fn json_answer<'t>(text: &'t str, format: &AnswerFormat) -> serde_json::Result<JsonAnswer<'t>> {
    if let Some(word) = format.schema().and_then(|schema| schema.word(text)) {
        return Ok(JsonAnswer::of_word(word));
    }
    let trimmed = text.trim();
    let json = unfenced(trimmed).unwrap_or(trimmed);
    if let Some(fields) = Fields::find(json) {
        return Ok(JsonAnswer::of_object(Cow::Borrowed(json), fields, format));
    }
    let value = match serde_json::from_str::<&RawValue>(json) {
        Ok(value) => value,
        Err(error) => {
            // The very word, without its quotes: nothing else can be meant.
            let allowed = format.schema().and_then(|schema| schema.allowed()).unwrap_or_default();
            return if allowed.iter().any(|allowed| allowed == json) {
                Ok(JsonAnswer::of_word(json))
            } else {
                Err(error)
            };
        }
    };
    if Kind::of(value) == Kind::Object {
        let text = json::compact(value.get());
        let fields = Fields::find(&text).unwrap_or_else(|| Fields::parse(&text));
        return Ok(JsonAnswer::of_object(text, fields, format));
    }
    Ok(JsonAnswer {
        text: json::string(value).unwrap_or_else(|| json::compact(value.get())),
        misfit: misfit(value.get(), &Fields::default(), format),
        fields: Fields::default(),
    })
}

/// The inside of a Markdown code fence, where the whole text is one.
pub(super) fn unfenced(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("```")?.strip_suffix("```")?;
    // What stands on the fence's own line is the language; a fence of one line may name it too.
    let Some((language, body)) = inside.split_once('\n') else {
        let inside = inside.trim();
        let named = inside.strip_prefix("json").filter(|rest| !rest.starts_with(char::is_alphanumeric));
        return Some(named.unwrap_or(inside).trim());
    };
    language.trim().chars().all(char::is_alphanumeric).then_some(body.trim())
}

/// How JSON does not fit the schema that was asked for, if one was; `fields` are those of an object.
pub(super) fn misfit(value: &str, fields: &Fields, format: &AnswerFormat) -> Option<InvalidAnswer> {
    let schema = format.schema()?;
    let misfit = schema.check(value, fields).err()?;
    match (schema.allowed(), json::string(value)) {
        (Some(allowed), Some(answer)) if !allowed.iter().any(|allowed| *allowed == answer) => {
            Some(InvalidAnswer::NotAllowed { answer: quote(&answer), choices: allowed.len() })
        }
        _ => Some(InvalidAnswer::Misfit { pointer: misfit.pointer, what: misfit.what }),
    }
}
