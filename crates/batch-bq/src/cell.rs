//! A cell as JSON: `tabledata.list` has every value as a string, a row here has it as what it is.
//!
//! | type | in the line |
//! | --- | --- |
//! | `STRING`, `DATE`, `TIME`, `DATETIME`, `GEOGRAPHY`, `INTERVAL`, `RANGE`, `BYTES` (Base64) | the string |
//! | `INT64` | a number with the digits that came, however many |
//! | `FLOAT64` | a number; `"NaN"`, `"Infinity"` and `"-Infinity"` as strings, which JSON has no numbers for |
//! | `NUMERIC`, `BIGNUMERIC` | a string of the digits that came: a number would lose some of them to many readers |
//! | `BOOL` | `true`, `false` |
//! | `TIMESTAMP` | RFC 3339 with microseconds, as the service writes `processed_time` on Cloud Storage |
//! | `JSON` | the value, byte for byte as the cell has it, line breaks between its tokens aside |
//! | arrays and structs | arrays and objects |

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::table::{Field, FieldKind, Mode};

/// A row as the service sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct Row<'a> {
    /// The cells, one for each column.
    #[serde(borrow, default)]
    f: Vec<Cell<'a>>,
}

#[derive(Debug, Deserialize)]
struct Cell<'a> {
    #[serde(borrow, default)]
    v: Option<&'a RawValue>,
}

/// What a `STRING` in a column that is known to have JSON becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    /// Strings, all of them.
    AsTheyAre,
    /// Where they are objects, `request` and `response` are objects in the line too: the service takes
    /// both types for `request`.
    RequestsAsJson,
}

/// Why a row could not be read.
pub(crate) type Wrong = String;

/// Writes a row as one line.
pub(crate) fn write_row(out: &mut Vec<u8>, row: &Row<'_>, fields: &[Field], texts: Texts) -> Result<(), Wrong> {
    write_members(out, row, fields, texts)?;
    out.push(b'\n');
    Ok(())
}

