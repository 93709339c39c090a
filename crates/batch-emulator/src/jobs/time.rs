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

/// The length of a time with microseconds and an offset.
const LONGEST: usize = "2026-01-01T00:00:00.000000+00:00".len();

/// Writes times of which many are in the same few seconds: a job stamps every row three times.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    /// A second since 1970 and its text, without a `Z`.
    recent: [Option<(i64, String)>; 2],
}

impl Seconds {
    /// As [`proto`].
    pub(super) fn proto(&mut self, time: Timestamp) -> String {
        let (second, micros) = self.split(time);
        let mut text = String::with_capacity(LONGEST);
        text.push_str(second);
        match micros {
            0 => {}
            micros if micros % 1000 == 0 => push_fraction::<3>(&mut text, micros / 1000),
            _ => push_fraction::<6>(&mut text, micros),
        }
        text.push('Z');
        text
    }

    /// As `processed_time` of the first generation has it: milliseconds without trailing zeros, and the offset
    /// as `+00:00`.
    pub(super) fn processed_first(&mut self, time: Timestamp) -> String {
        let (second, micros) = self.split(time);
        let text = format!("{second}.{:03}", micros / 1000);
        format!("{}+00:00", text.trim_end_matches('0').trim_end_matches('.'))
    }

    /// As `processed_time` of the second generation has it, which is what Python's `isoformat` writes:
    /// microseconds unless they are zero.
    pub(super) fn processed_second(&mut self, time: Timestamp) -> String {
        let (second, micros) = self.split(time);
        let mut text = String::with_capacity(LONGEST);
        text.push_str(second);
        if micros != 0 {
            push_fraction::<6>(&mut text, micros);
        }
        text.push_str("+00:00");
        text
    }

    /// The text of the second, and the microseconds in it.
    fn split(&mut self, time: Timestamp) -> (&str, i64) {
        let (second, micros) =
            (time.as_microsecond().div_euclid(1_000_000), time.as_microsecond().rem_euclid(1_000_000));
        // Neighbours have a place each.
        let place = &mut self.recent[usize::from(second % 2 != 0)];
        if place.as_ref().is_none_or(|(of, _)| *of != second) {
            let text = format!("{:.0}", Timestamp::from_second(second).unwrap_or_default());
            *place = Some((second, text.trim_end_matches('Z').to_owned()));
        }
        (place.as_ref().map_or("", |(_, text)| text), micros)
    }
}

/// Writes a point and so many digits. Formatting would take ten times as long.
fn push_fraction<const DIGITS: usize>(text: &mut String, mut number: i64) {
    let mut digits = ['0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(b'0' + (number % 10) as u8);
        number /= 10;
    }
    text.push('.');
    text.extend(digits);
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
        let mut seconds = Seconds::default();
        assert_eq!(seconds.processed_first(time(110_000)), "2025-12-19T07:32:47.11+00:00");
        assert_eq!(seconds.processed_first(time(123_456)), "2025-12-19T07:32:47.123+00:00");
        assert_eq!(seconds.processed_first(time(0)), "2025-12-19T07:32:47+00:00");
        assert_eq!(seconds.processed_second(time(279_859)), "2025-12-19T07:32:47.279859+00:00");
        assert_eq!(seconds.processed_second(time(0)), "2025-12-19T07:32:47+00:00");
    }

    #[test]
    fn a_second_that_is_kept_is_the_right_one() {
        let mut seconds = Seconds::default();
        for micros in (0..9_000_000_i32).step_by(137_000).chain((0..9_000_000).step_by(250_000).rev()) {
            let time = from_micros(1_766_129_557_000_000 + i64::from(micros));
            assert_eq!(seconds.proto(time), proto(time));
            let digits = if time.subsec_microsecond() == 0 && time.subsec_millisecond() == 0 { 0 } else { 6 };
            assert_eq!(seconds.processed_second(time), format!("{time:.digits$}").replace('Z', "+00:00"));
        }
    }
}
