//! The answers of a small job in a few bytes each, so that the predictions need not be read again.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use memchr::memchr;
use twox_hash::XxHash3_64;

use super::answer::{AnswerSpans, PlainAnswer, text_of};
use super::response::{Candidate, Part, Parts, Response};
use super::usage::Usage;
use crate::unescape::unescape;

/// How much may still be kept, by all threads together, and what they have in common.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: AtomicUsize,
    words: Arc<Words>,
}

impl Room {
    /// A million labels of which there are a few, or some thousand long answers.
    const MOST: usize = 8 << 20;
    /// So much is handed out at once.
    const PIECE: usize = 16 << 10;

    pub(crate) fn new() -> Self {
        Self { bytes: AtomicUsize::new(Self::MOST), words: Arc::default() }
    }

    fn take(&self) -> usize {
        let left =
            self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| bytes.checked_sub(Self::PIECE));
        if left.is_ok() { Self::PIECE } else { 0 }
    }
}

/// Short answers that come again and again, each at the number that its text leads to: labels.
#[derive(Debug)]
struct Words([OnceLock<Box<str>>; Self::MOST]);

impl Words {
    const MOST: usize = 256;
    const LONGEST: usize = 32;

    /// The number of a text, which takes it if no other has. Which of two texts with one number came first
    /// depends on the threads, and does not show: the other is kept as it is.
    fn number(&self, text: &[u8]) -> Option<u8> {
        if Self::LONGEST < text.len() {
            return None;
        }
        let number = XxHash3_64::oneshot(text).to_le_bytes()[0];
        let place = &self.0[usize::from(number)];
        let word = match place.get() {
            Some(word) => word,
            None => {
                let word = str::from_utf8(text).ok()?;
                place.get_or_init(|| word.into())
            }
        };
        (word.as_bytes() == text).then_some(number)
    }

    fn get(&self, number: u8) -> Option<&str> {
        self.0[usize::from(number)].get().map(|word| &**word)
    }
}

impl Default for Words {
    fn default() -> Self {
        Self([const { OnceLock::new() }; Self::MOST])
    }
}

/// Answers that are one text and nothing else, by where in this memory they begin.
///
/// Each takes two bytes, one or two for each of its counts but for a total that is the sum of others, and one
/// for a text that many have, or the text itself.
#[derive(Debug, Default)]
pub(crate) struct KeptAnswers {
    bytes: Vec<u8>,
    words: Option<Arc<Words>>,
    /// How long `bytes` may become.
    room: usize,
    /// Finish reason and model version, of which there are few pairs.
    ends: Vec<End>,
    /// The memory for the text of an answer with escapes.
    unescaped: Vec<u8>,
    /// Texts as they stand in JSON whose words are known.
    met: Met,
}

/// Short texts as they stand in JSON, with the numbers of their words: what comes again and again is not unescaped
/// and hashed each time. A text has one place, and takes it from the one that was there.
#[derive(Debug, Default)]
struct Met(Vec<([u8; Met::LONGEST], usize, u8)>);

impl Met {
    const PLACES: usize = 64;
    /// With the quotation marks around it, and of a word in quotation marks those too.
    const LONGEST: usize = 40;

    #[inline]
    fn get(&self, quoted: &[u8]) -> Option<u8> {
        let (text, length, word) = self.0.get(Self::place(quoted))?;
        (text.get(..*length)? == quoted).then_some(*word)
    }

    fn put(&mut self, quoted: &[u8], word: u8) {
        if Self::LONGEST < quoted.len() {
            return;
        }
        if self.0.is_empty() {
            // No text is as short as that: it has its quotation marks.
            self.0.resize(Self::PLACES, ([0; Self::LONGEST], 0, 0));
        }
        let (text, length, number) = &mut self.0[Self::place(quoted)];
        text[..quoted.len()].copy_from_slice(quoted);
        (*length, *number) = (quoted.len(), word);
    }

