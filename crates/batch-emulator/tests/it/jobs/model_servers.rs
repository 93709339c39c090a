//! Model servers behind the emulator: what they are asked, and what becomes of what they say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use batch_emulator::{Answer, AnswerOptions, ApiKey, JobsConfig};
use serde_json::{Value, json};

use super::{Service, line, parse, row_error};

/// What the stub says to one request.
#[derive(Clone)]
enum Say {
    Json(Value),
    Status(u16, &'static str),
    Text(&'static str),
    Nothing,
}

/// A server that says what it is told to, and keeps what it was asked.
struct Stub {
    url: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
}

impl Stub {
    /// Says these in turn, the last for ever.
    async fn start(says: Vec<Say>) -> Stub {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let says = Arc::new(Mutex::new(VecDeque::from(says)));
        let kept = Arc::clone(&asked);
        let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let (kept, says) = (Arc::clone(&kept), Arc::clone(&says));
            async move {
                let body = serde_json::from_slice(&body).unwrap();
                kept.lock().unwrap().push((uri.to_string(), headers, body));
                let say = {
                    let mut says = says.lock().unwrap();
                    if says.len() > 1 { says.pop_front().unwrap() } else { says[0].clone() }
                };
                match say {
                    Say::Json(value) => axum::Json(value).into_response(),
                    Say::Status(code, body) => {
                        (StatusCode::from_u16(code).unwrap(), [("retry-after", "0")], body).into_response()
                    }
                    Say::Text(text) => text.into_response(),
                    Say::Nothing => std::future::pending().await,
                }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Stub { url, asked }
    }

    fn bodies(&self) -> Vec<Value> {
        self.asked.lock().unwrap().iter().map(|(.., body)| body.clone()).collect()
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, ..)| path.clone()).collect()
    }
}

fn options() -> AnswerOptions {
    AnswerOptions { backoff: Duration::ZERO, ..AnswerOptions::default() }
}

/// Has one request answered by the server at `answer`.
async fn ask(answer: &str, options: AnswerOptions, request: Value) -> Value {
    let answer: Answer = answer.parse().unwrap();
    // The schema stays as it is sent: the import would make numbers of its digits.
    let config = JobsConfig { answer, answer_options: options, retype_digits: false, ..JobsConfig::default() };
    let service = Service::start(config).await;
    let (_, lines) = service.run(&[json!({ "key": "k", "request": request })]).await;
    parse(&lines[0])
}

fn completion(message: &Value, reason: &str) -> Say {
    Say::Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_255_200, "model": "tiny-1",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12,
            "completion_tokens_details": { "reasoning_tokens": 2 }, "prompt_tokens_details": { "cached_tokens": 3 } },
    }))
}

fn text(text: &str) -> Say {
    completion(&json!({ "role": "assistant", "content": text }), "stop")
}

fn hello() -> Value {
    line("k", "hello")["request"].clone()
}

/// Asks with a generation configuration; gives what was asked, and the response.
async fn with_config(config: Value, say: Say) -> (Value, Value) {
    let stub = Stub::start(vec![say]).await;
    let mut request = hello();
    if config != json!({}) {
        // The import takes no empty object.
        request["generationConfig"] = config;
    }
    let answered = ask(&format!("openai:{}/v1", stub.url), options(), request).await;
    assert_eq!(answered["status"], "", "{answered:#}");
    (stub.bodies()[0].clone(), answered["response"].clone())
}

