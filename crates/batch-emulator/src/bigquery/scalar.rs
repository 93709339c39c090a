//! Single values: from how clients write them to how they are kept, and on to the wire.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::schema::Kind;

/// Reads a value of that type, and gives it as it is kept. None where it is no such value.
pub(super) fn read(kind: Kind, text: &str) -> Option<Cow<'_, str>> {
    match kind {
        Kind::Integer => integer(text).map(|value| value.to_string().into()),
        Kind::Float => float(text).map(|value| write_float(value).into()),
        Kind::Numeric => decimal(text, 29, 9).map(Cow::Owned),
        Kind::BigNumeric => decimal(text, 39, 38).map(Cow::Owned),
        Kind::Boolean => boolean(text).map(|value| if value { "true" } else { "false" }.into()),
        Kind::Timestamp => timestamp(text).map(|micros| micros.to_string().into()),
        Kind::Date => text.trim().parse::<Date>().ok().map(|date| date.to_string().into()),
        Kind::Time => text.trim().parse::<Time>().ok().map(|time| micros_of(&time.to_string()).into()),
        Kind::DateTime => date_time(text).map(|time| micros_of(&time.to_string()).into()),
        Kind::Bytes => {
            let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
            Some(STANDARD.encode(bytes).into())
        }
        // Kept as they come: nothing here looks into the latter.
        Kind::String | Kind::Geography | Kind::Interval | Kind::Range => Some(Cow::Borrowed(text)),
        Kind::Json | Kind::Record => None,
    }
}

fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        // `1.0` and `1e3` are integers too.
        let value: f64 = text.parse().ok()?;
        (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64)
    })
}

fn float(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match &*text.trim().to_ascii_lowercase() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A decimal number with at most so many digits before and after the point, without zeros
/// at its ends.
fn decimal(text: &str, whole: usize, fraction: usize) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [before, after].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) || exponent.abs() > 80 {
        return None;
    }
    let point = i32::try_from(before.len()).ok()? + exponent;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let padded = format!("{}{all}{}", zeros(-point), zeros(point - i32::try_from(all.len()).ok()?));
    let point = usize::try_from(point.max(0)).ok()?;
    let (before, after) = padded.split_at_checked(point)?;
    let (before, after) = (before.trim_start_matches('0'), after.trim_end_matches('0'));
    if before.len() > whole || after.len() > fraction {
        return None;
    }
    let before = if before.is_empty() { "0" } else { before };
    let sign = if before == "0" && after.is_empty() { "" } else { sign };
    let dot = if after.is_empty() { "" } else { "." };
    Some(format!("{sign}{before}{dot}{after}"))
}

/// Microseconds since 1970 of a time as the service reads it: ISO 8601 with a `T` or a
/// blank, an offset, `Z`, `UTC` or nothing for UTC; a date alone; or seconds since 1970.
fn timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let time = if let Ok(seconds) = text.parse::<i64>() {
        Timestamp::from_second(seconds).ok()?
    } else if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()) {
        Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()?
    } else {
        let zulu = text.strip_suffix("UTC").map(|time| format!("{}Z", time.trim_end()));
        let text = zulu.as_deref().unwrap_or(text);
        match text.parse::<Timestamp>() {
            Ok(time) => time,
            Err(_) => Offset::UTC.to_timestamp(date_time(text)?).ok()?,
        }
    };
    let (first, end) = (-62_135_596_800_000_000, 253_402_300_800_000_000);
    Some(time.as_microsecond()).filter(|micros| (first..end).contains(micros))
}

fn date_time(text: &str) -> Option<DateTime> {
    text.trim().parse::<DateTime>().ok()
}

/// A time with microseconds, or without any fraction; clients take nothing in between.
fn micros_of(text: &str) -> String {
    match text.split_once('.') {
        Some((seconds, fraction)) => {
            let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
            if six == "000000" { seconds.to_owned() } else { format!("{seconds}.{six}") }
        }
        None => text.to_owned(),
    }
}

