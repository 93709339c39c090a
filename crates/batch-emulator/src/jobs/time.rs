//! Times in the ways that the service writes them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// As protobuf's JSON has it: 0, 3 or 6 digits after the point, whichever does.
pub(super) fn proto(time: Timestamp) -> String {
    match time.as_microsecond().rem_euclid(1_000_000) {
        0 => format!("{time:.0}"),
        micros if micros % 1000 == 0 => format!("{time:.3}"),
        _ => format!("{time:.6}"),
    }
}

/// As the names of output directories have it: always with microseconds.
pub(super) fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// As `processed_time` of the first generation has it: milliseconds without trailing
/// zeros, and the offset as `+00:00`.
pub(super) fn processed_first(time: Timestamp) -> String {
    let text = format!("{time:.3}");
    let text = text.trim_end_matches('Z').trim_end_matches('0');
    format!("{}+00:00", text.trim_end_matches('.'))
}

/// As `processed_time` of the second generation has it, which is what Python's
/// `isoformat` writes: microseconds unless they are zero.
pub(super) fn processed_second(time: Timestamp) -> String {
    let text = if time.as_microsecond() % 1_000_000 == 0 { format!("{time:.0}") } else { format!("{time:.6}") };
    format!("{}+00:00", text.trim_end_matches('Z'))
}

/// From microseconds since 1970, as they are kept.
pub(super) fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// The instant at which a clock will show `time` plus `delay`.
pub(super) fn after(time: Timestamp, delay: Duration) -> SystemTime {
    SystemTime::from(time)
        .checked_add(delay)
        .unwrap_or_else(|| SystemTime::from(time) + Duration::from_secs(100 * 365 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_digits() {
        let time = |micros: i64| from_micros(1_766_129_567_000_000 + micros);
        assert_eq!(proto(time(0)), "2025-12-19T07:32:47Z");
        assert_eq!(proto(time(120_000)), "2025-12-19T07:32:47.120Z");
        assert_eq!(proto(time(279_859)), "2025-12-19T07:32:47.279859Z");
        assert_eq!(micros(time(0)), "2025-12-19T07:32:47.000000Z");
        assert_eq!(processed_first(time(110_000)), "2025-12-19T07:32:47.11+00:00");
        assert_eq!(processed_first(time(123_456)), "2025-12-19T07:32:47.123+00:00");
        assert_eq!(processed_first(time(0)), "2025-12-19T07:32:47+00:00");
        assert_eq!(processed_second(time(279_859)), "2025-12-19T07:32:47.279859+00:00");
        assert_eq!(processed_second(time(0)), "2025-12-19T07:32:47+00:00");
    }
}
