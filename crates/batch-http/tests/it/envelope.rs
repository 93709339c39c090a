//! What is kept of a refusal, in every shape that refusals come in.

use crate::server::{Server, TestClock, client, get, reply};

/// What is kept of a reply with this status and body.
async fn kept(status: u16, body: &str) -> String {
    let (clock, server) = (TestClock::new(), Server::start([reply(status, "", body)]).await);
    let error = client(&server.url, &clock).send(&get()).await.unwrap_err();
    format!("{error}\n{:?}\n{:#?}", error.kind(), error.service().unwrap())
}

#[tokio::test]
async fn the_envelope_of_vertex_ai() {
    insta::assert_snapshot!(
        kept(
            400,
            r#"{"error":{"code":400,"message":"The job has not ended.","status":"FAILED_PRECONDITION","details":[
                {"@type":"type.googleapis.com/google.rpc.DebugInfo","detail":"x"},
                {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"JOB_RUNNING","domain":"aiplatform.googleapis.com","metadata":{"job":"7"}}]}}"#
        )
        .await
    );
}

#[tokio::test]
async fn the_envelope_in_a_list() {
    insta::assert_snapshot!(
        kept(404, r#"[{"error":{"code":404,"message":"Model not found.","status":"NOT_FOUND"}}]"#).await
    );
}

#[tokio::test]
async fn the_envelope_of_cloud_storage() {
    insta::assert_snapshot!(
        kept(
            412,
            r#"{"error":{"code":412,"message":"At least one of the pre-conditions you specified did not hold.","errors":[
                {"message":"At least one …","domain":"global","reason":"conditionNotMet","locationType":"header","location":"If-Match"}]}}"#
        )
        .await
    );
}

#[tokio::test]
async fn the_envelope_of_token_servers() {
    insta::assert_snapshot!(
        kept(400, r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#).await
    );
}

#[tokio::test]
async fn a_page_for_people() {
    insta::assert_snapshot!(kept(403, "<!DOCTYPE html><title>Error 403 (Forbidden)!!1</title>").await);
}

#[tokio::test]
async fn json_that_is_no_envelope() {
    insta::assert_snapshot!(kept(400, r#"{"error":null,"code":7}"#).await);
}

#[tokio::test]
async fn nothing() {
    insta::assert_snapshot!(kept(404, "").await);
}

#[tokio::test]
async fn of_a_long_body_two_kibibytes_are_kept_and_no_half_character() {
    // The 2048th byte is the second of a character's three.
    let (clock, body) = (TestClock::new(), format!("{}{}", "x".repeat(2046), "日".repeat(1000)));
    let server = Server::start([reply(400, "", &body)]).await;
    let error = client(&server.url, &clock).send(&get()).await.unwrap_err();
    assert_eq!(error.service().unwrap().body.as_deref(), Some("x".repeat(2046).as_str()));
}

#[tokio::test]
async fn a_delay_in_the_details_is_a_retry_after() {
    let details = r#"[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"61.5s"}]"#;
    let body = format!(r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","details":{details}}}}}"#);
    let (clock, server) = (TestClock::new(), Server::start([reply(429, "", &body)]).await);
    let error = client(&server.url, &clock).send(&get()).await.unwrap_err();
    assert_eq!(error.service().unwrap().retry_after.unwrap().as_millis(), 61_500);
}
