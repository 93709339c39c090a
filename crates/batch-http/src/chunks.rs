//! Bytes that lie in several places.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// Bytes, one after the other, as they came: what is large is neither copied into one place nor held
/// twice. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Chunks {
    /// None of them empty.
    chunks: VecDeque<Bytes>,
    len: usize,
}

impl Chunks {
    /// How many bytes they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes, in order; how they are cut says nothing.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter()
    }

    /// All in one place, copied unless they are already.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.chunks.len() < 2 {
            return self.chunks.pop_front().unwrap_or_default();
        }
        let mut all = BytesMut::with_capacity(self.len);
        // One by one, each of which is given back once it is copied.
        while let Some(chunk) = self.chunks.pop_front() {
            all.extend_from_slice(&chunk);
        }
        all.freeze()
    }

    /// Adds bytes at the end.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.chunks.push_back(bytes);
        }
    }

    /// The first `len` bytes, or all where there are fewer; they stay here too.
    pub(crate) fn first(&self, len: usize) -> Self {
        let mut first = Self::default();
        for chunk in &self.chunks {
            let missing = len - first.len;
            if missing == 0 {
                break;
            }
            first.push(chunk.slice(..missing.min(chunk.len())));
        }
        first
    }

    /// Drops the first `len` bytes, or all where there are fewer.
    pub(crate) fn advance(&mut self, len: usize) {
        let mut left = len.min(self.len);
        self.len -= left;
        while let Some(chunk) = self.chunks.front_mut() {
            if left < chunk.len() {
                _ = chunk.split_to(left);
                break;
            }
            left -= chunk.len();
            self.chunks.pop_front();
        }
    }

    /// What a request sends.
    pub(crate) fn into_body(mut self) -> reqwest::Body {
        match self.chunks.len() {
            0 | 1 => self.chunks.pop_front().unwrap_or_default().into(),
            _ => reqwest::Body::wrap(self),
        }
    }
}

impl From<Bytes> for Chunks {
    fn from(bytes: Bytes) -> Self {
        let mut chunks = Self::default();
        chunks.push(bytes);
        chunks
    }
}

/// Of a known length, so that it is sent with a `Content-Length`.
impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let next = self.chunks.pop_front();
        self.len -= next.as_ref().map_or(0, Bytes::len);
        Poll::Ready(next.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunks(parts: &[Vec<u8>]) -> Chunks {
        let mut chunks = Chunks::default();
        parts.iter().for_each(|part| chunks.push(part.clone().into()));
        chunks
    }

    proptest! {
        #[test]
        fn however_they_are_cut_they_are_the_same_bytes(parts: Vec<Vec<u8>>, at in 0_usize..300) {
            let whole = parts.concat();
            let mut all = chunks(&parts);
            prop_assert_eq!(all.len(), whole.len());
            prop_assert_eq!(all.is_empty(), whole.is_empty());
            prop_assert_eq!(all.iter().flatten().copied().collect::<Vec<_>>(), &whole[..]);
            let at = at.min(whole.len() + 1);
            let (head, tail) = whole.split_at(at.min(whole.len()));
            let first = all.first(at);
            prop_assert_eq!(first.len(), head.len());
            prop_assert_eq!(&first.into_bytes()[..], head);
            all.advance(at);
            prop_assert_eq!(all.len(), tail.len());
            prop_assert!(all.iter().all(|chunk| !chunk.is_empty()));
            prop_assert_eq!(&all.into_bytes()[..], tail);
        }

        #[test]
        fn a_body_of_them_says_how_much_is_left(parts: Vec<Vec<u8>>) {
            let mut body = chunks(&parts);
            let mut sent = Vec::new();
            let mut context = Context::from_waker(std::task::Waker::noop());
            loop {
                let left = parts.concat().len() - sent.len();
                prop_assert_eq!(body.size_hint().exact(), Some(left as u64));
                prop_assert_eq!(body.is_end_stream(), left == 0);
                match Pin::new(&mut body).poll_frame(&mut context) {
                    Poll::Ready(Some(Ok(frame))) => sent.extend_from_slice(&frame.into_data().unwrap()),
                    Poll::Ready(None) => break,
                    other => prop_assert!(false, "{:?}", other.is_pending()),
                }
            }
            prop_assert_eq!(sent, parts.concat());
        }
    }
}
