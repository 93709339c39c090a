//! What the service says of a request that failed, parsed out of `status` or `error`.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{self, Kind, Members};

/// The service's own account of a failed request.
///
/// In a batch it stands in the line's `status`, as the HTTP reason phrase followed by the
/// error envelope (`Bad Request: {"error": {"code": 400, …}}`, documented), in 2024 as
/// `RESOURCE_EXHAUSTED error occurred: {…}`, and perhaps as an envelope alone or as plain
/// text (both reported, neither documented). Lines of the Gemini Developer API have
/// `error` with a code of `google.rpc.Code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestError {
    /// The HTTP status code: as given, or the one that belongs to `status`.
    pub http_code: Option<u16>,
    /// The canonical code's name, such as `INVALID_ARGUMENT`: as given, or the one that a
    /// numeric `google.rpc.Code` stands for.
    pub status: Option<String>,
    /// The service's message; the whole text where no message can be told apart in it.
    pub message: String,
}

impl fmt::Display for RequestError {
    /// `400 INVALID_ARGUMENT: Please use a valid role: user, model.`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(code) = self.http_code {
            write!(f, "{code}")?;
            separator = " ";
        }
        if let Some(status) = &self.status {
            write!(f, "{separator}{status}")?;
            separator = " ";
        }
        if self.message.is_empty() {
            return Ok(());
        }
        let colon = if separator.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.message)
    }
}

/// What a `status` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Nothing: the response must tell.
    Silent,
    /// That the request went well, which does not mean that there is an answer.
    Success,
    /// That it failed.
    Failed(RequestError),
}

/// The names of `google.rpc.Code` by number, each with its HTTP code.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

/// Reason phrases with which a status may begin.
const REASONS: [(&str, u16); 12] = [
    ("Bad Request", 400),
    ("Unauthorized", 401),
    ("Forbidden", 403),
    ("Not Found", 404),
    ("Request Timeout", 408),
    ("Conflict", 409),
    ("Too Many Requests", 429),
    ("Internal Server Error", 500),
    ("Not Implemented", 501),
    ("Bad Gateway", 502),
    ("Service Unavailable", 503),
    ("Gateway Timeout", 504),
];

impl Status {
    pub(super) fn read(status: Option<&RawValue>) -> Self {
        let Some(status) = status else { return Self::Silent };
        match Kind::of(status) {
            Kind::Null => Self::Silent,
            Kind::String => Self::of_text(json::string(status).unwrap_or_default().trim()),
            Kind::Number => Self::of_number(status),
            Kind::Object if Members::of(status).0.is_empty() => Self::Success,
            Kind::Object => Self::of_envelope(status),
            Kind::Bool | Kind::Array => Self::Failed(plain(status.get())),
        }
    }

    fn of_text(text: &str) -> Self {
        // `{}` is tolerated as success by programs that read BigQuery output.
        if text.is_empty() || text == "{}" || text == "OK" {
            return Self::Success;
        }
        let Some((prefix, envelope)) = split_envelope(text) else { return Self::Failed(plain(text)) };
        let mut error = RequestError::of_envelope(envelope);
        if prefix.is_empty() && error.is_success() {
            return Self::Success;
        }
        let (code, status) = read_prefix(prefix);
        error.http_code = error.http_code.or(code);
        error.status = error.status.or(status);
        if error.message.is_empty() {
            text.clone_into(&mut error.message);
        }
        Self::Failed(error)
    }

    fn of_envelope(envelope: &RawValue) -> Self {
        let mut error = RequestError::of_envelope(envelope);
        if error.is_success() {
            return Self::Success;
        }
        if error.message.is_empty() {
            error.message = json::compact(envelope.get()).into_owned();
        }
        Self::Failed(error)
    }

    fn of_number(number: &RawValue) -> Self {
        match read_code(number) {
            Some((200, _)) => Self::Success,
            Some((code, status)) => {
                Self::Failed(RequestError { http_code: Some(code), status, message: String::new() })
            }
            None => Self::Failed(plain(number.get())),
        }
    }
}

impl RequestError {
    /// Out of `{"error": {"code", "message", "status"}}`, or the inner object alone.
    fn of_envelope(envelope: &RawValue) -> Self {
        let outer = Members::of(envelope);
        let inner = outer.get(&["error"]);
        if let Some(text) = inner.and_then(json::string) {
            return Self { message: text.into_owned(), ..Self::of_members(&outer) };
        }
        match inner {
            Some(inner) => Self::of_members(&Members::of(inner)),
            None => Self::of_members(&outer),
        }
    }

    fn of_members(members: &Members<'_>) -> Self {
        let text = |names| members.get(names).and_then(json::string).map(std::borrow::Cow::into_owned);
        let (code, implied) = members.get(&["code"]).and_then(read_code).unzip();
        let status = text(&["status"]).filter(|status| !status.is_empty()).or(implied.flatten());
        Self {
            http_code: code.or_else(|| http_code_of(status.as_deref()?)),
            status,
            message: text(&["message"]).unwrap_or_default(),
        }
    }

