//! The shape of texts: what stands in all of them alike, and the holes with what differs.
//!
//! The lines of a file are written by one program, and most of what is not the prompt is the same in each
//! of them. So a text that has been walked through is kept, and the next one is only compared with it: where
//! all but some strings and numbers stands as it stood there, it is JSON as that was, of the same members,
//! and what was found there is found here, as far behind as the strings and numbers are longer.

use super::cursor::Cursor;
use super::span::Span;
use super::token::{end_of_number, end_of_string};
use crate::block::{Level, Simd, dispatch};

/// What is found in a text by its structure and its names alone.
pub(crate) trait Spans: Clone {
    /// Hands every span to `change`, always in the same order.
    fn each(&mut self, change: impl FnMut(&mut Span));
}

/// So many shapes are kept: of answers, of failures, of blocked prompts.
const MOST_SHAPES: usize = 8;

/// No shape is made of a text longer than this: there, comparing is not what takes time.
const LONGEST: usize = 64 * 1024;

/// So often is something learned of a text that fits no shape; once more for every so many that fit.
/// Where lines have no shape in common, nothing is learned in the end.
const LESSONS: u32 = 64;

/// The shapes of the texts that were met.
#[derive(Debug)]
pub(crate) struct Shapes<P> {
    /// What is met more often stands further in front.
    known: Vec<Shape<P>>,
    lessons: u32,
    fitting: u32,
    /// How much further behind what stands behind so many holes is, wrapping.
    moves: Vec<u32>,
}

#[derive(Debug)]
struct Shape<P> {
    /// The text that it was made of.
    text: String,
    tokens: Vec<Token>,
    /// Those of the tokens that differ, each with what stands in front of it behind the one before.
    holes: Vec<(Box<[u8]>, Token)>,
    /// What stands behind the last of them.
    rest: Box<[u8]>,
    /// What is found in `text`.
    spans: P,
    /// Of each span that is there.
    places: Vec<PlaceInShape>,
    /// What was found in the text that was looked at last; the same spans are there.
    found: P,
}

/// Where a span lies in the text that a shape was made of, and how many holes stand in front of its ends.
#[derive(Clone, Copy, Debug)]
struct PlaceInShape {
    span: Span,
    before_start: u32,
    before_end: u32,
}

/// A string that is no name, from behind its quotation mark, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    start: u32,
    end: u32,
    is_string: bool,
    is_hole: bool,
}

impl<P> Default for Shapes<P> {
    fn default() -> Self {
        Self { known: Vec::new(), lessons: LESSONS, fitting: 0, moves: Vec::new() }
    }
}

impl<P: Spans> Shapes<P> {
    /// The number of the shape that bytes have, if it is known; what is found in them is [`found`](Self::found).
    ///
    /// Bytes of a known shape are UTF-8, and JSON: nobody needs to have looked at them before.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        self.find_in_front(bytes, <[u8]>::is_empty).map(|found| found.0)
    }

    /// The same of a line that is the first of several, or of as much of it as there is; and how long it is without
    /// its end, which nobody needs to have looked for: no text of a shape goes on behind the end of a line.
    pub(crate) fn find_line(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        self.find_in_front(bytes, |behind| behind.starts_with(b"\n") || behind.starts_with(b"\r\n"))
    }

    /// The shape of the first of the bytes, behind which this is true, and how many they are.
    fn find_in_front(&mut self, bytes: &[u8], is_end: impl Fn(&[u8]) -> bool) -> Option<(usize, usize)> {
        let found = dispatch!(Level::new(), simd => find(simd, &self.known, bytes, &mut self.moves, &is_end));
        let (mut at, length) = found?;
        if let Some(shape) = self.known.get_mut(at) {
            shape.place(&self.moves);
        }
        if 0 < at {
            self.known.swap(at - 1, at);
            at -= 1;
        }
        self.fitting += 1;
        if self.fitting == LESSONS {
            self.fitting = 0;
            self.lessons = (self.lessons + 1).min(LESSONS);
        }
        Some((at, length))
    }

    /// What was found in the bytes that were said to have the shape of this number, until others are looked at.
    pub(crate) fn found(&self, shape: usize) -> Option<&P> {
        Some(&self.known.get(shape)?.found)
    }

    /// Takes note of a text that has no known shape, and of what was found in it.
    pub(crate) fn learn(&mut self, cursor: &Cursor<'_, '_>, spans: &P) {
        let text = cursor.whole();
        if self.lessons == 0 || LONGEST < text.len() {
            return;
        }
        self.lessons -= 1;
        let Some(tokens) = tokens(cursor.clone()) else { return };
        if self.known.iter_mut().any(|shape| shape.widen(text, &tokens)) {
            return;
        }
        self.known.truncate(MOST_SHAPES - 1);
        self.known.push(Shape::new(text.to_owned(), tokens, spans.clone()));
    }
}