#[tokio::test]
async fn a_request_becomes_a_chat_and_the_answer_a_response() {
    let stub = Stub::start(vec![text("fine")]).await;
    let request = json!({
        "systemInstruction": { "parts": [{ "text": "Be" }, { "text": "short." }] },
        "contents": [
            { "role": "user", "parts": [{ "text": "one" }] },
            { "role": "model", "parts": [{ "text": "hm", "thought": true }, { "text": "two" }] },
            { "role": "user", "parts": [{ "text": "look" }, { "inlineData": { "mimeType": "image/png", "data": "-_8" } }] },
        ],
        "generationConfig": { "temperature": 0.5, "topP": 0.25, "topK": 4, "maxOutputTokens": 9, "seed": 3, "candidateCount": 1,
            "stopSequences": ["x"], "presencePenalty": 0.5, "frequencyPenalty": 0.25, "responseLogprobs": true, "logprobs": 2 },
        "labels": { "a": "b" },
    });
    let answered = ask(&format!("openai:{}/v1/", stub.url), options(), request).await;
    assert_eq!(stub.paths(), ["/v1/chat/completions"]);
    assert_eq!(
        stub.bodies()[0],
        json!({
            "model": "gemini-2.5-flash-lite",
            "messages": [
                { "role": "system", "content": "Be\nshort." },
                { "role": "user", "content": "one" },
                { "role": "assistant", "content": "two" },
                { "role": "user", "content": [
                    { "type": "text", "text": "look" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,+/8=" } },
                ] },
            ],
            "temperature": 0.5, "top_p": 0.25, "max_tokens": 9, "seed": 3, "n": 1,
            "presence_penalty": 0.5, "frequency_penalty": 0.25, "stop": ["x"], "logprobs": true, "top_logprobs": 2,
        })
    );
    assert_eq!(
        answered["response"].to_string(),
        r#"{"candidates":[{"content":{"parts":[{"text":"fine"}],"role":"model"},"finishReason":"STOP"}],"createTime":"2026-11-21T10:00:00Z","modelVersion":"tiny-1","responseId":"chatcmpl-1","usageMetadata":{"cachedContentTokenCount":3,"candidatesTokenCount":3,"promptTokenCount":7,"thoughtsTokenCount":2,"totalTokenCount":12}}"#
    );
}

#[tokio::test]
async fn a_schema_becomes_json_schema() {
    let schema = json!({
        "type": "OBJECT", "nullable": true, "required": ["b"], "propertyOrdering": ["b", "a"],
        "properties": {
            "a": { "type": "ARRAY", "minItems": "2", "items": { "type": "INTEGER", "format": "int32", "enum": ["1", "2"] } },
            "b": { "anyOf": [{ "type": "STRING", "format": "date" }, { "ref": "#/defs/n" }], "nullable": true },
            "nullable": { "type": "BOOLEAN", "example": true },
        },
        "defs": { "n": { "type": "NUMBER" } },
    });
    let config = json!({ "responseMimeType": "application/json", "responseSchema": schema });
    let (asked, _) = with_config(config, text("{}")).await;
    assert_eq!(
        asked["response_format"].to_string(),
        json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": {
            "type": ["object", "null"], "required": ["b"],
            "properties": {
                "b": { "anyOf": [{ "type": "string", "format": "date" }, { "$ref": "#/$defs/n" }, { "type": "null" }] },
                "a": { "type": "array", "minItems": 2, "items": { "type": "integer", "enum": [1, 2] } },
                "nullable": { "type": "boolean" },
            },
            "$defs": { "n": { "type": "number" } },
        } } })
        .to_string()
    );
    let (asked, _) = with_config(json!({ "responseMimeType": "application/json" }), text("{}")).await;
    assert_eq!(asked["response_format"], json!({ "type": "json_object" }));
    let (asked, _) = with_config(json!({}), text("x")).await;
    assert!(asked.get("response_format").is_none());
}

#[tokio::test]
async fn an_enum_comes_back_bare_or_as_json_as_it_was_asked_for() {
    let schema = json!({ "type": "STRING", "enum": ["a", "b"] });
    for (mime, came) in [("text/x.enum", "a"), ("application/json", "\"a\"")] {
        let config = json!({ "responseMimeType": mime, "responseSchema": schema });
        let (asked, response) = with_config(config, text("\"a\"")).await;
        let expected = json!({ "type": "string", "enum": ["a", "b"] });
        assert_eq!(asked["response_format"]["json_schema"]["schema"], expected);
        assert_eq!(response["candidates"][0]["content"]["parts"][0]["text"], came);
    }
}

#[tokio::test]
async fn each_way_to_finish_has_its_reason() {
    for (theirs, ours) in [
        ("stop", "STOP"),
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("tool_calls", "STOP"),
        ("?", "OTHER"),
    ] {
        let say = completion(&json!({ "role": "assistant", "content": "x" }), theirs);
        assert_eq!(with_config(json!({}), say).await.1["candidates"][0]["finishReason"], ours);
    }
    // Thoughts used up the tokens: a content without parts. They are shown where asked.
    let say = completion(&json!({ "content": null, "reasoning_content": "hm" }), "length");
    let (_, response) = with_config(json!({}), say.clone()).await;
    assert_eq!(response["candidates"][0]["content"], json!({ "role": "model" }));
    let (_, response) = with_config(json!({ "thinkingConfig": { "includeThoughts": true } }), say).await;
    assert_eq!(response["candidates"][0]["content"]["parts"], json!([{ "text": "hm", "thought": true }]));
    let (_, response) = with_config(json!({}), completion(&json!({ "content": null, "refusal": "No." }), "stop")).await;
    assert_eq!(
        response["candidates"][0],
        json!({ "content": { "role": "model" }, "finishMessage": "No.", "finishReason": "SAFETY" })
    );
}

