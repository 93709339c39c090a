//! `google.rpc.Status` and `google.longrunning.Operation`.

use serde_json::{Map, Value};

use crate::wire::wire_struct;

wire_struct! {
    /// Why something failed: `google.rpc.Status`.
    pub struct Status {
        /// A `google.rpc.Code` (3 is invalid argument, 13 internal), or an HTTP status.
        code: Option<i64> = "code",
        /// What is said about it, for developers, in English.
        message: Option<String> = "message",
        /// Structured details, as they came. A job's error has none (fact sheet 3.5).
        details: Vec<Value> = "details",
    }

    /// What a deletion answers: `google.longrunning.Operation`.
    ///
    /// A job's deletion is usually done at once (likely); else the name is asked for until it is.
    pub struct Operation {
        /// `projects/*/locations/*/operations/*`.
        name: Option<String> = "name",
        /// The type (`@type`) and times of the operation.
        metadata: Option<Map<String, Value>> = "metadata",
        /// Whether it has ended, well or not; absent is no.
        done: Option<bool> = "done",
        /// Why it failed.
        error: Option<Status> = "error",
        /// What it gave; a deletion gives `google.protobuf.Empty`.
        response: Option<Map<String, Value>> = "response",
    }
}

impl Status {
    /// What the `status` of a prediction says; `None` where it says that the row was answered.
    ///
    /// Known forms: empty (answered), `Bad Request: {"error": {"code": 400, …}}` (certain), the same
    /// without a prefix or with another, `{}` (answered; reported from BigQuery), and plain text, which
    /// becomes the message. The code is an HTTP status, and the canonical name (`INVALID_ARGUMENT`) is
    /// in `extra` as `status`.
    ///
    /// ```
    /// use batch_model::Status;
    ///
    /// let text = r#"Bad Request: {"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}"#;
    /// let status = Status::from_row(text).unwrap();
    /// assert_eq!((status.code, status.message.as_deref()), (Some(400), Some("No.")));
    /// assert_eq!(status.extra["status"], "INVALID_ARGUMENT");
    /// assert_eq!(Status::from_row(""), None);
    /// ```
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let object = text.find('{').and_then(|start| serde_json::from_str::<Map<String, Value>>(&text[start..]).ok());
        let parsed = match object {
            Some(object) if object.is_empty() && text.starts_with('{') => return None,
            Some(mut object) => {
                let error = object.remove("error").unwrap_or(Value::Object(object));
                serde_json::from_value::<Self>(error).ok()
            }
            None => None,
        };
        // An object that says nothing of a status says as much as the text around it.
        Some(
            parsed
                .filter(|status| status.code.is_some() || status.message.is_some())
                .unwrap_or_else(|| Self { message: Some(text.to_owned()), ..Self::default() }),
        )
    }
}

impl Operation {
    /// Whether it has ended, well or not.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done == Some(true)
    }
}