    fn is_success(&self) -> bool {
        self.http_code == Some(200) && self.message.is_empty()
    }
}

/// Text that holds no JSON.
fn plain(text: &str) -> RequestError {
    let prefix = text.split(':').next().unwrap_or_default();
    let (http_code, status) = read_prefix(prefix);
    let known = http_code.is_some() || status.is_some();
    let rest = text[prefix.len()..].trim_start_matches(':').trim();
    // `Bad Request: no such field` says the code once, in front.
    let message = if known && !rest.is_empty() { rest } else { text };
    RequestError { http_code, status, message: message.to_owned() }
}

/// The text in front of the first brace, and the JSON object that begins there.
fn split_envelope(text: &str) -> Option<(&str, &RawValue)> {
    let brace = text.find('{')?;
    // What stands behind the object does not matter.
    let mut values = serde_json::Deserializer::from_str(&text[brace..]).into_iter::<&RawValue>();
    let envelope = values.next()?.ok()?;
    Some((text[..brace].trim_end().trim_end_matches(':'), envelope))
}

/// What the words in front of the JSON say: `Too Many Requests`, `429 Too Many Requests`,
/// `RESOURCE_EXHAUSTED error occurred`.
fn read_prefix(prefix: &str) -> (Option<u16>, Option<String>) {
    let prefix = prefix.trim().trim_end_matches("error occurred").trim();
    let digits = prefix.split_whitespace().next().and_then(|word| word.parse::<u16>().ok());
    if let Some(code @ 100..=599) = digits {
        return (Some(code), None);
    }
    if let Some(&(_, code)) = REASONS.iter().find(|(reason, _)| reason.eq_ignore_ascii_case(prefix)) {
        return (Some(code), None);
    }
    match http_code_of(prefix) {
        Some(code) => (Some(code), Some(prefix.to_owned())),
        None => (None, None),
    }
}

fn http_code_of(status: &str) -> Option<u16> {
    CODES.iter().find(|(name, _)| *name == status).map(|found| found.1)
}

/// An HTTP code, or the one of a `google.rpc.Code` with its name.
fn read_code(value: &RawValue) -> Option<(u16, Option<String>)> {
    let code = json::number(value)?;
    if code.fract() != 0.0 || code < 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and is checked")]
    let code = code as u16;
    match code {
        100..=599 => Some((code, None)),
        _ => CODES.get(usize::from(code)).map(|(name, http)| (*http, Some((*name).to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &str) -> String {
        let raw: &RawValue = serde_json::from_str(status).unwrap();
        match Status::read(Some(raw)) {
            Status::Silent => "silent".to_owned(),
            Status::Success => "success".to_owned(),
            Status::Failed(error) => error.to_string(),
        }
    }

    #[test]
    fn the_service_and_its_relatives_are_understood() {
        let cases = [
            (r#""""#, "success"),
            (r#""{}""#, "success"),
            (r#"{}"#, "success"),
            (r#""OK""#, "success"),
            (r#"0"#, "success"),
            (r#"{"code":0}"#, "success"),
            (r#""{\"code\":0}""#, "success"),
            (r#"null"#, "silent"),
            (
                r#""Bad Request: {\"error\": {\"code\": 400, \"message\": \"Please use a valid role: user, model.\", \"status\": \"INVALID_ARGUMENT\"}}""#,
                "400 INVALID_ARGUMENT: Please use a valid role: user, model.",
            ),
            (
                r#""RESOURCE_EXHAUSTED error occurred: {\"error\": {\"message\": \"Quota exceeded\"}}""#,
                "429 RESOURCE_EXHAUSTED: Quota exceeded",
            ),
            (r#""Too Many Requests: {\"message\": \"slow down\"}""#, "429: slow down"),
            (r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#, "503 UNAVAILABLE: busy"),
            (r#""{\"error\": {\"code\": \"3\", \"message\": \"no\"}}""#, "400 INVALID_ARGUMENT: no"),
            (r#"{"code":9,"message":"not now"}"#, "400 FAILED_PRECONDITION: not now"),
            (r#"{"error":"it broke"}"#, "it broke"),
            (r#""Internal Server Error: something\nodd""#, "500: something\nodd"),
            (r#""the row { was not valid""#, "the row { was not valid"),
            (r#""429 Too Many Requests""#, "429: 429 Too Many Requests"),
            (r#""Forbidden: {\"detail\": 1}""#, "403: Forbidden: {\"detail\": 1}"),
            (r#"429"#, "429"),
            (r#"8"#, "429 RESOURCE_EXHAUSTED"),
            (r#"-7"#, "-7"),
            (r#"true"#, "true"),
            (r#"["a"]"#, "[\"a\"]"),
        ];
        for (status, expected) in cases {
            assert_eq!(check(status), expected, "{status}");
        }
    }
}
