//! How many tokens a file has that a request names by its URI.
//!
//! The rules are those of the token and model pages of 2025 and 2026: pictures by tiles up to Gemini 2.5,
//! by a fixed budget since Gemini 3; pages as pictures; 32 tokens a second of sound; video by frames.
//! How large a file is, is not known here, since nothing is read: that is what makes the ranges wide.

use super::tokens::Ranged;

/// What a file part is, by its MIME type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Media {
    Image,
    Document,
    Audio,
    Video,
    Text,
}

/// How a model counts files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Whether it is of Gemini 3 or later.
    pub(super) fixed_budgets: bool,
    /// Whether the spec asks for the lowest resolution.
    pub(super) low_resolution: bool,
}

/// Seconds or pages of a file that nobody has looked into: one, a guess, and the most that is taken.
const SECONDS_OF_SOUND: Ranged<u64> = Ranged { low: 1, expected: 60, high: 30_240 };
const SECONDS_OF_VIDEO: Ranged<u64> = Ranged { low: 1, expected: 60, high: 3_600 };
const PAGES: Ranged<u64> = Ranged { low: 1, expected: 10, high: 1_000 };
/// Up to the context of every model there is.
const TEXT: Ranged<u64> = Ranged { low: 1, expected: 1_000, high: 1_048_576 };

impl Media {
    pub(super) fn of(mime_type: &str) -> Self {
        let kind = mime_type.split('/').next().unwrap_or_default();
        match (kind, mime_type) {
            ("image", _) => Self::Image,
            ("audio", _) => Self::Audio,
            ("video", _) => Self::Video,
            (_, "application/pdf") => Self::Document,
            _ => Self::Text,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Image => "pictures",
            Self::Document => "documents",
            Self::Audio => "sounds",
            Self::Video => "videos",
            Self::Text => "other files",
        }
    }

    /// The tokens of one file.
    pub(super) fn tokens(self, rules: Rules) -> Ranged<u64> {
        match self {
            Self::Image => picture(rules),
            Self::Document => PAGES.times(Ranged::each(page(rules))),
            Self::Audio => SECONDS_OF_SOUND.times(Ranged::each(32)),
            // A frame a second, and the sound with it.
            Self::Video => SECONDS_OF_VIDEO.times(Ranged::each(frame(rules) + 32)),
            Self::Text => TEXT,
        }
    }

    /// How its tokens are counted, in words.
    pub(super) fn method(self, rules: Rules) -> String {
        let Ranged { low, expected, high } = self.tokens(rules);
        let how = match self {
            Self::Image if rules.fixed_budgets || rules.low_resolution => {
                format!("{expected} tokens each")
            }
            Self::Image => "258 tokens a tile; from 1 tile to 16, 4 expected".to_owned(),
            Self::Document => format!(
                "{} tokens a page; from {} page to {}, {} expected",
                page(rules),
                PAGES.low,
                PAGES.high,
                PAGES.expected
            ),
            Self::Audio => "32 tokens a second; from a second to 8.4 hours, a minute expected".to_owned(),
            Self::Video => {
                format!("{} tokens a second; from a second to an hour, a minute expected", frame(rules) + 32)
            }
            Self::Text => format!("from {low} token to {high}, {expected} expected"),
        };
        format!("{}: {how}; the files are not opened", self.name())
    }
}

fn picture(rules: Rules) -> Ranged<u64> {
    match (rules.fixed_budgets, rules.low_resolution) {
        (true, true) => Ranged::each(280),
        (true, false) => Ranged { low: 280, expected: 1_120, high: 2_240 },
        (false, true) => Ranged::each(64),
        (false, false) => Ranged { low: 258, expected: 4 * 258, high: 16 * 258 },
    }
}

fn page(rules: Rules) -> u64 {
    match (rules.fixed_budgets, rules.low_resolution) {
        (true, true) => 280,
        (true, false) => 560,
        (false, true) => 64,
        (false, false) => 258,
    }
}

fn frame(rules: Rules) -> u64 {
    match (rules.fixed_budgets, rules.low_resolution) {
        (true, _) => 70,
        (false, true) => 66,
        (false, false) => 258,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_sound_and_ten_pages() {
        let (old, new) = (
            Rules { fixed_budgets: false, low_resolution: false },
            Rules { fixed_budgets: true, low_resolution: false },
        );
        assert_eq!(Media::of("audio/mpeg").tokens(old).expected, 1_920);
        assert_eq!(Media::of("application/pdf").tokens(old).expected, 2_580);
        assert_eq!(Media::of("application/pdf").tokens(new).expected, 5_600);
        assert_eq!(Media::of("video/mp4").tokens(old), Ranged { low: 290, expected: 17_400, high: 1_044_000 });
        assert_eq!(Media::of("image/png").tokens(new).expected, 1_120);
        assert_eq!(Media::of("text/html"), Media::Text);
    }
}