impl<P: Spans> Shape<P> {
    fn new(text: String, tokens: Vec<Token>, spans: P) -> Self {
        let found = spans.clone();
        let mut shape =
            Self { text, tokens, holes: Vec::new(), rest: Box::default(), spans, places: Vec::new(), found };
        shape.note_holes();
        shape
    }

    /// Finds the spans in the text whose holes have moved what stands behind them so far.
    fn place(&mut self, moves: &[u32]) {
        let mut places = self.places.iter();
        let by = |holes: u32| moves.get(holes as usize).copied().unwrap_or_default();
        self.found.each(|span| {
            if span.is_there()
                && let Some(place) = places.next()
            {
                span.start = place.span.start.wrapping_add(by(place.before_start));
                span.end = place.span.end.wrapping_add(by(place.before_end));
            }
        });
    }

    /// Makes holes of what differs in another text, if nothing but tokens does.
    fn widen(&mut self, text: &str, tokens: &[Token]) -> bool {
        let (ours, theirs) = (self.text.as_bytes(), text.as_bytes());
        if between(ours, &self.tokens).ne(between(theirs, tokens)) {
            return false;
        }
        for (own, other) in self.tokens.iter_mut().zip(tokens) {
            own.is_hole |= own.of(ours) != other.of(theirs);
        }
        self.note_holes();
        true
    }

    fn note_holes(&mut self) {
        let holes: Vec<Token> = self.tokens.iter().filter(|token| token.is_hole).copied().collect();
        let pieces: Vec<Box<[u8]>> = between(self.text.as_bytes(), &holes).map(|(piece, _)| piece.into()).collect();
        self.places.clear();
        let in_front = |at: u32| holes.iter().take_while(|hole| hole.start < at).count();
        let in_front = |at: u32| u32::try_from(in_front(at)).unwrap_or_default();
        self.spans.clone().each(|span| {
            if span.is_there() {
                let (before_start, before_end) = (in_front(span.start), in_front(span.end));
                self.places.push(PlaceInShape { span: *span, before_start, before_end });
            }
        });
        let mut pieces = pieces.into_iter();
        self.holes = holes.into_iter().zip(pieces.by_ref()).map(|(hole, before)| (before, hole)).collect();
        self.rest = pieces.next().unwrap_or_default();
    }
}

/// The number of the shape that the bytes have up to an end, and how many they are. `moves` tells then how much
/// further behind what stands behind so many of its holes is.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn find<P, S: Simd>(
    simd: S,
    known: &[Shape<P>],
    bytes: &[u8],
    moves: &mut Vec<u32>,
    is_end: &impl Fn(&[u8]) -> bool,
) -> Option<(usize, usize)> {
    for (number, shape) in known.iter().enumerate() {
        if let Some(length) = fits(simd, &shape.holes, &shape.rest, bytes, moves)
            && is_end(bytes.get(length..)?)
        {
            return Some((number, length));
        }
    }
    None
}

/// Where the bytes end that have this shape.
#[expect(clippy::inline_always, reason = "the instructions are those of the caller")]
#[inline(always)]
fn fits<S: Simd>(
    simd: S,
    holes: &[(Box<[u8]>, Token)],
    rest: &[u8],
    bytes: &[u8],
    moves: &mut Vec<u32>,
) -> Option<usize> {
    moves.clear();
    moves.push(0);
    let mut at = 0;
    for (before, hole) in holes {
        at = behind(bytes, at, before)?;
        at = if hole.is_string { end_of_string(simd, bytes, at)? } else { end_of_number(bytes, at)? };
        moves.push(u32::try_from(at).ok()?.wrapping_sub(hole.end));
    }
    behind(bytes, at, rest)
}

/// Behind what stands at `at`, if that is what is expected.
#[inline]
fn behind(bytes: &[u8], at: usize, expected: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(expected).then_some(at + expected.len())
}

impl Token {
    fn of(self, text: &[u8]) -> Option<&[u8]> {
        text.get(self.start as usize..self.end as usize)
    }
}

/// What stands in front of each token and what it is, and what stands behind the last.
fn between<'t>(text: &'t [u8], tokens: &'t [Token]) -> impl Iterator<Item = (&'t [u8], Option<bool>)> {
    let mut done = 0;
    let mut tokens = tokens.iter().map(Some).chain([None]);
    std::iter::from_fn(move || {
        let token = tokens.next()?;
        let end = token.map_or(text.len(), |token| token.start as usize);
        let before = text.get(done..end).unwrap_or_default();
        done = token.map_or(end, |token| token.end as usize);
        Some((before, token.map(|token| token.is_string)))
    })
}

