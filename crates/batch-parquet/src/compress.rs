//! Snappy, with its memory kept from page to page.

use parquet::errors::{ParquetError, Result};
use snap::raw::{Encoder, max_compress_len};

/// Compresses one page after the other, of all columns.
pub(crate) struct Compressor(Encoder);

impl Compressor {
    pub(crate) fn new() -> Self {
        Self(Encoder::new())
    }

    /// The most bytes that so many become.
    pub(crate) fn most(&self, length: usize) -> usize {
        max_compress_len(length)
    }

    /// Tells how many bytes of `out` these became. There must be room for the [`most`](Self::most).
    pub(crate) fn compress(&mut self, bytes: &[u8], out: &mut [u8]) -> Result<usize> {
        self.0.compress(bytes, out).map_err(|error| ParquetError::External(error.into()))
    }
}
