//! Snappy, with its memory kept from page to page.

use parquet::errors::{ParquetError, Result};
use snap::raw::{Encoder, max_compress_len};

/// Compresses one page after the other, of all columns.
pub(crate) struct Compressor {
    encoder: Encoder,
    /// Never zeroed again.
    out: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new() -> Self {
        Self { encoder: Encoder::new(), out: Vec::new() }
    }

    pub(crate) fn compress(&mut self, bytes: &[u8]) -> Result<&[u8]> {
        let most = max_compress_len(bytes.len());
        if self.out.len() < most {
            self.out.resize(most, 0);
        }
        let length =
            self.encoder.compress(bytes, &mut self.out).map_err(|error| ParquetError::External(error.into()))?;
        Ok(&self.out[..length])
    }
}
