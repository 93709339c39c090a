//! The emulator's own paths: what shall go wrong, and what was asked.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use crate::Faults;
use crate::context::Context;
use crate::envelope::{self, ApiError};
use crate::log::RequestLog;

/// `GET /emulator/faults`, `POST /emulator/faults`, `GET /emulator/log`.
pub(crate) fn router(context: &Context, log: &RequestLog) -> Router {
    let faults =
        Router::new().route("/emulator/faults", get(read_faults).post(set_faults)).with_state(context.faults.clone());
    let log = Router::new().route("/emulator/log", get(read_log)).with_state(log.clone());
    faults.merge(log)
}

/// The faults still to happen: `{"poll-503": 2}`.
async fn read_faults(State(faults): State<Faults>) -> Response {
    envelope::json(StatusCode::OK, &faults.remaining())
}

/// Sets counts, those of faults that are not named stay; replies as a read does.
async fn set_faults(State(faults): State<Faults>, Json(counts): Json<BTreeMap<String, u64>>) -> Response {
    // All or nothing: a misspelt name must not leave half of the test's intention.
    let checked = Faults::default();
    for (name, count) in &counts {
        if let Err(error) = checked.set(name, *count) {
            let message = match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            };
            return ApiError::rpc(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message).into_response();
        }
    }
    for (name, count) in &counts {
        // Cannot fail: the names were checked above.
        let _ = faults.set(name, *count);
    }
    read_faults(State(faults)).await
}

/// The requests seen: `{"requests": [{"method", "path", "status"}]}`, oldest first.
async fn read_log(State(log): State<RequestLog>) -> Response {
    let requests: Vec<Value> = log
        .all()
        .into_iter()
        .map(|request| {
            json!({
                "method": request.method,
                "path": request.path,
                "status": request.status,
            })
        })
        .collect();
    envelope::json(StatusCode::OK, &json!({ "requests": requests }))
}