    /// By its last eight bytes, and how long it is.
    #[inline]
    fn place(quoted: &[u8]) -> usize {
        let last = match quoted.last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => quoted.iter().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
        };
        // The upper bits depend on all of them.
        let mixed = (last ^ quoted.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        usize::from(mixed.to_be_bytes()[0]) % Self::PLACES
    }
}

/// What was kept of an answer that is one text and nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptAnswer<'a> {
    pub(super) text: &'a str,
    pub(super) finish_reason: Option<&'a str>,
    pub(super) model_version: Option<&'a str>,
    pub(super) usage: Usage,
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
        let end = self.end(&answer)?;
        let at = u32::try_from(self.bytes.len()).ok()?;
        let (word, text): (_, &[u8]) = match self.met.get(answer.text) {
            Some(word) => (Some(word), &[]),
            None => {
                let inside = answer.text.get(1..answer.text.len() - 1)?;
                let text = match memchr(b'\\', inside) {
                    None => inside,
                    Some(_) => unescape(inside, &mut self.unescaped)?,
                };
                let word = self.words.get_or_insert_with(|| Arc::clone(&room.words)).number(text);
                word.iter().for_each(|word| self.met.put(answer.text, *word));
                (word, text)
            }
        };
        let mut counts = answer.counts;
        let is_sum = counts[TOTAL].is_some() && counts[TOTAL] == sum(&counts);
        if is_sum {
            counts[TOTAL] = None;
        }
        let mut head = u8::from(is_sum) << IS_SUM | u8::from(word.is_some()) << IS_WORD;
        for (number, count) in counts.iter().enumerate() {
            head |= u8::from(count.is_some()) << number;
        }
        self.bytes.extend([end, head]);
        for count in counts.into_iter().flatten() {
            push_number(&mut self.bytes, count);
        }
        match word {
            Some(word) => self.bytes.push(word),
            None => {
                push_number(&mut self.bytes, text.len() as u64);
                self.bytes.extend_from_slice(text);
            }
        }
        Some(at)
    }

    /// Gives back the room that was not needed, once no more is to be kept here.
    pub(crate) fn give_back(&mut self, room: &Room) {
        room.bytes.fetch_add(self.room - self.bytes.len(), Ordering::Relaxed);
        self.room = self.bytes.len();
        (self.unescaped, self.met) = (Vec::new(), Met::default());
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
        self.words = self.words.take().or(other.words);
        Some(before)
    }

    /// Has the memory brought in that what was kept under this number takes.
    pub(crate) fn touch(&self, number: u32) {
        black_box(self.bytes.get(number as usize).copied());
    }

    /// The answer that was kept under this number.
    #[inline]
    pub(super) fn answer(&self, number: u32) -> Option<KeptAnswer<'_>> {
        let mut bytes = self.bytes.get(number as usize..)?;
        let [end, head] = *bytes.split_off(..2)? else { return None };
        let (finish_reason, model_version) = self.ends.get(usize::from(end))?;
        let mut counts = [None; Usage::COUNTS];
        for (number, count) in counts.iter_mut().enumerate() {
            if head >> number & 1 == 1 {
                *count = Some(take_number(&mut bytes)?);
            }
        }
        if head >> IS_SUM & 1 == 1 {
            counts[TOTAL] = sum(&counts);
        }
        let mut usage = Usage::default();
        for (number, count) in counts.into_iter().enumerate() {
            usage.set_count(number, count);
        }
        let text = if head >> IS_WORD & 1 == 1 {
            self.words.as_ref()?.get(*bytes.first()?)?
        } else {
            let length = usize::try_from(take_number(&mut bytes)?).ok()?;
            str::from_utf8(bytes.get(..length)?).ok()?
        };
        let (finish_reason, model_version) = (finish_reason.as_deref(), model_version.as_deref());
        Some(KeptAnswer { text, finish_reason, model_version, usage })
    }
}