/// A double as the service writes it, which is as Java does: `1.0`, `1.7672256E9`, `NaN`.
pub(super) fn write_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// A timestamp as seconds since 1970, which is how rows are listed unless asked otherwise.
pub(super) fn micros_as_seconds(micros: i64) -> String {
    // A double has room for the microseconds of every year up to 2255 and little more; that
    // is why the other form exists.
    write_float(micros as f64 / 1e6)
}

/// A timestamp as exports have it: `2026-01-01 00:00:00.500000 UTC`.
pub(super) fn micros_as_utc(micros: i64) -> String {
    let mut text = civil(micros, ' ');
    text.push_str(" UTC");
    text
}

/// A timestamp as Python's `isoformat` has it: `2026-01-01T00:00:00.500000+00:00`.
pub(super) fn micros_as_iso(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    let text = if micros % 1_000_000 == 0 { format!("{time:.0}") } else { format!("{time:.6}") };
    format!("{}+00:00", text.trim_end_matches('Z'))
}

fn civil(micros: i64, between: char) -> String {
    let time = Offset::UTC.to_datetime(Timestamp::from_microsecond(micros).unwrap_or_default());
    let (date, clock) = (time.date(), time.time());
    let mut text = date.to_string();
    text.push(between);
    text.push_str(&micros_of(&clock.to_string()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_in_one_spelling() {
        for (kind, text, kept) in [
            (Kind::Integer, "9223372036854775807", "9223372036854775807"),
            (Kind::Integer, "1e3", "1000"),
            (Kind::Float, "1", "1.0"),
            (Kind::Float, "inf", "Infinity"),
            (Kind::Float, "1767225600", "1.7672256E9"),
            (Kind::Float, "1e-5", "1.0E-5"),
            (Kind::Numeric, "+001.50", "1.5"),
            (Kind::Numeric, "-1.5e-2", "-0.015"),
            (Kind::Numeric, "12e3", "12000"),
            (Kind::Numeric, "-0.0", "0"),
            (Kind::BigNumeric, "0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
            (Kind::Boolean, "T", "true"),
            (Kind::Timestamp, "2026-01-01T00:00:00Z", "1767225600000000"),
            (Kind::Timestamp, "2026-01-01 01:00:00.123456+01:00", "1767225600123456"),
            (Kind::Timestamp, "2026-01-01 00:00:00 UTC", "1767225600000000"),
            (Kind::Timestamp, "2026-01-01", "1767225600000000"),
            (Kind::Timestamp, "1767225600.5", "1767225600500000"),
            (Kind::Date, "2026-02-28", "2026-02-28"),
            (Kind::Time, "12:30:00.5", "12:30:00.500000"),
            (Kind::DateTime, "2026-01-01 12:00:00", "2026-01-01T12:00:00"),
            (Kind::Bytes, "_-8=", "/+8="),
        ] {
            assert_eq!(read(kind, text).as_deref(), Some(kept), "{kind:?} {text}");
        }
        for (kind, text) in [
            (Kind::Integer, "1.5"),
            (Kind::Integer, "9223372036854775808"),
            (Kind::Numeric, "0.0000000001"),
            (Kind::Numeric, ""),
            (Kind::Boolean, "maybe"),
            (Kind::Timestamp, "yesterday"),
            (Kind::Timestamp, "10000-01-01 00:00:00"),
            (Kind::Date, "2026-02-30"),
            (Kind::Bytes, "é"),
        ] {
            assert_eq!(read(kind, text), None, "{kind:?} {text}");
        }
    }

    #[test]
    fn timestamps_have_a_form_for_each_place() {
        assert_eq!(micros_as_seconds(1_767_225_600_000_000), "1.7672256E9");
        assert_eq!(micros_as_seconds(1_767_225_600_123_456), "1.767225600123456E9");
        assert_eq!(micros_as_seconds(0), "0.0");
        assert_eq!(micros_as_utc(1_767_225_600_500_000), "2026-01-01 00:00:00.500000 UTC");
        assert_eq!(micros_as_iso(1_767_225_600_500_000), "2026-01-01T00:00:00.500000+00:00");
        assert_eq!(micros_as_iso(1_767_225_600_000_000), "2026-01-01T00:00:00+00:00");
    }
}