fn write_members(out: &mut Vec<u8>, row: &Row<'_>, fields: &[Field], texts: Texts) -> Result<(), Wrong> {
    if row.f.len() != fields.len() {
        return Err(format!("the row has {} cells for {} columns", row.f.len(), fields.len()));
    }
    out.push(b'{');
    for (at, (cell, field)) in row.f.iter().zip(fields).enumerate() {
        if at != 0 {
            out.push(b',');
        }
        write_string(out, &field.name);
        out.push(b':');
        write_value(out, cell.v, field, texts).map_err(|why| format!("column {}: {why}", field.name))?;
    }
    out.push(b'}');
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: Option<&RawValue>, field: &Field, texts: Texts) -> Result<(), Wrong> {
    let Some(value) = value.filter(|value| value.get() != "null") else {
        // An array is never null in BigQuery; some servers say so all the same.
        out.extend_from_slice(if field.mode == Mode::Repeated { b"[]" } else { b"null" });
        return Ok(());
    };
    if field.mode != Mode::Repeated {
        return write_one(out, value, field, texts);
    }
    let cells: Vec<Cell<'_>> = parse(value)?;
    out.push(b'[');
    for (at, cell) in cells.iter().enumerate() {
        if at != 0 {
            out.push(b',');
        }
        match cell.v.filter(|value| value.get() != "null") {
            Some(value) => write_one(out, value, field, texts)?,
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b']');
    Ok(())
}

fn write_one(out: &mut Vec<u8>, value: &RawValue, field: &Field, texts: Texts) -> Result<(), Wrong> {
    if field.kind == FieldKind::Record {
        let row: Row<'_> = parse(value)?;
        return write_members(out, &row, &field.fields, Texts::AsTheyAre);
    }
    // A server that sends numbers as numbers, or JSON as JSON, is understood too.
    let is_text = value.get().starts_with('"');
    let text: Cow<'_, str> = if is_text { string(value)? } else { Cow::Borrowed(value.get()) };
    match field.kind {
        FieldKind::Integer => match is_integer(&text) {
            true => out.extend_from_slice(text.as_bytes()),
            false => return Err(format!("{text:?} is no INT64")),
        },
        FieldKind::Float => write_float(out, &text)?,
        FieldKind::Bool => match text.to_ascii_lowercase().as_str() {
            flag @ ("true" | "false") => out.extend_from_slice(flag.as_bytes()),
            _ => return Err(format!("{text:?} is no BOOL")),
        },
        FieldKind::Timestamp => match timestamp(&text) {
            Some(time) => write_string(out, &time),
            None => return Err(format!("{text:?} is no TIMESTAMP")),
        },
        FieldKind::Json => write_json(out, &text),
        FieldKind::String if texts == Texts::RequestsAsJson && is_carrier(&field.name) && is_object(&text) => {
            write_json(out, &text);
        }
        _ if is_text => out.extend_from_slice(value.get().as_bytes()),
        _ => write_string(out, &text),
    }
    Ok(())
}

fn is_carrier(name: &str) -> bool {
    name.eq_ignore_ascii_case("request") || name.eq_ignore_ascii_case("response")
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// JSON text as it is; what is none as a string, so that nothing is lost.
fn write_json(out: &mut Vec<u8>, text: &str) {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return write_string(out, text);
    }
    let from = out.len();
    out.extend_from_slice(text.trim().as_bytes());
    // Within a string JSON has no bare line break: any there is stands between two tokens.
    for byte in &mut out[from..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leads = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !leads && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn write_float(out: &mut Vec<u8>, text: &str) -> Result<(), Wrong> {
    let is_number = matches!(text.as_bytes().first(), Some(b'-' | b'0'..=b'9'));
    if is_number && serde_json::from_str::<&RawValue>(text).is_ok() {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    // `Inf`, `+1`, `.5`: no JSON, and numbers all the same.
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no FLOAT64"))?;
    match number {
        _ if number.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        _ => out.extend_from_slice(
            serde_json::Number::from_f64(number).map(|n| n.to_string()).unwrap_or_default().as_bytes(),
        ),
    }
    Ok(())
}

/// A time in RFC 3339, in the form of the service's own prediction lines.
fn timestamp(text: &str) -> Option<String> {
    let time = match micros(text) {
        Some(micros) => Timestamp::from_microsecond(micros).ok()?,
        // `2026-01-01 00:00:00 UTC`, as SQL prints it, or RFC 3339 already.
        None => text.replacen(' ', "T", 1).replace(" UTC", "Z").parse().ok()?,
    };
    Some(time.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
}

/// The microseconds since 1970 that `text` stands for: whole microseconds, which is what we ask for, or
/// seconds with a fraction or an exponent (`1.7672256E9`), which is what BigQuery sends unasked.
///
/// The fraction is taken digit by digit: as a float it would be off by a microsecond now and then.
fn micros(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !digits.contains(['.', 'e', 'E']) {
        return is_integer(text).then(|| text.parse().ok())?;
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || 30 < all.len() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // value = all * 10^shift, in microseconds.
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?.checked_add(6)?;
    let value: i128 = all.parse().ok()?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let value = match (shift < 0, power) {
        // To the nearest: floats of 2026 are exact to a quarter of a microsecond.
        (true, Some(power)) => (value + power / 2) / power,
        (true, None) => 0,
        (false, power) => value.checked_mul(power?)?,
    };
    i64::try_from(if negative { -value } else { value }).ok()
}

fn string<'a>(value: &'a RawValue) -> Result<Cow<'a, str>, Wrong> {
    let inner = &value.get()[1..value.get().len() - 1];
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(value.get()).map(Cow::Owned).map_err(|error| error.to_string())
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing a text into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn parse<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<T, Wrong> {
    serde_json::from_str(value.get()).map_err(|error| format!("{error} in {:.80}", value.get()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(row: &str, fields: &[Field]) -> Result<String, Wrong> {
        let row: Row<'_> = serde_json::from_str(row).unwrap();
        let mut out = Vec::new();
        write_row(&mut out, &row, fields, Texts::RequestsAsJson)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn cell(kind: FieldKind, value: &str) -> Result<String, Wrong> {
        let line = line(&format!(r#"{{"f":[{{"v":{value}}}]}}"#), &[Field::nullable("c", kind)])?;
        Ok(line.trim_end().strip_prefix(r#"{"c":"#).unwrap().strip_suffix('}').unwrap().to_owned())
    }

    #[test]
    fn json_is_embedded_byte_for_byte() {
        let json = |text: &str| cell(FieldKind::Json, &serde_json::to_string(text).unwrap()).unwrap();
        for text in [
            r#"{"b":1.50,"a":[1,{"z":null}],"n":12345678901234567890123}"#,
            r#"{"escaped":"\u3042\n\"あ"}"#,
            "null",
            "[]",
            r#""a text""#,
            "-1e400",
        ] {
            assert_eq!(json(text), text);
        }
        assert_eq!(json("{\n \"a\":\r\n 1}\n"), "{  \"a\":   1}", "one line");
        assert_eq!(json("{oops"), "\"{oops\"", "what is no JSON is not lost");
        assert_eq!(cell(FieldKind::Json, r#"{"a":1}"#).unwrap(), r#"{"a":1}"#, "a server that sends it bare");
    }

    #[test]
    fn values_keep_their_type_and_every_digit() {
        let one = |kind, value: &str| cell(kind, value).unwrap();
        assert_eq!(one(FieldKind::Integer, "\"9223372036854775807\""), "9223372036854775807");
        assert_eq!(one(FieldKind::Integer, "\"-9007199254740993\""), "-9007199254740993");
        assert_eq!(one(FieldKind::Integer, "7"), "7");
        assert_eq!(one(FieldKind::Float, "\"1.0E10\""), "1.0E10");
        assert_eq!(one(FieldKind::Float, "\"NaN\""), "\"NaN\"");
        assert_eq!(one(FieldKind::Float, "\"-inf\""), "\"-Infinity\"");
        assert_eq!(one(FieldKind::Float, "\".5\""), "0.5");
        assert_eq!(one(FieldKind::Bool, "\"true\""), "true");
        assert_eq!(one(FieldKind::Bool, "\"False\""), "false");
        let numeric = "\"12345678901234567890123456789.123456789\"";
        assert_eq!(one(FieldKind::Numeric, numeric), numeric);
        assert_eq!(one(FieldKind::Bytes, "\"AAEC/w==\""), "\"AAEC/w==\"");
        assert_eq!(one(FieldKind::String, r#""a\"b\n\u3042""#), r#""a\"b\n\u3042""#);
        assert_eq!(one(FieldKind::String, "null"), "null");
        assert_eq!(one(FieldKind::Other("NEW".to_owned()), "\"x\""), "\"x\"");
    }

    #[test]
    fn what_cannot_be_is_said_with_its_column() {
        assert_eq!(cell(FieldKind::Integer, "\"1.5\"").unwrap_err(), "column c: \"1.5\" is no INT64");
        assert!(cell(FieldKind::Bool, "\"maybe\"").is_err());
        assert!(cell(FieldKind::Timestamp, "\"soon\"").is_err());
        let fields = [Field::nullable("a", FieldKind::String), Field::nullable("b", FieldKind::String)];
        assert_eq!(line(r#"{"f":[{"v":"x"}]}"#, &fields).unwrap_err(), "the row has 1 cells for 2 columns");
    }

    #[test]
    fn times_come_in_many_forms_and_leave_in_one() {
        for text in [
            "1767225600123456",
            "1.767225600123456E9",
            "1767225600.123456",
            "2026-01-01 00:00:00.123456 UTC",
            "2026-01-01T00:00:00.123456Z",
        ] {
            let time = timestamp(text);
            assert_eq!(time.as_deref(), Some("2026-01-01T00:00:00.123456+00:00"), "{text}");
        }
        assert_eq!(timestamp("1.7672256E9").as_deref(), Some("2026-01-01T00:00:00.000000+00:00"));
        assert_eq!(timestamp("-1").as_deref(), Some("1969-12-31T23:59:59.999999+00:00"));
        assert_eq!(timestamp("1e999999"), None);
    }

    #[test]
    fn arrays_structs_and_nulls() {
        let mut array = Field::nullable("a", FieldKind::Integer);
        array.mode = Mode::Repeated;
        let mut record = Field::nullable("s", FieldKind::Record);
        record.fields = vec![array.clone(), Field::nullable("j", FieldKind::Json)];
        let fields = [array, record, Field::nullable("n", FieldKind::Float)];
        let row = r#"{"f":[{"v":[{"v":"1"},{"v":"2"}]},{"v":{"f":[{"v":null},{"v":"{\"x\":1}"}]}},{"v":null}]}"#;
        assert_eq!(line(row, &fields).unwrap(), "{\"a\":[1,2],\"s\":{\"a\":[],\"j\":{\"x\":1}},\"n\":null}\n");
    }

    #[test]
    fn a_request_in_a_string_column_is_a_request() {
        let fields = ["request", "note"].map(|name| Field::nullable(name, FieldKind::String));
        let row = r#"{"f":[{"v":"{\"contents\":[]}"},{"v":"{\"contents\":[]}"}]}"#;
        let expected = "{\"request\":{\"contents\":[]},\"note\":\"{\\\"contents\\\":[]}\"}\n";
        assert_eq!(line(row, &fields).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn every_microsecond_is_exact_in_both_forms(micros_in in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
            let sign = if micros_in < 0 { "-" } else { "" };
            let (whole, fraction) = (micros_in.unsigned_abs() / 1_000_000, micros_in.unsigned_abs() % 1_000_000);
            prop_assert_eq!(micros(&format!("{sign}{whole}.{fraction:06}")), Some(micros_in));
            prop_assert_eq!(micros(&micros_in.to_string()), Some(micros_in));
        }

        #[test]
        fn any_text_comes_back_as_it_was(text: String) {
            let value = serde_json::to_string(&text).unwrap();
            let written = cell(FieldKind::String, &value).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
            let json = cell(FieldKind::Json, &value).unwrap();
            prop_assert!(serde_json::from_str::<&RawValue>(&json).is_ok(), "{} is no JSON", json);
            prop_assert!(!json.contains('\n'));
        }
    }
}