impl<'a> KeptAnswer<'a> {
    /// The response that it was kept of, as far as it is read.
    pub(super) fn into_response(self) -> Response<'a> {
        let mut parts = Parts::default();
        parts.push(Part { text: Some(Cow::Borrowed(self.text)), ..Part::default() });
        let finish_reason = self.finish_reason.map(Cow::Borrowed);
        Response {
            candidate: Some(Candidate { finish_reason, finish_message: None, parts }),
            block_reason: None,
            block_message: None,
            usage: self.usage,
            model_version: self.model_version.map(Cow::Borrowed),
        }
    }
}

/// The count that is nearly always the sum of some of the others.
const TOTAL: usize = 3;
/// What stands in a head behind the bits for which counts are there.
const IS_SUM: usize = Usage::COUNTS;
const IS_WORD: usize = Usage::COUNTS + 1;

/// Of the prompt, the answer and the thoughts.
fn sum(counts: &[Option<u64>; Usage::COUNTS]) -> Option<u64> {
    counts[..TOTAL].iter().flatten().try_fold(0_u64, |sum, count| sum.checked_add(*count))
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
    use proptest::prelude::*;

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
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"totalTokenCount":0}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"totalTokenCount":7}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":500,"candidatesTokenCount":3,"totalTokenCount":503,"cachedContentTokenCount":9}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":500,"thoughtsTokenCount":30,"candidatesTokenCount":3,"totalTokenCount":533}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"an answer that is longer than any word that is kept once"}]}}]}"#,
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
            assert_eq!(format!("{:?}", whole.answer(before + number).unwrap().into_response()), response);
        }
    }

    proptest! {
        /// However often it comes, and whatever came before it.
        #[test]
        fn a_text_reads_as_what_it_stands_for(
            texts in proptest::collection::vec("[ab\"\\\\é\n]{0,4}|[ab]{28,44}|\"[ab]{30,34}\"", 0..120),
        ) {
            let (mut kept, mut glances, room) = (KeptAnswers::default(), Glances::default(), Room::new());
            let mut numbers = Vec::new();
            for text in &texts {
                let text = serde_json::to_string(text).unwrap();
                let line = line(&format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":{text}}}]}}}}]}}"#));
                let spans = glances.at(line.as_bytes()).unwrap().answer.as_ref().unwrap();
                numbers.push(kept.keep(line.as_bytes(), spans, &room).unwrap());
            }
            for (number, text) in numbers.into_iter().zip(&texts) {
                prop_assert_eq!(kept.answer(number).unwrap().text, text);
            }
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
        // Many parts of a few answers each take no more room than they need.
        let (room, mut length) = (Room::new(), 0);
        loop {
            let mut kept = KeptAnswers::default();
            if kept.keep(line.as_bytes(), spans, &room).is_none() {
                break;
            }
            kept.give_back(&room);
            length += kept.bytes.len();
        }
        assert!((Room::MOST * 9 / 10..Room::MOST).contains(&length), "{length}");
    }

    /// More texts than there are numbers: who finds his taken keeps his text.
    #[test]
    fn short_texts_are_kept_once() {
        let (mut kept, mut glances, room) = (KeptAnswers::default(), Glances::default(), Room::new());
        let mut numbers = Vec::new();
        for number in 0..3000 {
            let line =
                line(&format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"l{}"}}]}}}}]}}"#, number % 1000));
            let spans = glances.at(line.as_bytes()).unwrap().answer.as_ref().unwrap();
            numbers.push(kept.keep(line.as_bytes(), spans, &room).unwrap());
        }
        for (number, kept_as) in numbers.into_iter().enumerate() {
            assert_eq!(kept.answer(kept_as).unwrap().text, format!("l{}", number % 1000));
        }
        assert!(kept.bytes.len() < 3000 * 7, "{}", kept.bytes.len());
    }
}
