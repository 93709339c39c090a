//! `POST /token`: what lets unmodified programs log in.
//!
//! A service account key whose `token_uri` points here, or stored user credentials,
//! exchange what they have for an access token. What they have is not checked.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::context::Context;
use crate::envelope;

/// The token that is given out where none is required.
const TOKEN: &str = "batch-emulator";

/// How long a token is said to last: an hour less a second, as Google's endpoint says.
const EXPIRES_IN: u32 = 3599;

/// The grants of service accounts, of stored user credentials and of federation.
const GRANTS: [&str; 3] =
    ["urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"];

/// The route.
pub(crate) fn router(context: &Context) -> Router {
    Router::new().route("/token", post(token)).with_state(context.clone())
}

async fn token(State(context): State<Context>, body: Bytes) -> Response {
    let grant = grant_type(&body);
    let Some(grant) = grant.filter(|grant| GRANTS.contains(&grant.as_str())) else {
        let error = json!({
            "error": "unsupported_grant_type",
            "error_description": format!("The grants are {}.", GRANTS.join(", ")),
        });
        return envelope::json(StatusCode::BAD_REQUEST, &error);
    };
    let token = context.config.require_token.as_deref().unwrap_or(TOKEN);
    let mut reply = json!({
        "access_token": token,
        "expires_in": EXPIRES_IN,
        "token_type": "Bearer",
    });
    if grant == GRANTS[2]
        && let Some(reply) = reply.as_object_mut()
    {
        reply.insert("issued_token_type".to_owned(), json!("urn:ietf:params:oauth:token-type:access_token"));
    }
    envelope::json(StatusCode::OK, &reply)
}

/// The `grant_type` of a form, which OAuth asks for, or of JSON, which some clients send.
fn grant_type(body: &[u8]) -> Option<String> {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        return json.get("grant_type")?.as_str().map(str::to_owned);
    }
    let form = std::str::from_utf8(body).ok()?;
    let value = form.split('&').find_map(|pair| pair.strip_prefix("grant_type="))?;
    let value = percent_decode_str(value).decode_utf8().ok()?;
    Some(value.into_owned())
}
