//! Where a value lies in a text.

use std::ops::Range;

/// Where a value lies in a text of less than 4 GB; of no length where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// `None` for one beyond 4 GB.
    pub(crate) fn new(range: &Range<usize>) -> Option<Self> {
        Some(Self { start: u32::try_from(range.start).ok()?, end: u32::try_from(range.end).ok()? })
    }

    pub(crate) fn length(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    #[inline]
    pub(crate) fn is_there(self) -> bool {
        self.start < self.end
    }

    /// The value in its text, if there is one.
    #[inline]
    pub(crate) fn of(self, text: &str) -> Option<&str> {
        if self.is_there() { text.get(self.start as usize..self.end as usize) } else { None }
    }

    /// The same in bytes of which it is not known whether they are text.
    #[inline]
    pub(crate) fn of_bytes(self, bytes: &[u8]) -> Option<&[u8]> {
        if self.is_there() { bytes.get(self.start as usize..self.end as usize) } else { None }
    }
}
