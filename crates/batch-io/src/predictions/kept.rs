//! The answers of a small job in a few bytes each, so that the predictions need not be read again.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::{AnswerSpans, PlainAnswer, text_of};
use super::response::{Candidate, Part, Parts, Response};
use super::usage::Usage;

/// How much may still be kept, by all threads together.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

impl Room {
    /// A quarter of a million labels, or some thousand long answers.
    const MOST: usize = 4 << 20;
    /// So much is handed out at once.
    const PIECE: usize = 16 << 10;

    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(Self::MOST / Self::PIECE))
    }

    fn take(&self) -> usize {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pieces| pieces.checked_sub(1));
        if left.is_ok() { Self::PIECE } else { 0 }
    }
}

/// Answers that are one text and nothing else, by where in this memory they begin.
///
/// Each takes two bytes, one or two for each of its counts, and its text.
#[derive(Debug, Default)]
pub(crate) struct KeptAnswers {
    bytes: Vec<u8>,
    /// How long `bytes` may become.
    room: usize,
    /// Finish reason and model version, of which there are few pairs.
    ends: Vec<End>,
}

type End = (Option<String>, Option<String>);

impl KeptAnswers {
    /// As many pairs as a byte can tell apart.
    const MOST_ENDS: usize = 256;

    /// Keeps an answer whose values lie there in a line, and tells under which number; `None` for one
    /// that is not as simple as that, and where there is no room.
    pub(crate) fn keep(&mut self, line: &[u8], spans: &AnswerSpans, room: &Room) -> Option<u32> {
        // What the numbers may take.
        const NUMBERS: usize = 80;
        let answer = spans.plain(line)?;
        let needed = self.bytes.len() + NUMBERS + answer.text.len();
        if self.room < needed {
            self.room += room.take();
        }
        if self.room < needed {
            return None;
        }
        let text = text_of(str::from_utf8(answer.text).ok()?)?;
        let end = self.end(&answer)?;
        let at = u32::try_from(self.bytes.len()).ok()?;
        let present = answer.counts.iter().enumerate().map(|(number, count)| u8::from(count.is_some()) << number).sum();
        self.bytes.extend([end, present]);
        for count in answer.counts.into_iter().flatten() {
            push_number(&mut self.bytes, count);
        }
        push_number(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        Some(at)
    }

    fn end(&mut self, answer: &PlainAnswer<'_>) -> Option<u8> {
        let (reason, version) = (answer.finish_reason, answer.model_version);
        let is_it = |(one, other): &End| quoted(one.as_deref(), reason) && quoted(other.as_deref(), version);
        let known = self.ends.iter().position(is_it);
        let number = match known {
            Some(number) => number,
            None if self.ends.len() == Self::MOST_ENDS => return None,
            None => {
                let plain = |quoted: Option<&[u8]>| match quoted {
                    Some(quoted) => match text_of(str::from_utf8(quoted).ok()?)? {
                        Cow::Borrowed(text) => Some(Some(text.to_owned())),
                        Cow::Owned(_) => None,
                    },
                    None => Some(None),
                };
                self.ends.push((plain(reason)?, plain(version)?));
                self.ends.len() - 1
            }
        };
        u8::try_from(number).ok()
    }

    /// Takes over what another has kept under these numbers, which are higher then by the one that is told.
    /// `None` where there are too many ways to end an answer.
    pub(crate) fn append(&mut self, mut other: Self, numbers: impl Iterator<Item = u32>) -> Option<u32> {
        let mut ends = Vec::new();
        for end in other.ends {
            let known = self.ends.iter().position(|own| *own == end).unwrap_or_else(|| {
                self.ends.push(end);
                self.ends.len() - 1
            });
            ends.push(u8::try_from(known).ok()?);
        }
        for number in numbers {
            let end = other.bytes.get_mut(number as usize)?;
            *end = *ends.get(usize::from(*end))?;
        }
        let before = u32::try_from(self.bytes.len()).ok()?;
        self.bytes.append(&mut other.bytes);
        self.room += other.room;
        Some(before)
    }

    /// The response that was kept under this number.
    pub(super) fn response(&self, number: u32) -> Option<Response<'_>> {
        let mut bytes = self.bytes.get(number as usize..)?;
        let [end, present] = *bytes.split_off(..2)? else { return None };
        let (finish_reason, model_version) = self.ends.get(usize::from(end))?;
        let mut usage = Usage::default();
        for number in 0..Usage::COUNTS {
            if present >> number & 1 == 1 {
                usage.set_count(number, Some(take_number(&mut bytes)?));
            }
        }
        let length = usize::try_from(take_number(&mut bytes)?).ok()?;
        let text = str::from_utf8(bytes.get(..length)?).ok()?;
        let mut parts = Parts::default();
        parts.push(Part { text: Some(Cow::Borrowed(text)), ..Part::default() });
        let finish_reason = finish_reason.as_deref().map(Cow::Borrowed);
        Some(Response {
            candidate: Some(Candidate { finish_reason, finish_message: None, parts }),
            block_reason: None,
            block_message: None,
            usage,
            model_version: model_version.as_deref().map(Cow::Borrowed),
        })
    }
}

