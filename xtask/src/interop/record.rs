//! Exchanges, printed beside a failure or kept in files.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use super::proxy::{Exchange, Message};
use crate::run::Result;

/// How many exchanges are shown beside a failure, and how much of each body.
const SHOWN: usize = 4;
const BODY: usize = 1_500;

/// Prints the last of them, without what could be a secret.
pub(crate) fn print(exchanges: &[Exchange]) {
    let left_out = exchanges.len().saturating_sub(SHOWN);
    if left_out > 0 {
        println!("    ({left_out} exchanges before)");
    }
    for exchange in &exchanges[left_out..] {
        show('>', &exchange.request);
        show('<', &exchange.reply);
    }
}

fn show(mark: char, message: &Message) {
    println!("    {mark} {}", message.line);
    for (name, value) in &message.headers {
        let value = if name.eq_ignore_ascii_case("authorization") { "…" } else { value };
        println!("    {mark}   {name}: {value}");
    }
    let body = &message.body[..message.body.len().min(BODY)];
    // Cut in the middle of a character, it is text all the same.
    let text = body.utf8_chunks().nth(1).is_none();
    let body = if text { String::from_utf8_lossy(body).into_owned() } else { String::new() };
    for line in body.lines() {
        println!("    {mark} {line}");
    }
    if message.body.len() > BODY {
        println!("    {mark} … {} bytes", message.body.len());
    }
}

/// Writes each to a file `NNNN.json` in `folder`.
pub(crate) fn write(folder: &Path, exchanges: &[Exchange]) -> Result {
    fs::create_dir_all(folder)?;
    for (number, exchange) in (1..).zip(exchanges) {
        let mut words = exchange.request.line.split(' ');
        let record = json!({
            "method": words.next(),
            "path": words.next(),
            "headers": headers(&exchange.request),
            "body": body(&exchange.request),
            "status": exchange.reply.status(),
            "reply_headers": headers(&exchange.reply),
            "reply": body(&exchange.reply),
        });
        fs::write(folder.join(format!("{number:04}.json")), format!("{record:#}\n"))?;
    }
    Ok(())
}

fn headers(message: &Message) -> Map<String, Value> {
    let shown = message.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    shown.map(|(name, value)| (name.to_ascii_lowercase(), json!(value))).collect()
}

/// JSON as JSON, text as text, and of anything else its length.
fn body(message: &Message) -> Value {
    match std::str::from_utf8(&message.body) {
        Ok("") => Value::Null,
        Ok(text) if text.len() > 1 << 16 => json!(format!("{} bytes", text.len())),
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Err(_) => json!(format!("{} bytes", message.body.len())),
    }
}
