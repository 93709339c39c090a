//! `Prediction`: one line, or row, of a job's output.

use serde_json::Value;

use crate::{GenerateContentRequest, GenerateContentResponse, Status, wire::wire_struct};

wire_struct! {
    /// One line, or row, of a job's output: the request line, and what became of it.
    ///
    /// Lines come in any order and in two generations, which differ in the order of their members and
    /// in what the response has; both are read.
    ///
    /// ```
    /// use batch_model::Prediction;
    ///
    /// let line = r#"{"key":"r0","request":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]},"status":"",
    ///     "response":{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello."}]},"finishReason":"STOP"}]},
    ///     "processed_time":"2026-11-21T10:00:00.123456+00:00"}"#;
    /// let prediction: Prediction = serde_json::from_str(line)?;
    /// assert_eq!(prediction.extra["key"], "r0");
    /// assert_eq!(prediction.error(), None);
    /// assert_eq!(prediction.response.unwrap().text().as_deref(), Some("Hello."));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Prediction {
        /// The request as it came back: its keys sorted, nulls filled in, numbers and quoted digits
        /// retyped. It is echoed and not ours, so it stays as it came.
        request: Option<Value> = "request",
        /// Empty where the row was answered, else the error: see [`Prediction::error`].
        status: Option<String> = "status",
        /// What the model answered; `{}` where the row failed.
        response: Option<GenerateContentResponse> = "response",
        /// When the row was done (RFC 3339 with an offset).
        processed_time: Option<String> = "processed_time",
    }
}

impl Prediction {
    /// Why the row failed, where it did; see [`Status::from_row`].
    #[must_use]
    pub fn error(&self) -> Option<Status> {
        Status::from_row(self.status.as_deref()?)
    }

    /// The request that came back, as far as it still is one.
    ///
    /// # Errors
    ///
    /// Where the import retyped, or the user wrote, a value that no request has there.
    pub fn parse_request(&self) -> Result<GenerateContentRequest, serde_json::Error> {
        self.request.as_ref().map_or_else(|| Ok(GenerateContentRequest::default()), serde::Deserialize::deserialize)
    }
}