/// Whether a string in its quotation marks is this text.
fn quoted(text: Option<&str>, quoted: Option<&[u8]>) -> bool {
    match (text, quoted) {
        (Some(text), Some(quoted)) => quoted.get(1..quoted.len() - 1) == Some(text.as_bytes()),
        (None, None) => true,
        _ => false,
    }
}

/// Seven bits a byte, the lowest first, and the eighth where more follow.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while 128 <= number {
        out.push(number.to_le_bytes()[0] | 128);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::glance::Glances;
    use super::*;

    fn line(response: &str) -> String {
        format!("{{\"response\":{response}}}")
    }

    #[test]
    fn what_is_kept_reads_as_what_was_written() {
        let (mut kept, mut glances, room) = (KeptAnswers::default(), Glances::default(), Room::new());
        let mut all = Vec::new();
        for response in [
            r#"{"candidates":[{"content":{"parts":[{"text":"\"te\u00e9\n日\""}]},"finishReason":"STOP"}],"modelVersion":"v","usageMetadata":{"promptTokenCount":0,"thoughtsTokenCount":127,"totalTokenCount":999999999999999999,"promptTokensDetails":[{"modality":"TEXT","tokenCount":3}]}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"x"}]},"finishReason":"STOP"}]}"#,
            r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"x"}]},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"candidatesTokenCount":128}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}"#,
        ] {
            let line = line(response);
            let spans = glances.at(line.as_bytes()).unwrap().answer.as_ref().unwrap();
            let number = kept.keep(line.as_bytes(), spans, &room).unwrap();
            all.push((number, format!("{:?}", Response::parse_unusual(response).unwrap())));
        }
        let mut whole = KeptAnswers::default();
        let other = line(r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"OTHER"}]}"#);
        let spans = glances.at(other.as_bytes()).unwrap().answer.as_ref().unwrap();
        whole.keep(other.as_bytes(), spans, &room).unwrap();
        let numbers: Vec<u32> = all.iter().map(|(number, _)| *number).collect();
        let before = whole.append(kept, numbers.into_iter()).unwrap();
        for (number, response) in all {
            assert_eq!(format!("{:?}", whole.response(before + number).unwrap()), response);
        }
    }

    #[test]
    fn what_is_less_simple_is_not_kept() {
        let (mut kept, mut glances, room) = (KeptAnswers::default(), Glances::default(), Room::new());
        for response in [
            r#"{}"#,
            r#"{"candidates":[{"finishReason":"STOP"}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"},{"text":"y"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x","thought":true}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x","functionCall":{}}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":null}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishMessage":"y"}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"S\/P"}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"\ud800"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"promptFeedback":{"blockReason":"SAFETY"}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokensDetails":[{"modality":"AUDIO"}]}}"#,
        ] {
            let line = line(response);
            let spans = glances.at(line.as_bytes()).unwrap().answer.as_ref();
            assert_eq!(spans.and_then(|spans| kept.keep(line.as_bytes(), spans, &room)), None, "{response}");
        }
    }

    #[test]
    fn no_more_is_kept_than_there_is_room() {
        let (mut glances, room) = (Glances::default(), Room::new());
        let line =
            line(&format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{}"}}]}}}}]}}"#, "x".repeat(1000)));
        let spans = glances.at(line.as_bytes()).unwrap().answer.as_ref().unwrap();
        let mut length = 0;
        for _ in 0..2 {
            let mut kept = KeptAnswers::default();
            while kept.keep(line.as_bytes(), spans, &room).is_some() {}
            length += kept.bytes.len();
        }
        assert!((Room::MOST * 9 / 10..Room::MOST).contains(&length), "{length}");
    }
}