#[tokio::test]
async fn functions_are_called_both_ways() {
    let call = |arguments| {
        let function = json!({ "name": "f", "arguments": arguments });
        completion(
            &json!({ "content": null, "tool_calls": [{ "id": "c9", "type": "function", "function": function }] }),
            "tool_calls",
        )
    };
    let request = json!({
        "contents": [
            { "role": "user", "parts": [{ "text": "go" }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "f", "args": { "x": 1 } } }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": { "y": 2 } } }] },
        ],
        "tools": [{ "functionDeclarations": [
            { "name": "f", "description": "d", "parameters": { "type": "OBJECT", "properties": { "x": { "type": "INTEGER" } } } },
            { "name": "g" },
        ] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["f"] } },
    });
    let stub = Stub::start(vec![call("{\"x\":2}"), call("{")]).await;
    let url = format!("openai:{}/v1#other", stub.url);
    let answered = ask(&url, options(), request.clone()).await;
    let asked = stub.bodies()[0].clone();
    assert_eq!(asked["model"], "other");
    assert_eq!(asked["tool_choice"], "required");
    assert_eq!(
        asked["tools"],
        json!([{ "type": "function", "function": { "name": "f", "description": "d",
            "parameters": { "type": "object", "properties": { "x": { "type": "integer" } } } } }])
    );
    assert_eq!(
        asked["messages"][1]["tool_calls"],
        json!([{ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } }])
    );
    assert_eq!(asked["messages"][2], json!({ "role": "tool", "tool_call_id": "call_1", "content": "{\"y\":2}" }));
    let candidate = &answered["response"]["candidates"][0];
    assert_eq!(
        candidate["content"]["parts"],
        json!([{ "functionCall": { "args": { "x": 2 }, "id": "c9", "name": "f" } }])
    );
    let answered = ask(&url, options(), request).await;
    assert_eq!(answered["response"]["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
}

#[tokio::test]
async fn what_cannot_be_carried_fails_its_row_and_asks_nobody() {
    let stub = Stub::start(vec![text("x")]).await;
    let file = json!({ "fileData": { "fileUri": "gs://b/o.png", "mimeType": "image/png" } });
    let pdf = json!({ "inlineData": { "data": "AAAA", "mimeType": "application/pdf" } });
    for (part, more, word) in [
        (file, json!({}), "gs://b/o.png"),
        (pdf, json!({}), "application/pdf"),
        (json!({ "text": "x" }), json!({ "tools": [{ "googleSearch": { "excludeDomains": ["a"] } }] }), "googleSearch"),
        (json!({ "text": "x" }), json!({ "generationConfig": { "responseModalities": ["IMAGE"] } }), "IMAGE"),
    ] {
        let mut request = json!({ "contents": [{ "role": "user", "parts": [part] }] });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answered = ask(&format!("openai:{}", stub.url), options(), request).await;
        assert!(row_error(&answered).contains(word), "{answered:#}");
        assert!(answered["status"].as_str().unwrap().starts_with("Bad Request: "), "{answered:#}");
    }
    assert!(stub.bodies().is_empty());
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let stub = Stub::start(vec![Say::Status(429, "{}"), Say::Status(503, "down"), text("fine")]).await;
    let answered = ask(&format!("openai:{}", stub.url), options(), hello()).await;
    assert_eq!(answered["status"], "");
    assert_eq!(stub.bodies().len(), 3);

    for (code, asked, phrase) in [
        (500, 5, "Service Unavailable: "),
        (429, 5, "Too Many Requests: "),
        (400, 1, "Bad Request: "),
        (401, 1, "Unauthorized: "),
    ] {
        let stub = Stub::start(vec![Say::Status(code, r#"{"error":{"message":"the key hush is odd"}}"#)]).await;
        let options = AnswerOptions { api_key: Some(ApiKey::from("hush".to_owned())), ..options() };
        assert!(!format!("{options:?}").contains("hush"));
        let answered = ask(&format!("openai:{}", stub.url), options, hello()).await;
        assert_eq!(stub.bodies().len(), asked, "{code}");
        assert!(answered["status"].as_str().unwrap().starts_with(phrase), "{answered:#}");
        assert!(row_error(&answered).ends_with(&format!("replied {code}: the key … is odd")), "{answered:#}");
        assert_eq!(stub.asked.lock().unwrap()[0].1["authorization"], "Bearer hush");
    }
}

#[tokio::test]
async fn what_is_no_answer_fails_its_row() {
    for (say, word) in [
        (Say::Text("{\"choices\":["), "sent no chat completion"),
        (Say::Json(json!({ "id": 1 })), "no choices"),
        (Say::Json(json!({ "error": { "message": "out of tea" } })), "out of tea"),
    ] {
        let stub = Stub::start(vec![say]).await;
        let answered = ask(&format!("openai:{}", stub.url), options(), hello()).await;
        assert!(row_error(&answered).contains(word), "{answered:#}");
    }
    let stub = Stub::start(vec![Say::Nothing]).await;
    let options = AnswerOptions { timeout: Duration::from_millis(20), ..options() };
    let answered = ask(&format!("openai:{}", stub.url), options, hello()).await;
    assert!(answered["status"].as_str().unwrap().starts_with("Gateway Timeout: "), "{answered:#}");
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_rows_and_not_the_job() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("openai:http://{}", listener.local_addr().unwrap());
    drop(listener);
    let answered = ask(&url, options(), hello()).await;
    assert!(answered["status"].as_str().unwrap().starts_with("Service Unavailable: "), "{answered:#}");
    assert!(row_error(&answered).contains("was not reached"), "{answered:#}");
}

#[tokio::test]
async fn a_job_that_is_cancelled_waits_for_no_model() {
    let stub = Stub::start(vec![Say::Nothing]).await;
    let answer = format!("openai:{}", stub.url).parse().unwrap();
    let service = Service::start(JobsConfig { answer, ..JobsConfig::default() }).await;
    service.put("in.jsonl", super::many(20)).await;
    let id = service.create().await;
    service.until(&id, "JOB_STATE_RUNNING").await;
    service.post(&format!("{}/batchPredictionJobs/{id}:cancel", super::PARENT), &json!({})).await.ok();
    service.until(&id, "JOB_STATE_CANCELLED").await;
}

#[tokio::test]
async fn gemini_is_asked_on_its_own_paths_and_its_response_comes_whole() {
    let response = json!({ "candidates": [{ "content": { "parts": [{ "text": "x" }] }, "novel": 1 }], "z": {} });
    for (path, asked, header, labels) in [
        ("", "/v1beta/models/gemini-2.5-flash-lite:generateContent", "x-goog-api-key", false),
        ("/v1#m", "/v1/models/m:generateContent", "x-goog-api-key", false),
        (
            "/v1/projects/p/locations/l",
            "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash-lite:generateContent",
            "authorization",
            true,
        ),
        (
            "/v1/projects/p/locations/l/publishers/other#m",
            "/v1/projects/p/locations/l/publishers/other/models/m:generateContent",
            "authorization",
            true,
        ),
    ] {
        let stub = Stub::start(vec![Say::Json(response.clone())]).await;
        let options = AnswerOptions { api_key: Some(ApiKey::from("hush".to_owned())), ..options() };
        let mut request = hello();
        request["labels"] = json!({ "a": "b" });
        let answered = ask(&format!("gemini:{}{path}", stub.url), options, request).await;
        assert_eq!(answered["response"], response);
        assert_eq!(stub.paths(), [asked]);
        assert!(stub.asked.lock().unwrap()[0].1.contains_key(header));
        assert_eq!(stub.bodies()[0].get("labels").is_some(), labels);
    }
    let stub = Stub::start(vec![Say::Status(404, r#"{"error":{"message":"no such model"}}"#)]).await;
    let answered = ask(&format!("gemini:{}", stub.url), options(), hello()).await;
    assert!(answered["status"].as_str().unwrap().starts_with("Not Found: "), "{answered:#}");
}

#[test]
fn an_address_that_cannot_be_is_an_error_and_keeps_its_secret() {
    for text in ["openai:", "openai:127.0.0.1:80", "gemini:ftp://x", "openai:http://user:hush@host/v1"] {
        let error = text.parse::<Answer>().unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
        assert!(error.hint().is_some());
    }
    let text = "openai:https://host/v1?api-version=2#m/n";
    assert_eq!(text.parse::<Answer>().unwrap().to_string(), text);
}