/// The strings and numbers of a text that is known to be JSON, names left out.
fn tokens(mut cursor: Cursor<'_, '_>) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    while let Some(byte) = cursor.peek() {
        let is_string = byte == b'"';
        match byte {
            b'"' => cursor.expect(b"\"")?,
            b'-' | b'0'..=b'9' => {}
            other => {
                cursor.expect(&[other])?;
                continue;
            }
        }
        let start = u32::try_from(cursor.at()).ok()?;
        if is_string {
            cursor.rest_of_string()?;
        } else {
            cursor.number()?;
        }
        let end = u32::try_from(cursor.at()).ok()?;
        cursor.space();
        if !is_string || cursor.peek() != Some(b':') {
            tokens.push(Token { start, end, is_string, is_hole: false });
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Stops;
    use super::*;

    /// The values of `a` and `b`.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Pair([Span; 2]);

    impl Spans for Pair {
        fn each(&mut self, change: impl FnMut(&mut Span)) {
            self.0.iter_mut().for_each(change);
        }
    }

    fn pair(text: &str) -> Option<Pair> {
        let mut pair = Pair::default();
        let mut stops = Stops::default();
        Cursor::new(text, &mut stops)?.members(|cursor, name| {
            let value = Span::new(&cursor.value()?)?;
            match name {
                b"a" => pair.0[0] = value,
                b"b" => pair.0[1] = value,
                _ => {}
            }
            Some(())
        })?;
        Some(pair)
    }

    #[test]
    fn what_was_learned_is_found_again() {
        let mut shapes = Shapes::default();
        let mut stops = Stops::default();
        let mut look = |text: &str| {
            let cursor = Cursor::new(text, &mut stops).unwrap();
            let found = shapes.find(text.as_bytes()).and_then(|shape| shapes.found(shape)).cloned();
            match (&found, pair(text)) {
                (None, Some(pair)) => shapes.learn(&cursor, &pair),
                (found, pair) => assert_eq!(*found, pair, "{text}"),
            }
            found.is_some()
        };
        assert!(!look(r#"{"x":{"y":1},"a":"one","b":[2,"",true]}"#));
        assert!(look(r#"{"x":{"y":1},"a":"one","b":[2,"",true]}"#));
        // The strings and numbers that differ become holes one after the other.
        assert!(!look(r#"{"x":{"y":12.5},"a":"","b":[2,"",true]}"#));
        assert!(look(r#"{"x":{"y":-0},"a":"tw\"o","b":[2,"",true]}"#));
        assert!(!look(r#"{"x":{"y":1},"a":"one","b":[2,"x",true]}"#));
        assert!(look(r#"{"x":{"y":7},"a":"a much longer one","b":[2,"\\",true]}"#));
        // Another structure, other names, other words.
        assert!(!look(r#"{"x":{"y":7},"a":"one"}"#));
        assert!(look(r#"{"x":{"y":7},"a":"one"}"#));
        assert!(!look(r#"{"x":{"z":7},"a":"one"}"#));
        assert!(!look(r#"{"x":{"y":7},"a":"one","b":[2,"x",null]}"#));
        assert!(look(r#"{"x":{"y":9},"a":"one","b":[2,"x",true]}"#));
        // What is no JSON has no shape.
        for text in [
            r#"{"x":{"y":07},"a":"one","b":[2,"x",true]}"#,
            r#"{"x":{"y":7.},"a":"one","b":[2,"x",true]}"#,
            r#"{"x":{"y":"#,
            r#"{"x":{"y":7},"a":"one","b":[2,"x",true]}}"#,
            r#"{"x":{"y":7},"a":"one","b":[2,"\x",true]}"#,
            r#"{"x":{"y":7},"a":"one","b":[2,"x",true]"#,
        ] {
            assert!(!look(text), "{text}");
        }
    }

    #[test]
    fn nothing_is_learned_for_ever() {
        let mut shapes = Shapes::default();
        let mut stops = Stops::default();
        for number in 0..1000 {
            let text = format!("{{\"n{number}\":{number}}}");
            let cursor = Cursor::new(&text, &mut stops).unwrap();
            assert!(shapes.find(text.as_bytes()).is_none());
            shapes.learn(&cursor, &Pair::default());
        }
        assert_eq!((shapes.known.len(), shapes.lessons), (MOST_SHAPES, 0));
    }
}
